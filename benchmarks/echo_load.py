"""The load of the yardstick: the same client library, the same frames, echoed.

Run as `python -m benchmarks.echo_load PORT CONNECTIONS SECONDS FRAME_BYTES`. Prints
one JSON line when it starts to measure and one when it ends.
"""

import sys
import time

import anyio
import msgspec
import uvloop

from kefu_core.model import MessageKind
from kefu_core.protocol.codec import MSGPACK
from kefu_core.protocol.frames import MessageFrame
from kefu_core.transports.websocket.client import (
    WebSocketClientStream,
    connect_websocket,
)
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


async def run(port: int, connections: int, seconds: float, frame_bytes: int) -> None:
    """Keep one frame in flight on each connection."""
    frame, count = frame_of(frame_bytes), 0

    async def ping_pong(stream: WebSocketClientStream) -> None:
        nonlocal count
        while True:
            await stream.send([frame])
            await stream.receive()
            count += 1

    def report(state: str) -> None:
        line = {"state": state, "count": count, "cpu_s": time.process_time()}
        sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
        sys.stdout.buffer.flush()

    streams = [
        await connect_websocket(f"ws://127.0.0.1:{port}/") for _ in range(connections)
    ]
    async with anyio.create_task_group() as tasks:
        for stream in streams:
            tasks.start_soon(ping_pong, stream)
        await anyio.sleep(WARM_UP_S)
        report("counts")
        await anyio.sleep(seconds)
        report("done")
        tasks.cancel_scope.cancel()
    for stream in streams:
        await stream.aclose()


if __name__ == "__main__":
    port, connections, seconds, frame_bytes = sys.argv[1:]
    anyio.run(
        run,
        int(port),
        int(connections),
        float(seconds),
        int(frame_bytes),
        backend_options={"loop_factory": uvloop.new_event_loop},
    )
