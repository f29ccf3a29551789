"""The load of the yardsticks: the same frames, echoed.

Run as `python -m benchmarks.echo_load TRANSPORT PORT CONNECTIONS SECONDS FRAME_BYTES`.
Prints one JSON line when it starts to measure and one when it ends. HTTP requests are
written as bytes that were made before: a client library would be the limit.
"""

import sys
import time
from typing import Protocol

import anyio
import msgspec
import uvloop

from kefu_core.model import MessageKind
from kefu_core.protocol.codec import MSGPACK
from kefu_core.protocol.frames import MessageFrame
from kefu_core.protocol.framing import with_length
from kefu_core.transports.websocket.client import connect_websocket
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs

WARM_UP_S = 1.0


def frame_of(frame_bytes: int) -> bytes:
    """Return an encoded frame of so many bytes, or the least possible."""

    def encoded(body: str) -> bytes:
        frame = MessageFrame(
            conversation=ConversationId(1 << 52),
            seq=Seq(1_000),
            sender=ParticipantId(f"v{1 << 52}"),
            kind=MessageKind.TEXT,
            at=UnixMs(1_700_000_000_000),
            body=body,
        )
        return MSGPACK.encode(frame)

    return encoded("x" * max(0, frame_bytes - len(encoded("")) - 1))


class Exchange(Protocol):
    """One connection of the load."""

    async def __call__(self) -> None:
        """Send a frame and wait until it is back."""


async def open_websocket(port: int, frame: bytes) -> Exchange:
    """Return echoes over a WebSocket."""
    stream = await connect_websocket(f"ws://127.0.0.1:{port}/")

    async def exchange() -> None:
        await stream.send([frame])
        await stream.receive()

    return exchange


async def open_bytes(port: int, request: bytes, answer_bytes: int) -> Exchange:
    """Return exchanges of fixed bytes over TCP; 0: read the answer's own length."""
    stream = await anyio.connect_tcp("127.0.0.1", port)

    async def exchange() -> None:
        await stream.send(request)
        data = await stream.receive(65_536)
        missing = answer_bytes or expected_bytes(data)
        while len(data) < missing:
            data += await stream.receive(65_536)

    return exchange


def expected_bytes(data: bytes) -> int:
    """Return the length of an HTTP answer whose head is in the first bytes read."""
    head, _, _ = data.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return len(head) + 4 + int(line[15:])
    return len(data)


def post_of(body: bytes) -> bytes:
    """Return a request as the long-poll client makes it."""
    head = (
        "POST /kefu/poll HTTP/1.1\r\nhost: 127.0.0.1:8080\r\naccept: */*\r\n"
        "accept-encoding: gzip, deflate\r\nconnection: keep-alive\r\n"
        "user-agent: python-httpx/0.28.1\r\ncontent-type: application/msgpack\r\n"
        "kefu-session: 0123456789abcdefghijklmnopqrstuv\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def open_one(transport: str, port: int, frame: bytes) -> Exchange:
    """Return one connection of a transport's kind."""
    if transport == "websocket":
        return await open_websocket(port, frame)
    if transport == "tcp":
        batch = with_length(MSGPACK.join([frame]))
        return await open_bytes(port, batch, len(batch))
    return await open_bytes(port, post_of(frame), 0)


async def run(
    transport: str, port: int, connections: int, seconds: float, frame_bytes: int
) -> None:
    """Keep one frame in flight on each connection."""
    frame, count = frame_of(frame_bytes), 0

    async def ping_pong(exchange: Exchange) -> None:
        nonlocal count
        while True:
            await exchange()
            count += 1

    def report(state: str) -> None:
        line = {"state": state, "count": count, "cpu_s": time.process_time()}
        sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
        sys.stdout.buffer.flush()

    exchanges = [await open_one(transport, port, frame) for _ in range(connections)]
    async with anyio.create_task_group() as tasks:
        for exchange in exchanges:
            tasks.start_soon(ping_pong, exchange)
        await anyio.sleep(WARM_UP_S)
        report("counts")
        await anyio.sleep(seconds)
        report("done")
        tasks.cancel_scope.cancel()


if __name__ == "__main__":
    transport, port, connections, seconds, frame_bytes = sys.argv[1:]
    anyio.run(
        run,
        transport,
        int(port),
        int(connections),
        float(seconds),
        int(frame_bytes),
        backend_options={"loop_factory": uvloop.new_event_loop},
    )
