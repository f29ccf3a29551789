"""XMPP over a WebSocket (RFC 7395): a room of two for each conversation.

The room sends every message back to its sender too, after it is in the archive: that
is the acknowledgement. Who was away resumes the stream (XEP-0198); where the server
has forgotten it, the rooms are entered again and their archives asked for what was
missed (XEP-0313). Of the XML only what the talk needs is read, by patterns.
"""

import base64
import re
from typing import Any, ClassVar
from xml.sax.saxutils import escape

from benchmarks.compare.people import Person
from benchmarks.compare.wire import TEXT

DOMAIN = "localhost"
ROOMS = f"conference.{DOMAIN}"
_FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"
_SM = "urn:xmpp:sm:3"
_OPEN = f'<open xmlns="{_FRAMING}" to="{DOMAIN}" version="1.0"/>'
_BODY = re.compile(rb"<body[^>]*>([^<]*)</body>")
_ROOM = re.compile(rb"from=['\"](c\d+)@[^/'\"]+/([^'\"]+)['\"]")
_STANZA_ID = re.compile(rb"<stanza-id[^>]*\bid=['\"](\d+)['\"]")
_RESULT_ID = re.compile(rb"<result[^>]*\bid=['\"](\d+)['\"]")
_ID = re.compile(rb"\bid=['\"]([^'\"]+)['\"]")


class XmppPerson(Person):
    """A visitor or an agent with an account of ejabberd."""

    subprotocol: ClassVar[str] = "xmpp"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Prepare; `connect` connects."""
        super().__init__(*arguments, **options)
        self._asked = 0
        self._stream = ""
        """What the server calls this stream, where it may be resumed."""
        self._heard = 0
        """Stanzas received on the stream, over all its connections."""
        self._last: dict[str, str] = {}
        """By room, the archive's id of the newest message shown."""

    async def enter(self) -> None:
        await self._ask("features", _OPEN)
        login = base64.b64encode(f"\0{self.name}\0{self.secret}".encode()).decode()
        await self._ask(
            "success",
            '<auth xmlns="urn:ietf:params:xml:ns:xmpp-sasl" mechanism="PLAIN">'
            f"{login}</auth>",
        )
        await self._ask("features", _OPEN)
        if self._stream and await self._ask(
            "resumed",
            f'<resume xmlns="{_SM}" h="{self._heard}" previd="{self._stream}"/>',
        ):
            return
        bind = '<bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"/>'
        await self._ask("bind", f'<iq type="set" id="bind">{bind}</iq>')
        if self.keeps:
            self._heard = 0
            enable = f'<enable xmlns="{_SM}" resume="true"/>'
            self._stream = await self._ask("enabled", enable)
        self._write("<presence/>")
        for room in self.rooms:
            await self._join(room)
            if self.keeps:
                await self._catch_up(room)

    async def meet(self, agent: Person, number: int) -> None:
        room = f"c{number}"
        for side in (self, agent):
            assert isinstance(side, XmppPerson), "one target, one kind of people"
            await side._join(room)
            side.rooms.append(room)

    async def _join(self, room: str) -> None:
        muc = '<x xmlns="http://jabber.org/protocol/muc"><history maxstanzas="0"/></x>'
        await self._ask(
            f"joined {room}",
            f'<presence to="{room}@{ROOMS}/{self.name}">{muc}</presence>',
        )

    async def _catch_up(self, room: str) -> None:
        self._asked += 1
        name = f"q{self._asked}"
        last = self._last.get(room)
        after = f"<after>{last}</after>" if last else ""
        await self._ask(
            name,
            f'<iq type="set" id="{name}" to="{room}@{ROOMS}">'
            '<query xmlns="urn:xmpp:mam:2">'
            f'<set xmlns="http://jabber.org/protocol/rsm">{after}</set></query></iq>',
        )

    async def _ask(self, name: str, stanza: str) -> Any:
        return await self.answer_to(name, lambda: self._write(stanza))

    def say(self, room: Any, key: str, text: str) -> None:
        self._write(
            f'<message to="{room}@{ROOMS}" type="groupchat" id="{key}">'
            f"<body>{escape(text)}</body></message>"
        )

    def received(self, data: bytes) -> None:
        name = data[1 : data.find(b" ")]
        if name in (b"message", b"presence", b"iq"):
            self._heard += 1
            self._stanza(name, data)
        elif name == b"r":
            self._write(f'<a xmlns="{_SM}" h="{self._heard}"/>')
        elif name == b"stream:features":
            self.answered("features", None)
        elif name == b"success":
            self.answered("success", None)
        elif name == b"enabled":
            found = _ID.search(data)
            self.answered("enabled", found[1].decode() if found else "")
        elif name == b"resumed":
            self.answered("resumed", True)
        elif name == b"failed":
            if not self.answered("resumed", False):
                self.answered("enabled", "")
        elif name not in (b"open", b"a", b"close"):
            self.told.errors[f"said: {data[:120]!r}"] += 1

    def _stanza(self, name: bytes, data: bytes) -> None:
        if b"type='error'" in data[:300] or b'type="error"' in data[:300]:
            self.told.errors[f"error: {data[:300]!r}"] += 1
        elif name == b"message":
            self._message(data)
        elif name == b"presence":
            # Status 110: this is about oneself, and the last of the presences.
            found = _ROOM.search(data)
            if found and re.search(rb"code=['\"]110['\"]", data):
                self.answered(f"joined {found[1].decode()}", None)
        elif b"urn:ietf:params:xml:ns:xmpp-bind" in data:
            self.answered("bind", None)
        elif found := _ID.search(data):
            self.answered(found[1].decode(), None)

    def _message(self, data: bytes) -> None:
        body, places = _BODY.search(data), _ROOM.findall(data)
        if body is None or not places:
            return  # A room's subject.
        # What comes from the archive is inside: the last one counts.
        room, sender = (part.decode() for part in places[-1])
        number = _STANZA_ID.search(data) or _RESULT_ID.search(data)
        if number is not None:
            self._last[room] = number[1].decode()
        key = body[1].rpartition(b"#")[2].decode()
        if sender == self.name:
            self.told.acknowledged(key)
        else:
            self.told.shown(self, key)

    def _write(self, stanza: str) -> None:
        if self.wire is not None:
            self.wire.send(stanza.encode(), TEXT)
