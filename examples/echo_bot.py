"""An agent that is a program: takes whoever waits and repeats what they write.

Usage: KEFU_BOT_PASSWORD=… python examples/echo_bot.py http://127.0.0.1:8080 LOGIN

Answers and their keys follow from the log alone: a bot that is killed doubles nothing.
"""

import os
import sys
from collections import defaultdict
from contextlib import suppress
from typing import Any

import anyio
import httpx

from kefu_core.client import Client, ConnectionChanged, Rejected
from kefu_core.errors import ConnectionClosed
from kefu_core.model import MessageKind
from kefu_core.protocol.frames import Event, MessageFrame, Snapshot


async def log_in(url: str, body: dict[str, str]) -> str:
    """Log in as the console does; the cookie's value is the client's token."""
    async with httpx.AsyncClient(base_url=url, headers={"origin": url}) as http:
        answer = await http.post("/api/agent/login", json=body)
    if answer.is_error:
        raise SystemExit(f"No login: {answer.json()['error']['text']}")
    return next(v for k, v in answer.cookies.items() if k.endswith("kefu_session"))


async def look_at(client: Client, row: dict[str, Any]) -> None:
    """Take a conversation that waits; read those that are the bot's."""
    with suppress(Rejected):  # Another agent may be faster.
        if row["status"] == "queued":
            asked = {"conversation": row["id"]}
            row = (await client.call("conversation.take", asked))["conversation"]
    if row["status"] == "active" and row["assignee"] == client.me:
        await client.follow(row["id"])


def fold(frame: MessageFrame, waiting: list[MessageFrame]) -> None:
    """Bring what nobody has answered up to date with the next message of the log."""
    if frame.kind is MessageKind.TEXT and frame.sender.startswith("v"):
        waiting.append(frame)
    elif frame.kind in (MessageKind.TEXT, MessageKind.CLOSE):
        waiting.clear()


async def main(url: str, login: str) -> None:
    """Log in, and answer until the login ends. Raises `ConnectionClosed`."""
    assignees: dict[int, str | None] = {}
    logs: defaultdict[int, list[MessageFrame]] = defaultdict(list)
    secret = {"login": login, "password": os.environ["KEFU_BOT_PASSWORD"]}
    async with Client(url, token=await log_in(url, secret)) as client:
        await client.watch("conversations")
        async for event in client.events():
            if isinstance(event, Snapshot | Event):
                for row in event.rows if isinstance(event, Snapshot) else [event.put]:
                    await look_at(client, row or {"status": "gone"})
            elif isinstance(event, ConnectionChanged):
                await client.wait_live()
            elif isinstance(event, MessageFrame):
                number, waiting = event.conversation, logs[event.conversation]
                fold(event, waiting)
                if event.kind in (MessageKind.ASSIGNMENT, MessageKind.CLOSE):
                    assignees[number] = (event.data or {}).get("assignee")
                while assignees.get(number) == client.me and waiting:
                    key = f"echo-{number}-{waiting[0].seq}"
                    client.send_nowait(number, waiting.pop(0).body, key=key)


if __name__ == "__main__":
    if len(sys.argv) != 3 or "KEFU_BOT_PASSWORD" not in os.environ:
        sys.exit(__doc__)
    try:
        anyio.run(main, sys.argv[1].rstrip("/"), sys.argv[2])
    except* ConnectionClosed:
        sys.exit("The login has ended.")
