"""An agent that is a program beside the server: answers questions over TCP.

    KEFU_BOT_TOKEN=… python examples/tcp_bot.py tcp://127.0.0.1:7440

The server listens where `[tcp]` in its settings says; the token is the value of an
agent's session cookie. The key of an answer follows from the question, so a bot that is
killed and started again answers each question once.
"""

import os
import sys
from typing import Any

import anyio

from kefu_core.client import Client, Rejected
from kefu_core.errors import ConnectionClosed
from kefu_core.protocol.frames import Event, MessageFrame, Snapshot

ANSWERS = {"发货": "今天下单，明天发货。", "ship": "Orders of today leave tomorrow."}
OTHERWISE = "Somebody will be with you soon. 马上有人来接待您。"


async def look_at(client: Client, row: dict[str, Any] | None) -> None:
    """Take a conversation that waits; read those that are the bot's already."""
    if row and row["status"] == "queued":
        try:
            await client.call("conversation.take", {"conversation": row["id"]})
        except Rejected:
            return  # Another agent was faster.
        await client.follow(row["id"])
    elif row and row["status"] == "active" and row["assignee"] == client.me:
        await client.follow(row["id"])


async def main(url: str, token: str) -> None:
    """Answer until the login ends. Raises `ConnectionClosed`."""
    async with Client(url, token=token, transport="tcp") as client:
        await client.watch("conversations")
        async for event in client.events():
            if isinstance(event, Snapshot):
                for row in event.rows:
                    await look_at(client, row)
            elif isinstance(event, Event):
                await look_at(client, event.put)
            elif isinstance(event, MessageFrame) and event.sender.startswith("v"):
                # An answer that stands in the log already is stored no second time.
                body = event.body.lower()
                known = [text for word, text in ANSWERS.items() if word in body]
                key = f"bot-{event.conversation}-{event.seq}"
                client.send_nowait(
                    event.conversation, (known or [OTHERWISE])[0], key=key
                )


if __name__ == "__main__":
    if len(sys.argv) != 2 or "KEFU_BOT_TOKEN" not in os.environ:
        sys.exit(__doc__)
    try:
        anyio.run(main, sys.argv[1], os.environ["KEFU_BOT_TOKEN"])
    except* ConnectionClosed:
        sys.exit("The login has ended.")
