"""What a real server delivered late, told by a real `kefu audit`."""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import anyio

from kefu_core.client import Client
from kefu_core.protocol.frames import MessageFrame
from kefu_core.types import ConversationId
from tests.faults.people import Server
from tests.server.process import LOGIN, kefu

AWAY_S = 120

_AHEAD = """
import time
def time_ns(real=time.time_ns):
    with open({path!r}) as file:
        return real() + int(file.read()) * 1_000_000_000
time.time_ns = time_ns
"""


class Clock:
    """What the server takes for the time: so many seconds ahead of the true one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "clock"
        self._folder.mkdir()
        self.jump(0)
        code = _AHEAD.format(path=str(self._folder / "ahead"))
        (self._folder / "sitecustomize.py").write_text(code)

    def jump(self, ahead_s: int) -> None:
        beside = self._folder / "new"
        beside.write_text(str(ahead_s))
        beside.replace(self._folder / "ahead")

    @property
    def environ(self) -> dict[str, str]:
        paths = (str(self._folder), os.environ.get("PYTHONPATH", ""))
        return {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


async def _reads(client: Client, count: int) -> None:
    """Take so many messages, and have the server know it."""
    with anyio.fail_after(20):
        async for event in client.events():
            if isinstance(event, MessageFrame) and event.seq == count:
                return


async def _leaves_and_comes_back(server: Server, clock: Clock) -> ConversationId:
    token = server.visitor()
    url = server.url
    async with Client(url, token=server.agent_token, transport="websocket") as agent:
        async with Client(url, token=token, transport="websocket") as visitor:
            await visitor.wait_live()
            row = await visitor.open_conversation()
            await visitor.follow(row)
            await visitor.send(row, "hello?")
            await agent.wait_live()
            await agent.call("conversation.take", {"conversation": row})
            await agent.follow(row)
            await agent.send(row, "in time")
            await _reads(visitor, 3)
            await _until_stored(server, row, 3)
        clock.jump(5)
        await agent.send(row, "are you there?")
        await agent.send(row, "we sent it today")
        clock.jump(AWAY_S)
        async with Client(url, token=token, transport="websocket") as visitor:
            await visitor.follow(row)
            await _reads(visitor, 5)
            await _until_stored(server, row, 5)
    return row


async def _until_stored(server: Server, row: ConversationId, seq: int) -> None:
    """Wait until the visitor's receipt is in the database."""
    path = server.folder / "data" / "kefu.db"
    with anyio.fail_after(20):
        while _delivered(path, row) < seq:
            await anyio.sleep(0.05)


def _delivered(path: Path, row: ConversationId) -> int:
    with closing(sqlite3.connect(path)) as database:
        query = (
            "SELECT max(delivered) FROM participant WHERE conversation_id = ? "
            "AND participant LIKE 'v%'"
        )
        return database.execute(query, (row,)).fetchone()[0] or 0


def test_an_audit_names_who_was_away_while_an_agent_wrote(tmp_path: Path) -> None:
    clock = Clock(tmp_path)
    with Server(tmp_path, environ=clock.environ) as server:
        row = anyio.run(_leaves_and_comes_back, server, clock)
        told = json.loads(kefu(tmp_path, "audit", "--late", "60", "--json").stdout)
        assert told["is_sound"]
        assert told["late"] == []
        (late,) = told["late_deliveries"]
        assert late["whose"].startswith("v")
        assert (late["messages"], late["here"], late["some"]) == (2, 0, [row])
        assert AWAY_S - 10 < late["longest_ms"] / 1_000 < AWAY_S + 20
        done = kefu(tmp_path, "audit", "--late", "60", "--no-files")
        assert done.returncode == 3
        assert done.stdout.startswith(
            f"delivered late: 2 messages for visitor {late['whose']} (1 conversations, "
        )
        assert f"none of them while connected): {row}\n" in done.stdout
        done = kefu(tmp_path, "audit", "--late", str(AWAY_S * 2), "--no-files")
        assert (done.returncode, LOGIN in done.stdout) == (0, False)
