"""WebSocket messages past hypercorn: whatever pieces the network makes of them."""

import asyncio
import random
from typing import Any, cast

import pytest
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.protocol.events import Data, Event, StreamClosed
from hypercorn.protocol.ws_stream import Handshake

from kefu_core.transports.websocket.direct import DIRECT
from kefu_server.hardening import harden_hypercorn
from kefu_server.servers.direct import DirectWebSocket, connected

pytestmark = pytest.mark.anyio
MAX = 70_000
TEXT, BINARY, PING, MORE, FINAL = 1, 2, 9, 0, 0x80


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Wire:
    """A transport, the tasks of a connection, and who receives."""

    def __init__(self) -> None:
        self.written = b""
        self.received_all: list[bytes | str] = []
        self.said: list[Event] = []
        self.pause_after = 0
        self.is_reading = True
        self.has_ended = False
        self.protocol: Any = None
        self.socket: Any = None
        self.leaving: list[Any] = []

    # The transport.
    def get_protocol(self) -> Any:
        return asyncio.Protocol()

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes) -> None:
        self.written += data

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True

    # Hypercorn's side.
    def spawn(self, work: Any, *arguments: Any) -> None:
        self.leaving.append(work(*arguments))

    async def send(self, event: Event) -> None:
        self.said.append(event)

    # Who receives.
    def opened(self, socket: Any) -> None:
        self.socket = socket

    def received(self, data: bytes | str) -> None:
        self.received_all.append(data)
        if len(self.received_all) == self.pause_after:
            self.socket.pause()

    def has_room_again(self) -> None:
        self.received_all.append("room")

    def ended(self) -> None:
        self.has_ended = True


async def accepted() -> Wire:
    harden_hypercorn()
    wire = Wire()
    connected(cast(Any, wire))
    config = Config()
    config.websocket_max_message_size = MAX
    arguments = (None, config, WorkerContext(None), wire, False, None, None, wire.send)
    socket = DirectWebSocket(*arguments, 1)
    socket.handshake = Handshake([(b"sec-websocket-key", b"k")], "1.1")
    socket.scope, socket.start_time = cast(Any, {}), 0.0
    await socket.app_send(cast(Any, {"type": "websocket.accept", DIRECT: wire}))
    assert wire.socket is socket
    return wire


def frame(first: int, payload: bytes, mask: bytes = b"\x01\x80\xff\x07") -> bytes:
    size = len(payload)
    head = bytes(
        (first, 0x80 | (size if size < 126 else 126 if size < 65_536 else 127))
    )
    if size > 125:
        head += size.to_bytes(2 if size < 65_536 else 8, "big")
    masked = bytes(byte ^ mask[n % 4] for n, byte in enumerate(payload))
    return head + mask + masked


TALK = [
    (frame(FINAL | TEXT, "你好".encode()), "你好"),
    (frame(FINAL | BINARY, b""), b""),
    (frame(FINAL | BINARY, b"b" * 125), b"b" * 125),
    (frame(FINAL | PING, b"are you there"), None),
    (
        frame(TEXT, "一".encode()[:2])
        + frame(FINAL | PING, b"between pieces")
        + frame(MORE, "一".encode()[2:])
        + frame(FINAL | MORE, "二".encode()),
        "一二",
    ),
    (frame(FINAL | BINARY, b"c" * 126), b"c" * 126),
    (frame(FINAL | BINARY, b"d" * 66_000), b"d" * 66_000),
    (frame(FINAL | BINARY, b"e" * (MAX + 9)), b"e" * (MAX + 1)),
    (frame(FINAL | TEXT, b"the last"), "the last"),
]


@pytest.mark.parametrize("seed", range(30))
async def test_messages_come_whole_and_in_order_however_they_are_cut(seed: int) -> None:
    rng = random.Random(seed)
    wire = await accepted()
    data = b"".join(said for said, _ in TALK)
    wire.pause_after = rng.choice((0, 1, 4, 7))
    while data:
        size = rng.choice((1, 2, 5, 9, 200, 60_000, 200_000))
        wire.protocol.data_received(data[:size])
        data = data[size:]
        if not wire.is_reading and rng.random() < 0.5:
            wire.socket.resume()
    if not wire.is_reading:
        wire.socket.resume()
    assert wire.received_all == [what for _, what in TALK if what is not None]
    assert wire.written.count(b"\x8a") == 2
    assert wire.is_reading


async def test_nothing_is_handed_over_in_a_pause() -> None:
    wire = await accepted()
    wire.pause_after = 2
    wire.protocol.data_received(frame(FINAL | TEXT, b"x") * 5)
    assert wire.received_all == ["x", "x"]
    assert not wire.is_reading
    wire.socket.resume()
    assert wire.received_all == ["x"] * 5
    assert wire.is_reading


@pytest.mark.parametrize(
    "bad",
    [
        bytes((FINAL | TEXT, 1)) + b"a",
        frame(FINAL | TEXT, b"\xff"),
        frame(FINAL | TEXT | 0x40, b"a"),
        frame(FINAL | MORE, b"a"),
        frame(TEXT, b"a") + frame(FINAL | TEXT, b"b"),
        frame(0x88, b"\x03\xe8"),
    ],
    ids=["unmasked", "no UTF-8", "reserved", "no beginning", "two begun", "close"],
)
async def test_what_is_not_allowed_ends_it_and_nothing_after_it_counts(
    bad: bytes,
) -> None:
    wire = await accepted()
    good = frame(FINAL | TEXT, b"good")
    wire.protocol.data_received(good + bad + good)
    wire.protocol.data_received(good)
    assert wire.received_all == ["good"]
    (leaving,) = wire.leaving
    await leaving
    assert isinstance(wire.said[-1], StreamClosed)
    if bad[0] == 0x88:
        assert any(isinstance(e, Data) and e.data[0] == 0x88 for e in wire.said)


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
async def test_what_is_written_has_its_length(size: int) -> None:
    wire = await accepted()
    wire.socket.write(b"x" * size, is_text=False)
    wire.socket.write(b"y", is_text=True)
    assert wire.written.endswith(b"\x81\x01y")
    head = wire.written[:-3].removesuffix(b"x" * size)
    shown = int.from_bytes(head[2:], "big") if len(head) > 2 else head[1]
    assert (head[0], shown) == (0x82, size)


async def test_who_does_not_read_is_sent_no_pongs_and_room_is_told() -> None:
    wire = await accepted()
    wire.protocol._rest = cast(Any, wire.get_protocol())
    wire.protocol.pause_writing()
    assert not wire.socket.has_room
    wire.protocol.data_received(frame(FINAL | PING, b"p") * 3)
    assert wire.written == b""
    wire.protocol.resume_writing()
    assert wire.socket.has_room
    assert wire.received_all == ["room"]


async def test_the_end_is_told() -> None:
    wire = await accepted()
    await wire.socket.handle(Data(stream_id=1, data=frame(FINAL | TEXT, b"early")))
    assert wire.received_all == ["early"]
    wire.socket.app_put = lambda message: asyncio.sleep(0)
    await wire.socket.handle(StreamClosed(stream_id=1))
    assert wire.has_ended
