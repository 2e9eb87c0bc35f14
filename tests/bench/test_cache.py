from __future__ import annotations

from pathlib import Path

import pytest

from wavelex.bench.run.cache import AT_ONCE, Cache, content_key
from wavelex.errors import WavelexError


def test_values_are_kept_between_runs_and_found_in_any_number(tmp_path: Path) -> None:
    keys = [content_key("key", n) for n in range(2 * AT_ONCE + 3)]
    with Cache(tmp_path / "deep" / "cache.sqlite") as cache:
        for n, key in enumerate(keys):
            cache.put(key, {"n": n})
        cache.put(keys[0], {"n": "again"})
    with Cache(tmp_path / "deep" / "cache.sqlite") as cache:
        found = cache.get([*keys, "none"])
    assert found == {key: {"n": n or "again"} for n, key in enumerate(keys)}


def test_keys_depend_on_every_part_and_on_nothing_else() -> None:
    assert content_key("a", {"x": 1, "y": 2}) == content_key("a", {"y": 2, "x": 1})
    assert len({content_key("a", "b"), content_key("ab"), content_key("a", {"b": 1}), content_key("b", "a")}) == 4


def test_a_file_that_is_something_else_is_told_and_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("important " * 100)
    with pytest.raises(WavelexError, match="give another --cache"):
        Cache(other)
    assert other.read_text() == "important " * 100
    with pytest.raises(WavelexError, match="give another --cache"):
        Cache(other / "below.sqlite")
