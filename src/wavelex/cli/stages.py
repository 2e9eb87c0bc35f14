"""A line of progress for each stage of a run."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class StageBar:
    """On standard error, within `with bar.lines`."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        self.lines = Progress(*columns, console=Console(stderr=True))
        self._line = TaskID(0)

    def begin(self, what: str, total: int) -> None:
        """The next stage, with so much to do."""
        self._line = self.lines.add_task(what, total=total)

    def advance(self, count: int) -> None:
        """So much of it is done."""
        self.lines.advance(self._line, count)
