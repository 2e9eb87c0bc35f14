"""What a run was told, beside its state in one readable file, so that it can be continued by the name of its folder alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from wavelex.errors import WavelexError
from wavelex.files import replacing
from wavelex.training.settings import Settings

PLAN = "run.json"
FORMAT = "wavelex-run-1"
LONGEST_NAME = 100


@dataclass(frozen=True)
class Plan:
    """Raises WavelexError for a name that no file could carry and for no held-out clips."""

    name: str
    """Of the model that comes of it."""
    design: str
    data: str
    """Folder or manifest of the recordings."""
    settings: Settings
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """The design's."""
    dev: str | None = None
    """Folder or manifest of the held-out recordings."""
    dev_clips: int = 16
    device: str = "cpu"
    threads: int | None = None

    def __post_init__(self) -> None:
        if not self.name or not self.name.isprintable() or len(self.name.encode(errors="replace")) > LONGEST_NAME:
            raise WavelexError(f"the model's name {self.name!r}: give one of 1 to {LONGEST_NAME} printable characters with --name")
        if self.dev_clips < 1:
            raise WavelexError(f"{self.dev_clips} held-out clips: give 1 or more, or leave --dev away")

    def changed(self, **given: Any) -> Plan:
        """With what was given anew; None is not given."""
        return replace(self, **{name: value for name, value in given.items() if value is not None})

    def save(self, out: Path) -> None:
        """Write it into the run's folder."""
        values = {each.name: getattr(self, each.name) for each in fields(self)} | {"settings": self.settings.to_json()}
        with replacing(out / PLAN) as temporary:
            temporary.write_text(json.dumps({"format": FORMAT, **values}, indent=1) + "\n")

    @classmethod
    def load(cls, out: Path) -> Plan:
        """That of the run in a folder. Raises WavelexError where it is missing or damaged."""
        try:
            values = json.loads((out / PLAN).read_text())
        except OSError as error:
            raise WavelexError(f"{out}: the run there cannot be continued, its {PLAN} is missing; begin a new one with --init") from error
        except ValueError as error:
            raise WavelexError(f"{out / PLAN}: not JSON ({error}); mend it") from error
        try:
            if (found := values.pop("format", "no format given")) != FORMAT:
                raise WavelexError(f"{out / PLAN}: not a run of this version ({found}); begin a new one with --init")
            settings = Settings.stored(values.pop("settings"))
            return cls(settings=settings, **values)
        except (KeyError, TypeError, AttributeError) as error:
            raise WavelexError(f"{out / PLAN}: not whole ({error}); mend it") from error
