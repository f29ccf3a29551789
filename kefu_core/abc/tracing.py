"""What a tracer promises: the way of one message through this process, step by step.

Steps follow each other: `check`, `commit`, `fan-out`, `write`. No step is ever told a
text, a key or a name.
"""

from typing import Protocol


class MessageTrace(Protocol):
    """One message on its way. Must not block or raise."""

    def step(self, name: str) -> None:
        """The step before has ended, and this one begins."""

    def stored(self, seq: int, *, is_duplicate: bool) -> None:
        """It is committed, or was before."""

    def end(self, outcome: str) -> None:
        """What follows is to be ignored: `written`, `gone`, or the code of an error."""


class MessageTracer(Protocol):
    """Begins a trace for each message that a connection sends."""

    def begin(
        self, *, conversation: int, connection: str, request: str, transport: str
    ) -> MessageTrace | None:
        """Return the trace of a message that was received; None: it is not traced."""
