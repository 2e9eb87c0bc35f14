"""The model of a command, loaded once in each process that works for it."""

from __future__ import annotations

from functools import cache

from wavelex.codec.codec import Codec
from wavelex.codec.hub import load


@cache
def model_once(model: str) -> Codec:
    """The codec that `--model` names."""
    return load(model)
