"""One agent who keeps very many conversations open, in a process of its own.

Run as `python -m benchmarks.busy PLAN.json`. It prints `ready` once it is welcomed,
opens all of them at a line on standard input, one after the other, takes what is said
as a console takes what it does not show, and ends at the next line with a line of JSON:
what came.
"""

import sys
from collections import Counter
from pathlib import Path

import anyio
import msgspec

from benchmarks.flooder import Flood, FloodPlan
from kefu_core.client import Client
from kefu_core.protocol import frames as f
from kefu_core.types import ConversationId

PAUSE_S = 0.02


async def run(plan: FloodPlan) -> None:
    """Wait for the word, open everything, report."""
    came: Counter[str] = Counter()
    client = Client(plan.url, token=plan.token, transport=plan.transport)

    async def listen() -> None:
        async for event in client.events():
            if isinstance(event, f.ErrorFrame):
                came[event.code] += 1
            else:
                came[type(event).__name__.lower()] += 1

    async with client, anyio.create_task_group() as tasks:
        tasks.start_soon(listen)
        await client.wait_live()
        print("ready", flush=True)
        await anyio.to_thread.run_sync(sys.stdin.readline)
        for conversation in plan.conversations:
            await client.follow(ConversationId(conversation))
            await anyio.sleep(PAUSE_S)
        await anyio.to_thread.run_sync(sys.stdin.readline)
        tasks.cancel_scope.cancel()
    sys.stdout.buffer.write(msgspec.json.encode(Flood(answers=dict(came))) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    _plan = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=FloodPlan)
    anyio.run(run, _plan)
