"""One client without manners, in a process of its own.

Run as `python -m benchmarks.flooder PLAN.json`. It prints `ready` once it is welcomed,
begins at a line on standard input, and ends at the next one with a line of JSON: what
it said, what it was answered, and how often it was cut off. It dials again at once.
"""

import sys
import time
from collections import Counter
from pathlib import Path

import anyio
import msgspec

from kefu_core.abc.streams import FrameStream
from kefu_core.abc.transports import DialOptions
from kefu_core.errors import KefuError
from kefu_core.protocol import frames as f
from kefu_core.transports.registry import find_transport
from kefu_core.types import ConversationId, Seq

BURST = 20
"""Frames in a batch: cheaper for the flooder, as a real one would have it."""
PAUSE_S = 0.05
"""Before it dials again when it was turned away."""


class FloodPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Who floods what."""

    url: str
    transport: str
    token: str
    conversation: int
    frames_per_s: float
    conversations: list[int] = []
    """What a busy agent opens (`benchmarks.busy`)."""


class Flood(msgspec.Struct, kw_only=True):
    """What became of it."""

    sent: int = 0
    answers: dict[str, int] = {}
    """Frames that came back: their tag, or the code of an error."""
    cuts: int = 0
    """How often its connection was ended."""
    refused: int = 0
    """How often it was not let in again."""


class Flooder:
    """Says more than anybody may."""

    def __init__(self, plan: FloodPlan) -> None:
        """Prepare; `run` floods."""
        self._plan = plan
        self._transport = find_transport(plan.transport)
        self._answers: Counter[str] = Counter()
        self._flood = Flood()
        self._is_on = False
        self._number = 0

    async def run(self) -> None:
        """Wait for the word, flood, report."""
        async with anyio.create_task_group() as tasks:
            await tasks.start(self._keep_dialling)
            print("ready", flush=True)
            await anyio.to_thread.run_sync(sys.stdin.readline)
            self._is_on = True
            await anyio.to_thread.run_sync(sys.stdin.readline)
            tasks.cancel_scope.cancel()
        self._flood.answers = dict(self._answers)
        sys.stdout.buffer.write(msgspec.json.encode(self._flood) + b"\n")
        sys.stdout.buffer.flush()

    async def _keep_dialling(
        self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        is_told = False
        while True:
            try:
                stream = await self._transport.connect(
                    self._plan.url, DialOptions(codec="json")
                )
            except (KefuError, OSError):
                self._flood.refused += 1
                await anyio.sleep(PAUSE_S)
                continue
            try:
                hello = f.Hello(token=self._plan.token)
                await stream.send([stream.codec.encode(hello)])
                await stream.receive()
                if not is_told:
                    is_told = True
                    task_status.started()
                await self._talk(stream)
                self._flood.cuts += 1
            except (KefuError, OSError):
                self._flood.refused += 1
            finally:
                with anyio.CancelScope(shield=True):
                    await stream.aclose()
            await anyio.sleep(PAUSE_S)

    async def _talk(self, stream: FrameStream) -> None:
        """Flood one connection until it ends."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._listen, stream, tasks.cancel_scope)
            try:
                await self._flood_over(stream)
            except (KefuError, OSError):
                tasks.cancel_scope.cancel()

    async def _flood_over(self, stream: FrameStream) -> None:
        pace = self._plan.frames_per_s
        started, said = time.monotonic(), 0
        while True:
            await anyio.sleep(BURST / pace)
            if not self._is_on:
                started = time.monotonic()
                continue
            due = int((time.monotonic() - started) * pace)
            # Of what it could not say in time it leaves out all but a second's.
            due = min(due, said + int(pace))
            while said < due:
                some = [self._frame(said + n) for n in range(1, BURST + 1)]
                await stream.send([stream.codec.encode(each) for each in some])
                said += BURST
                self._flood.sent += BURST

    def _frame(self, n: int) -> f.Frame:
        conversation = ConversationId(self._plan.conversation)
        self._number += 1
        match self._number % 3:
            case 0:
                return f.Typing(conversation=conversation, text="…")
            case 1:
                return f.Fetch(id=str(n), conversation=conversation, after=Seq(0))
            case _:
                key = f"flood.{self._number}"
                return f.Send(key=key, conversation=conversation, n=n, body=key)

    async def _listen(self, stream: FrameStream, talk: anyio.CancelScope) -> None:
        try:
            while True:
                for item in await stream.receive():
                    if isinstance(item, f.ErrorFrame):
                        self._answers[item.code] += 1
                    else:
                        self._answers[type(item).__name__.lower()] += 1
        except (KefuError, OSError):
            talk.cancel()


if __name__ == "__main__":
    _plan = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=FloodPlan)
    anyio.run(Flooder(_plan).run)
