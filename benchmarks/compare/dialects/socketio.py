"""Socket.IO over a WebSocket, as its clients begin where polling is switched off.

Not python-socketio's own client, which would be the limit: the few packets that the
talk needs are written here. Like that client, nothing that was sent and not answered
before a cut is sent again.
"""

from typing import Any

import msgspec

from benchmarks.compare.people import Person
from benchmarks.compare.wire import TEXT

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class SocketIoPerson(Person):
    """A visitor or an agent of `benchmarks.compare.socketio_server`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Prepare; `connect` connects."""
        super().__init__(*arguments, **options)
        self._asked = 0
        self._sent: dict[int, str] = {}
        """By number, the key of each message that waits for its answer."""
        self._last: dict[str, int] = {}
        """By room, the newest id shown."""

    async def enter(self) -> None:
        self._sent.clear()
        await self.answer_to("open", lambda: None)
        who = _encode({"user": self.name})
        await self.answer_to("connected", lambda: self._write(b"40" + who))
        for room in self.rooms:
            await self._join(room)

    async def meet(self, agent: Person, number: int) -> None:
        room = f"c{number}"
        for side in (self, agent):
            assert isinstance(side, SocketIoPerson), "one target, one kind of people"
            await side._join(room)
            side.rooms.append(room)

    async def _join(self, room: str) -> None:
        """Enter a room; where it keeps what is missed, ask for that too."""
        self._asked += 1
        number = self._asked
        wanted: dict[str, Any] = {"room": room}
        if self.keeps:
            wanted["after"] = self._last.get(room, 0)
        packet = b"42%d" % number + _encode(["join", wanted])
        missed = await self.answer_to(str(number), lambda: self._write(packet))
        for message in missed[0]:
            self._show(message)

    def say(self, room: Any, key: str, text: str) -> None:
        self._asked += 1
        self._sent[self._asked] = key
        packet = ["say", {"room": room, "text": text}]
        self._write(b"42%d" % self._asked + _encode(packet))

    def received(self, data: bytes) -> None:
        kind = data[:2]
        if kind == b"42":
            self._show(_decode(data[2:])[1])
        elif kind == b"43":
            number, _, answer = data[2:].partition(b"[")
            key = self._sent.pop(int(number), None)
            if key is not None:
                self.told.acknowledged(key)
            else:
                self.answered(number.decode(), _decode(b"[" + answer))
        elif kind == b"2":
            self._write(b"3")
        elif kind == b"40":
            self.answered("connected", None)
        elif data[:1] == b"0":
            self.answered("open", None, may_be_early=True)
        else:
            self.told.errors[f"packet: {data[:80]!r}"] += 1

    def _show(self, message: dict[str, Any]) -> None:
        if message["sender"] == self.name:
            return  # Asked for what was missed, and got the own ones too.
        room, number = message["room"], message["id"]
        self._last[room] = max(number, self._last.get(room, 0))
        self.told.shown(self, message["text"].rpartition("#")[2])

    def _write(self, packet: bytes) -> None:
        if self.wire is not None:
            self.wire.send(packet, TEXT)
