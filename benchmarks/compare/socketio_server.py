"""A chat on python-socketio, as one writes it who reads its documentation.

A room for each conversation. `say` stores the message in a transaction of its own,
emits it to the room and acknowledges; without a database it only emits. `join` enters a
room and, where the client says what it has, answers with what is stored after that, as
Socket.IO's tutorial does. Runs on hypercorn and uvloop with kefu's own server settings.
Run as `python -m benchmarks.compare.socketio_server PORT [DATABASE_URL]`.

What could be chosen was chosen for speed: a plain insert and no ORM, msgspec for JSON,
as many connections to MariaDB as there is use for, one to SQLite, which has one writer.
"""

import asyncio
import itertools
import sys
import time
from typing import Any

import msgspec
import socketio
import uvloop
from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    insert,
    select,
)
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from benchmarks.echo import serve_asgi

POOL_SIZE = 20
WAIT_S = 30

messages = Table(
    "messages",
    MetaData(),
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("room", String(64), nullable=False, index=True),
    Column("sender", String(64), nullable=False),
    Column("text", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    mysql_charset="utf8mb4",
)


class Json:
    """msgspec in the place of the standard library's `json`."""

    @staticmethod
    def dumps(value: Any, **options: Any) -> str:
        """Return JSON without spaces."""
        return msgspec.json.encode(value).decode()

    loads = staticmethod(msgspec.json.decode)


def open_engine(url: str) -> AsyncEngine:
    """Return the engine, with kefu's own settings of durability."""
    if not url.startswith("sqlite"):
        return create_async_engine(
            url, pool_size=POOL_SIZE, max_overflow=0, pool_timeout=WAIT_S
        )
    engine = create_async_engine(url, pool_size=1, max_overflow=0, pool_timeout=WAIT_S)

    @sqlalchemy_event.listens_for(engine.sync_engine, "connect")
    def _connected(connection: Any, record: object) -> None:
        cursor = connection.cursor()
        for setting in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000"):
            cursor.execute(f"PRAGMA {setting}")
        cursor.close()

    return engine


def make_app(engine: AsyncEngine | None) -> Any:
    """Return the ASGI application."""
    sio = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins="*", json=Json)
    users: dict[str, str] = {}
    numbers = itertools.count(1)

    async def connect(sid: str, environ: Any, auth: dict[str, str]) -> None:
        users[sid] = auth["user"]

    async def disconnect(sid: str, reason: Any = None) -> None:
        users.pop(sid, None)

    async def join(sid: str, data: dict[str, Any]) -> list[dict[str, Any]]:
        await sio.enter_room(sid, data["room"])
        if engine is None or "after" not in data:
            return []
        missed = (
            select(messages)
            .where(messages.c.room == data["room"], messages.c.id > data["after"])
            .order_by(messages.c.id)
        )
        async with engine.connect() as connection:
            rows = await connection.execute(missed)
            return [dict(row._mapping) for row in rows]

    async def say(sid: str, data: dict[str, str]) -> dict[str, int]:
        message: dict[str, Any] = {
            "room": data["room"],
            "sender": users[sid],
            "text": data["text"],
            "at": int(time.time() * 1_000),
        }
        if engine is None:
            number = next(numbers)
        else:
            async with engine.begin() as connection:
                done = await connection.execute(insert(messages).values(**message))
            key = done.inserted_primary_key
            assert key is not None, "one row was inserted"
            number = key[0]
        await sio.emit(
            "said", message | {"id": number}, room=data["room"], skip_sid=sid
        )
        return {"id": number}

    for handler in (connect, disconnect, join, say):
        sio.on(handler.__name__, handler)
    return socketio.ASGIApp(sio)


async def run(port: int, url: str) -> None:
    """Serve until SIGTERM."""
    engine = open_engine(url) if url else None
    if engine is not None:
        async with engine.begin() as connection:
            await connection.run_sync(messages.metadata.create_all)
    await serve_asgi(make_app(engine), port)
    if engine is not None:
        await engine.dispose()


def main(port: str, url: str = "") -> None:
    """Run one server."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(int(port), url))


if __name__ == "__main__":
    main(*sys.argv[1:])
