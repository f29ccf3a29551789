"""One client of `incident` and `soak`: an outbox and a display, both on record."""

from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import TaskStatus

from benchmarks.history import History, Reader, Record, Row, What, body_hash
from kefu_core.abc.streams import FrameStream
from kefu_core.abc.transports import (
    AsgiEndpoint,
    DialOptions,
    ServerContext,
    SocketEndpoint,
    Transport,
)
from kefu_core.client import Client, ConnectionChanged
from kefu_core.errors import ConnectionClosed
from kefu_core.protocol.codec import Received
from kefu_core.protocol.events import SendRejected
from kefu_core.protocol.frames import ErrorFrame, MessageFrame, Sent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.everybody import Everybody


class Talk:
    """One conversation while it lasts: what everybody did and saw of it."""

    def __init__(self, conversation: int) -> None:
        """Begin with nobody and nothing."""
        self.conversation = conversation
        self.history = History()
        self.head = 0
        """The newest seq that anybody was told or shown."""
        self.present: set[Person] = set()
        self.sent_at: dict[str, float] = {}
        """Of what the other side has not been shown yet."""
        self.answered = 0
        """The newest seq that the agent has an answer for."""
        self.is_ending = self.is_over = False

    @property
    def lacking(self) -> list[str]:
        """What those who are present still wait for; empty once all is at rest."""
        found = []
        for person in self.present:
            seen = person.readers[self.conversation].last_seq.get(self.conversation, 0)
            waiting = person.waiting[self.conversation]
            if seen < self.head or waiting:
                first = f", {min(waiting)} first" if waiting else ""
                found.append(
                    f"{person.name} ({person.state}) was shown {seen} of {self.head} "
                    f"and has no answer for {len(waiting)}{first}"
                )
        return found


