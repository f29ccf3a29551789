"""A bar that shows how far a long command is; only on a terminal."""

import shutil
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

from kefu_core.node import monotonic

_REDRAW_S = 0.1
_BAR_CHARS = 24


class Progress:
    """`with Progress("messages", total) as progress: progress.show(done)`.

    Written to standard error, so that results can be piped; nothing at all where that
    is not a terminal.
    """

    def __init__(
        self,
        unit: str,
        total: int,
        *,
        stream: TextIO | None = None,
        now: Callable[[], float] = monotonic,
    ) -> None:
        """Take what is counted and how many there will be; 0 if nobody knows."""
        self._unit = unit
        self._total = total
        self._stream = stream or sys.stderr
        self._now = now
        self._is_shown = self._stream.isatty()
        self._began_at = now()
        self._drawn_at = float("-inf")
        self._done = 0

    def __enter__(self) -> Self:
        """Draw the empty bar."""
        self._draw()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the last state of the bar behind, on a line of its own."""
        if self._is_shown:
            self._draw()
            self._stream.write("\n")
            self._stream.flush()

    def show(self, done: int, total: int | None = None) -> None:
        """Note how many are done (of how many); draws at most ten times a second."""
        self._done = done
        self._total = self._total if total is None else total
        now = self._now()
        if now - self._drawn_at >= _REDRAW_S:
            self._drawn_at = now
            self._draw()

    def _draw(self) -> None:
        if not self._is_shown:
            return
        width = shutil.get_terminal_size().columns - 1
        # Back to the start, and what was longer before is wiped.
        self._stream.write(f"\r{self.line()[:width]}\x1b[K")
        self._stream.flush()

    def line(self) -> str:
        """Return the bar and its figures as one line."""
        seconds = self._now() - self._began_at
        pace = f"  {self._done / seconds:,.0f}/s" if seconds >= 1 else ""
        if not self._total:
            return f"{self._done:,} {self._unit}{pace}"
        share = min(1.0, self._done / self._total)
        filled = round(share * _BAR_CHARS)
        bar = "#" * filled + "." * (_BAR_CHARS - filled)
        left = ""
        if seconds >= 1 and 0 < share < 1:
            left = f"  {_clock(seconds / share * (1 - share))} left"
        return (
            f"[{bar}] {share:4.0%}  "
            f"{self._done:,} of {self._total:,} {self._unit}{pace}{left}"
        )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
