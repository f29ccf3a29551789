"""kefu's protocol: its own session without I/O, as every client of it has.

What a client owes is done: receipts, cursors at a hello, and sending again what was not
answered.
"""

from typing import Any, ClassVar

from benchmarks.compare.people import Person, now
from benchmarks.compare.wire import BINARY
from kefu_core.limits import Limits
from kefu_core.model import Draft
from kefu_core.protocol import frames as f
from kefu_core.protocol.client import ClientSession
from kefu_core.protocol.codec import MSGPACK, server_frame_decoder
from kefu_core.protocol.events import CloseRequested, SendRejected
from kefu_core.transports.reading import for_reading
from kefu_core.types import ConversationId, Seq

_decode = server_frame_decoder(MSGPACK, for_reading(Limits())).decode


class KefuPerson(Person):
    """A visitor or an agent of kefu."""

    subprotocol: ClassVar[str] = "kefu.v1.msgpack"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Prepare; `connect` connects."""
        super().__init__(*arguments, **options)
        self.session = ClientSession(client="kefu-benchmark")
        self._calls = 0

    async def enter(self) -> None:
        def hello() -> None:
            self.session.connected(self.secret, now())
            self._write()

        # The session itself follows again what it held, from where it was.
        await self.answer_to("welcome", hello)

    async def meet(self, agent: Person, number: int) -> None:
        assert isinstance(agent, KefuPerson), "one target, one kind of people"
        opened = await self._call("conversation.open", {})
        room = ConversationId(opened["conversation"]["id"])
        await agent._call("conversation.take", {"conversation": room})
        for side in (self, agent):
            side.rooms.append(room)
            side.session.follow(room, Seq(0))
            side._write()

    async def _call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._calls += 1
        name = str(self._calls)

        def ask() -> None:
            self.session.say(f.Call(id=name, method=method, params=params))
            self._write()

        answer = await self.answer_to(name, ask)
        if isinstance(answer, f.ErrorFrame):
            raise RuntimeError(f"{method}: {answer.code} {answer.text}")
        result: dict[str, Any] = answer.result
        return result

    def say(self, room: Any, key: str, text: str) -> None:
        assert self.session.me is not None, "connected"
        draft = Draft(conversation=room, sender=self.session.me.id, key=key, body=text)
        self.session.send(draft, now())
        self._write()

    def received(self, data: bytes) -> None:
        session, told = self.session, self.told
        session.receive(_decode(data), now())
        for event in session.events():
            if type(event) is f.MessageFrame:
                if event.key is None:
                    told.shown(self, event.body.rpartition("#")[2])
            elif type(event) is f.Sent:
                told.acknowledged(event.key)
            elif type(event) is f.Welcome:
                self.answered("welcome", event)
            else:
                self._rare(event)
        self._write()

    def _rare(self, event: object) -> None:
        errors = self.told.errors
        if type(event) is f.Reply:
            self.answered(event.id, event)
        elif type(event) is f.ErrorFrame:
            if event.id is None or not self.answered(event.id, event):
                errors[f"error: {event.code}"] += 1
        elif type(event) is SendRejected:
            errors[f"rejected: {event.code}"] += 1
        elif type(event) is CloseRequested:
            errors[f"closed: {event.reason}"] += 1

    def tick(self) -> None:
        at = now()
        if self.is_live and self.session.next_timer(at) <= at:
            self.session.handle_timer(at)
            self._write()

    def cut(self, *, is_told: bool) -> Any:
        self.session.disconnected()
        return super().cut(is_told=is_told)

    def _write(self) -> None:
        frames = self.session.frames_to_send()
        if frames and self.wire is not None:
            encoded = [MSGPACK.encode(frame) for frame in frames]
            self.wire.send(MSGPACK.join(encoded), BINARY)
            self.session.wrote(now())
