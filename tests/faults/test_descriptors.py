"""A server out of file descriptors goes on with whom it has, and comes back."""

import os
import resource
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import anyio
import anyio.to_thread
import httpx
import pytest

from kefu_core.client import Client
from tests.faults.people import Server

LIMIT = 256
WATCHED_S = 3.0
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


@pytest.mark.timeout(90)
def test_out_of_descriptors_old_connections_are_served_and_new_ones_come_later(
    tmp_path: Path,
) -> None:
    async def run() -> None:
        pid = server.process.pid
        token = server.visitor()
        async with Client(server.url, token=token, transport="websocket") as client:
            conversation = await client.open_conversation()
            first = await client.send(conversation, "before")
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
            with ExitStack() as held:
                for _ in range(2 * LIMIT):
                    held.enter_context(
                        socket.create_connection(("127.0.0.1", server.port), timeout=5)
                    )
                used, began = cpu_s(pid), time.monotonic()
                with anyio.fail_after(20):
                    for number in range(10):
                        sent = await client.send(conversation, f"meanwhile {number}")
                await anyio.sleep(max(0.0, WATCHED_S - (time.monotonic() - began)))
                await anyio.to_thread.run_sync(server.until_logged, "descriptors_low")
                share = (cpu_s(pid) - used) / (time.monotonic() - began)
            assert sent.seq == first.seq + 10
            assert share < 0.5
            with anyio.fail_after(20):
                async with httpx.AsyncClient() as http:
                    while True:
                        try:
                            answer = await http.get(f"{server.url}/healthz")
                            break
                        except httpx.TransportError:
                            await anyio.sleep(0.2)
            assert answer.status_code == 200

    with Server(tmp_path) as server:
        anyio.run(run)
    assert server.log.count("descriptors_low") <= 2
    assert "Traceback" not in server.log
