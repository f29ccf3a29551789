"""What coming back asks of the database: all come back at once after a restart."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from sqlalchemy import Engine, event

from kefu_core import serving
from kefu_core.ids import visitor_participant
from kefu_core.model import Agent, Draft, Person, Role
from kefu_core.types import ConversationId
from kefu_server.app import KefuApp
from kefu_server.settings import Settings
from tests.server.conftest import ORIGIN, SITE
from tests.server.rooms import Room, opened

pytestmark = pytest.mark.anyio


ASKED = {"visitor_identity", "visitor_alias", "anon_1", "participant"}
"""Who it is, which conversations there are (a subquery), and how far everybody is."""


@contextmanager
def counted() -> Iterator[list[str]]:
    """Yield the statements for connections, whoever else asks the database."""
    found: list[str] = []

    def note(*call: Any) -> None:
        if serving.connection.get():
            found.append(" ".join(call[2].split()))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@asynccontextmanager
async def connected(app: KefuApp, hello: dict[str, Any]) -> AsyncIterator[Any]:
    """Say hello over a WebSocket; yield what returns the next frames."""
    to_app, to_us = asyncio.Queue[Any](), asyncio.Queue[Any]()
    scope = {
        "type": "websocket",
        "asgi": {"version": "3.0"},
        "path": "/kefu/ws",
        "raw_path": b"/kefu/ws",
        "query_string": b"",
        "headers": [(b"origin", ORIGIN.encode())],
        "subprotocols": ["kefu.v1.json"],
        "client": ("127.0.0.1", 5_000),
        "server": ("127.0.0.1", 8_080),
        "scheme": "ws",
        "state": {},
    }
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(app, scope, to_app.get, to_us.put)
        await to_app.put({"type": "websocket.connect"})
        assert (await to_us.get())["type"] == "websocket.accept"
        text = json.dumps({"t": "hello", "v": 1} | hello)
        await to_app.put({"type": "websocket.receive", "text": text})

        async def until(kind: str) -> list[dict[str, Any]]:
            frames: list[dict[str, Any]] = []
            with anyio.fail_after(10):
                while all(frame["t"] != kind for frame in frames):
                    got = await to_us.get()
                    frames += map(json.loads, got["text"].splitlines())
            return frames

        yield until
        await to_app.put({"type": "websocket.disconnect", "code": 1001})


async def told(
    app: KefuApp, hello: dict[str, Any], *, last: str
) -> list[dict[str, Any]]:
    """Come back, take all that is told up to a kind of frame, and leave."""
    async with connected(app, hello) as until:
        return await until(last)


class Talks:
    """Conversations with three messages each, their visitors, and one agent."""

    def __init__(self, room: Room, tokens: dict[str, ConversationId]) -> None:
        self.app = room.app
        self.of = tokens

    def hellos(self, after: int) -> list[dict[str, Any]]:
        """Return what visitors say who have seen their logs up to a seq."""
        return [
            {"token": token, "cursors": {str(conversation): after}}
            for token, conversation in self.of.items()
        ]


async def talks_in(room: Room, count: int) -> Talks:
    tokens: dict[str, ConversationId] = {}
    for number in range(100, 100 + count):
        person = Person(id=visitor_participant(number), name="", role=Role.VISITOR)
        row = await room.store.open_conversation(SITE.id, person)
        token, _ = room.app.state.services.auth.visitors.issue(number, SITE.id)
        tokens[token] = row.id
        for key in "123":
            await room.store.append(
                Draft(conversation=row.id, sender=person.id, key=key, body=key)
            )
    return Talks(room, tokens)


async def agents_in(room: Room, count: int) -> list[str]:
    """Return logins of so many agents."""
    secrets = []
    for number in range(200, 200 + count):
        agent = Agent(id=number, login=f"b{number}", name="B", password_hash="-")
        client = await room.agent(agent)
        secrets += client.cookies.values()
    return secrets


@pytest.fixture
async def room(tmp_path: Path, settings: Settings) -> AsyncIterator[Room]:
    async with opened("sqlite", tmp_path, settings) as room:
        yield room


async def come_back(app: KefuApp, hellos: list[dict[str, Any]]) -> None:
    async with anyio.create_task_group() as tasks:
        for hello in hellos:
            tasks.start_soon(partial(told, app, hello, last="receipt"))


@pytest.mark.parametrize("seen", [3, 1], ids=["no news", "news"])
async def test_a_crowd_that_comes_back_asks_for_at_most_two_statements_each(
    room: Room, seen: int
) -> None:
    talks = await talks_in(room, 60)
    with counted() as statements:
        await come_back(room.app, talks.hellos(seen))
    assert 0 < len(statements) <= 2 * 60
    agents = await agents_in(room, 40)
    cursors = {str(conversation): seen for conversation in [*talks.of.values()][:20]}
    with counted() as statements:
        await come_back(room.app, [{"token": t, "cursors": cursors} for t in agents])
    assert 0 < len(statements) <= 2 * 40


async def test_who_comes_back_alone_asks_for_each_thing_once(room: Room) -> None:
    talks = await talks_in(room, 2)
    first, second = talks.hellos(3)
    await told(room.app, first, last="receipt")  # What a process reads once only.
    with counted() as statements:
        await told(room.app, second, last="receipt")
    tables = [table for text in statements for table in ASKED if f" {table}." in text]
    assert set(tables) == ASKED
    # What others have received may be read once more, with all that is written then.
    assert len(tables) <= len(ASKED) + 1