class Ears:
    """The longest time without a sign of life that any connected client lived through.

    A connection counts from its first byte to its end, however it ends.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        """Take the clock, in seconds."""
        self.now = now
        self.longest_s = 0.0
        self.whose = ""

    def heard(self, since: float, whose: str) -> float:
        """Note a sign of life, or the end; return when it was."""
        at = self.now()
        if at - since > self.longest_s:
            self.longest_s, self.whose = at - since, whose
        return at


class Listening(Transport):
    """A transport whose streams tell when they heard something."""

    def __init__(self, inner: Transport, ears: Ears, whose: str) -> None:
        """Take the real one, and who uses it."""
        self.name = inner.name  # type: ignore[misc]
        self.schemes = inner.schemes  # type: ignore[misc]
        self.path = inner.path  # type: ignore[misc]
        self._inner, self._ears, self._whose = inner, ears, whose

    def endpoint(self, context: ServerContext) -> AsgiEndpoint | SocketEndpoint:
        return self._inner.endpoint(context)

    async def connect(self, url: str, options: DialOptions) -> FrameStream:
        stream = await self._inner.connect(url, options)
        return _Heard(stream, self._ears, self._whose)


class _Heard(FrameStream):
    def __init__(self, inner: FrameStream, ears: Ears, whose: str) -> None:
        self._inner, self._ears, self._whose = inner, ears, whose
        self.codec, self.peer = inner.codec, inner.peer
        self.patience_s = inner.patience_s
        self._heard_at = ears.now()

    async def receive(self) -> Received:
        items = await self._inner.receive()
        self._heard_at = self._ears.heard(self._heard_at, self._whose)
        return items

    async def send(self, encoded: "Sequence[bytes]") -> None:
        await self._inner.send(encoded)

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        self._heard_at = self._ears.heard(self._heard_at, self._whose)
        await self._inner.aclose(code, reason)


class Person:
    """A tab of a visitor, or an agent from login to logout."""

    def __init__(self, people: "Everybody", name: str, client: Client) -> None:
        """Prepare; `run` connects."""
        self.name = name
        self.client = client
        self.readers: dict[int, Reader] = {}
        self.waiting: dict[int, set[str]] = defaultdict(set)
        """By conversation, what was sent and not answered."""
        self.state = "not yet connected"
        self._people = people
        self._count = 0
        self._told: dict[int, dict[str, int]] = defaultdict(dict)
        self._scope = anyio.CancelScope()
        self._asking: set[anyio.CancelScope] = set()
        self._down_at: float | None = None

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Stay connected and note everything until `leave`."""
        try:
            with self._scope:
                async with self.client:
                    task_status.started()
                    async for event in self.client.events():
                        self._happened(event)
        finally:
            self._back()
            self._people.left(self)

    def leave(self) -> None:
        """Close the tab, whatever is still on its way."""
        for talk in self._people.talks.values():
            talk.present.discard(self)
        for scope in self._asking:
            scope.cancel()
        self._scope.cancel()

    async def welcomed(self) -> None:
        """Wait until the server has said who this is."""
        await self._unless_gone(self.client.wait_live)

    async def join(self, talk: Talk) -> None:
        """Show a conversation from its beginning on."""
        if talk.conversation in self.readers or talk.is_over:
            return
        self.readers[talk.conversation] = Reader(talk.history, self.name)
        talk.present.add(self)
        await self._unless_gone(self.client.follow, talk.conversation)

    def forget(self, talk: Talk) -> None:
        """Note that all of it was shown, and show it no longer."""
        reader = self.readers.pop(talk.conversation)
        reader.left(self._people.now())
        self.client.unfollow(talk.conversation)
        self.waiting.pop(talk.conversation, None)
        self._told.pop(talk.conversation, None)

    async def call(self, method: str, **params: Any) -> dict[str, Any] | None:
        """Call a method; None where this person has left, or was logged out."""
        found: dict[str, Any] | None
        found = await self._unless_gone(self.client.call, method, params)
        return found

    async def _unless_gone(self, what: Callable[..., Any], *args: Any) -> Any:
        with anyio.CancelScope() as scope:
            self._asking.add(scope)
            try:
                return await what(*args)
            except ConnectionClosed:
                return None
            finally:
                self._asking.discard(scope)
        return None

    def say(self, talk: Talk, text: str) -> None:
        """Send a message."""
        self._count += 1
        key = f"{self.name}.{self._count}"
        body = f"{text} #{key}"
        at = talk.sent_at[key] = self._people.now()
        self._note(
            talk,
            What.INVOKE,
            key,
            at=at,
            sender=self.client.me,
            body=body_hash(body),
        )
        self._people.sent += 1
        self.waiting[talk.conversation].add(key)
        self.client.send_nowait(talk.conversation, body, key=key)

    # -- what happens ------------------------------------------------------------------

    def _happened(self, event: object) -> None:
        if isinstance(event, MessageFrame):
            self._shown(event)
        elif isinstance(event, Sent):
            self._stored(event.conversation, event.key, event.seq)
        elif isinstance(event, SendRejected):
            self._rejected(event)
        elif isinstance(event, ErrorFrame):
            self._people.note_close(f"error: {event.code}")
        elif isinstance(event, ConnectionChanged):
            self._changed(event)

    def _changed(self, event: ConnectionChanged) -> None:
        if event.is_live:
            self._back()
            self.state = f"connected by {event.transport}"
        else:
            self._down_at = self._people.now()
            self.state = f"not connected: {event.reason}"
            self._people.note_close(event.reason)

    def _back(self) -> None:
        if self._down_at is not None:
            away_s = self._people.now() - self._down_at
            self._people.away_s = max(self._people.away_s, away_s)
            self._down_at = None

    def _shown(self, frame: MessageFrame) -> None:
        talk = self._people.talks.get(frame.conversation)
        reader = self.readers.get(frame.conversation)
        if talk is None or reader is None:
            return
        row = Row(
            conversation=frame.conversation,
            seq=frame.seq,
            sender=frame.sender,
            key=frame.key or "",
            kind=frame.kind,
            body=frame.body,
        )
        at = self._people.now()
        reader.shown(row, at)
        talk.head = max(talk.head, frame.seq)
        self._people.shown += 1
        if frame.key is not None:
            self._stored(frame.conversation, frame.key, frame.seq)
        elif frame.sender != self.client.me:
            self._people.delivered(self, talk, frame, at)

    def _stored(self, conversation: int, key: str, seq: int) -> None:
        talk = self._people.talks.get(conversation)
        if talk is None or not key.startswith(f"{self.name}."):
            return  # Another tab's, or written by the desk on this agent's behalf.
        told = self._told[conversation]
        if told.get(key) == seq:
            return  # `sent` and the own message say the same.
        if key in self.waiting[conversation]:
            self._people.acknowledged += 1
        told[key] = seq
        talk.head = max(talk.head, seq)
        self.waiting[conversation].discard(key)
        self._note(talk, What.OK, key, seq=seq)

    def _rejected(self, event: SendRejected) -> None:
        talk = self._people.talks.get(event.conversation)
        self._people.note_refused(event.code)
        if talk is not None:
            self.waiting[event.conversation].discard(event.key)
            self._note(talk, What.ERROR, event.key)

    def _note(
        self, talk: Talk, what: What, key: str, at: float | None = None, **more: Any
    ) -> None:
        talk.history.add(
            Record(
                what=what,
                at=self._people.now() if at is None else at,
                process=self.name,
                conversation=talk.conversation,
                key=key,
                **more,
            )
        )
