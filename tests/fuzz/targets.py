"""What is fed with arbitrary bytes, and what must hold for every input.

A target raises `AssertionError`, or anything that is not documented, when it is hurt.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from kefu_core.errors import CloseCode, KefuError, OutOfOrder, StoreUnavailable
from kefu_core.limits import Limits
from kefu_core.model import Draft, Person, Role
from kefu_core.protocol import frames as f
from kefu_core.protocol.client import ClientSession
from kefu_core.protocol.codec import (
    CODECS,
    JSON,
    MSGPACK,
    BadFrame,
    Codec,
    client_frame_decoder,
    server_frame_decoder,
)
from kefu_core.protocol.events import CloseRequested
from kefu_core.protocol.framing import PREFACE_BYTES, BatchSplitter, parse_preface
from kefu_core.protocol.longpoll import PollAnswer, PollRequest
from kefu_core.protocol.server import ServerSession, shared_limits
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs

LIMITS = Limits(frames_per_s=1e9, frames_burst=1_000_000_000)
"""Without a pace, so that a long input is taken whole."""
ME = Person(id=ParticipantId("v1"), name="Ann", role=Role.VISITOR)
WELCOME = f.Welcome(
    session="s",
    epoch="e",
    resumed=True,
    heartbeat_s=25.0,
    limits=shared_limits(LIMITS, ME),
    me=ME,
)
_DOCUMENTED = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
"""What msgspec raises, and what whoever uses its decoders catches."""


def decode(data: bytes) -> None:
    """Both codecs in both directions: no exception, no empty batch, no echo of size."""
    for codec in CODECS.values():
        for decoder in (client_frame_decoder, server_frame_decoder):
            items = decoder(codec, LIMITS).decode(data)
            assert items
            assert len(items) <= LIMITS.batch_frames_max
            for item in items:
                assert isinstance(item, (f.Frame, BadFrame))
                if isinstance(item, BadFrame):
                    # Rubbish must not make answers that are larger than it may be.
                    assert len(item.text) < 400
                    assert len(item.key or "") <= 128
                    assert len(item.id or "") <= 128
                    assert len(item.frame or "") <= 64


def encode_again(data: bytes) -> None:
    """What a server accepts can be said in either codec, and means the same."""
    for codec in CODECS.values():
        for item in client_frame_decoder(codec, LIMITS).decode(data):
            if isinstance(item, BadFrame):
                continue
            for other in CODECS.values():
                again = client_frame_decoder(other, LIMITS).decode(
                    other.join([other.encode(item)])
                )
                assert again == [item] or _is_longer(other, item)


def _is_longer(codec: Codec, frame: f.Frame) -> bool:
    return len(codec.encode(frame)) > LIMITS.frame_bytes_max


def split(data: bytes) -> None:
    """TCP's lengths: pieces of any size give the same batches; memory is bounded."""
    maximum = 4_096
    whole = BatchSplitter(maximum)
    batches = whole.feed(data)
    step = 1 + (len(data) % 7)
    pieces = BatchSplitter(maximum)
    found: list[bytes] = []
    for at in range(0, len(data), step):
        found += pieces.feed(data[at : at + step])
        assert pieces.pending_bytes <= maximum + 4
        if pieces.oversize:
            break
    assert found == batches
    assert pieces.oversize == whole.oversize
    assert all(len(batch) <= maximum for batch in batches)


def preface(data: bytes) -> None:
    """TCP's first bytes: a codec or a documented refusal."""
    try:
        parse_preface((data + bytes(PREFACE_BYTES))[:PREFACE_BYTES])
    except KefuError:
        return


def poll_body(data: bytes) -> None:
    """Bodies of both directions of long poll, and the frames inside."""
    for codec, decode_body in (
        (JSON, msgspec.json.decode),
        (MSGPACK, msgspec.msgpack.decode),
    ):
        try:
            request = decode_body(data, type=PollRequest)
        except _DOCUMENTED:
            continue
        decoder = client_frame_decoder(codec, LIMITS)
        frames = list(request.frames)
        if request.hello is not msgspec.UNSET:
            frames.append(request.hello)
        assert len(decoder.decode_items(frames)) == len(frames)
    for codec, decode_body in (
        (JSON, msgspec.json.decode),
        (MSGPACK, msgspec.msgpack.decode),
    ):
        try:
            answer = decode_body(data, type=PollAnswer)
        except _DOCUMENTED:
            continue
        for batch in answer.batches:
            server_frame_decoder(codec, LIMITS).decode_items(batch.frames)


