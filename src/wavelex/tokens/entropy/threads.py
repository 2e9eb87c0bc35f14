"""Products of small matrices on one thread: sharing them out costs more than it saves, and on a busy machine many times more."""

from __future__ import annotations

from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


def one_thread() -> Any:
    """Context manager under which numpy's products take one thread."""
    return _libraries().limit(limits=1, user_api="blas")