class ServerEnd:
    """A server session whose driver answers everything at once, as a hub may."""

    def __init__(self, *, is_live: bool) -> None:
        self.session = ServerSession(LIMITS, 0.0)
        self.now = 0.0
        self.said = 0
        if is_live:
            self.session.receive([f.Hello(token="t")], 0.0)
            self._act()

    def feed(self, codec: Codec, data: bytes) -> None:
        """Take one batch."""
        session = self.session
        self.now += 0.5
        session.receive(client_frame_decoder(codec, LIMITS).decode(data), self.now)
        self._act()
        self._check()

    def _act(self) -> None:
        session = self.session
        for turn, event in enumerate(session.events()):
            match event:
                case f.Hello():
                    session.welcome(
                        session="s",
                        epoch="e",
                        resumed=True,
                        me=ME,
                        heads={},
                        at=UnixMs(0),
                        expires_at=None,
                    )
                case f.Send() if turn % 3 == 0 or session.is_overtaken(event):
                    error = OutOfOrder() if turn % 2 else StoreUnavailable()
                    session.failed(event, error)
                case f.Send():
                    session.sent(
                        f.Sent(
                            key=event.key,
                            conversation=event.conversation,
                            seq=Seq(1),
                            at=UnixMs(0),
                        )
                    )
                case f.Follow():
                    session.followed(event.conversation, event.after, Seq(9))
                case f.Unfollow():
                    session.unfollowed(event.conversation)
                case CloseRequested():
                    assert isinstance(event.code, CloseCode)
        session.handle_timer(self.now)

    def _check(self) -> None:
        frames = self.session.frames_to_send()
        self.said += len(frames)
        for frame in frames:
            for codec in CODECS.values():
                codec.encode(frame)
        session = self.session
        assert session.sends_pending == 0
        assert len(session.followers) <= LIMITS.cursors_max
        assert session.next_timer() > -1.0


class ClientEnd:
    """A client session with something to say and something to hold."""

    def __init__(self, *, is_live: bool) -> None:
        self.session = ClientSession(limits=LIMITS)
        self.now = 0.0
        for conversation in (1, 2):
            self.session.follow(ConversationId(conversation), Seq(0))
            for n in (1, 2, 3):
                draft = Draft(
                    conversation=ConversationId(conversation),
                    sender=ParticipantId("v1"),
                    key=f"k{n}",
                    body="hi",
                )
                self.session.send(draft, 0.0)
        self.session.watch("conversations")
        self._connect(is_live=is_live)

    def _connect(self, *, is_live: bool) -> None:
        self.session.connected("t", self.now)
        if is_live:
            self.session.receive([WELCOME], self.now)

    def feed(self, codec: Codec, data: bytes) -> None:
        """Take one batch; come back if it made us leave."""
        session = self.session
        self.now += 0.5
        held = {c: reader.cursor for c, reader in session.readers.items()}
        session.receive(server_frame_decoder(codec, LIMITS).decode(data), self.now)
        self._check(held)
        session.handle_timer(self.now)
        for frame in session.frames_to_send():
            codec.encode(frame)
        if session.state == "idle":
            session.disconnected()
            self._connect(is_live=True)

    def _check(self, held: dict[ConversationId, Seq]) -> None:
        session = self.session
        shown = dict(held)
        for event in session.events():
            match event:
                case f.MessageFrame():
                    # Never a hole, never twice, whatever a server says.
                    assert event.seq == shown[event.conversation] + 1
                    shown[event.conversation] = event.seq
                case _ if type(event).__name__ == "HistoryReplaced":
                    shown = {c: Seq(0) for c in shown}
        assert {c: r.cursor for c, r in session.readers.items()} == shown
        assert len(session.readers) == 2
        assert len(session.outbox) <= 6
        assert session.outbox.in_flight >= 0
        assert session.next_timer(self.now) < self.now + 1e12


def server_session(data: bytes) -> None:
    """Batches into a server session, before and after its welcome."""
    for codec in CODECS.values():
        for is_live in (False, True):
            end = ServerEnd(is_live=is_live)
            for batch in _batches(data):
                end.feed(codec, batch)


def client_session(data: bytes) -> None:
    """Batches into a client session, before and after its welcome."""
    for codec in CODECS.values():
        for is_live in (False, True):
            end = ClientEnd(is_live=is_live)
            for batch in _batches(data):
                end.feed(codec, batch)


def _batches(data: bytes) -> list[bytes]:
    """One input is several batches: a separator that no frame needs parts them."""
    return data.split(b"\n\n")[:50]


TARGETS: dict[str, Callable[[bytes], Any]] = {
    "decode": decode,
    "encode_again": encode_again,
    "split": split,
    "preface": preface,
    "poll_body": poll_body,
    "server_session": server_session,
    "client_session": client_session,
}
