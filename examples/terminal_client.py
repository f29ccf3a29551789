"""A visitor in a terminal: shows the conversation, sends each line that is typed.

Usage: python examples/terminal_client.py http://127.0.0.1:8080 SITE_KEY
"""

import os
import sys
from collections.abc import AsyncIterator

import anyio
import httpx

from kefu_core.client import Client, ConnectionChanged, Rejected
from kefu_core.model import MessageKind
from kefu_core.protocol.frames import MessageFrame


async def fetch_token(url: str, site: str) -> str:
    """Ask for a token as the widget does; each run is a new visitor."""
    async with httpx.AsyncClient(base_url=url, headers={"origin": url}) as http:
        answer = await http.post("/api/visitor/token", json={"site": site})
    if answer.is_error:
        raise SystemExit(f"No token: {answer.json()['error']['text']}")
    return str(answer.json()["token"])


async def typed_lines() -> AsyncIterator[str]:
    """Yield what is typed, line by line, until the end of the input."""
    rest = b""
    while True:
        # Waiting here, not in a thread, can be cancelled: Ctrl-C works at once.
        await anyio.wait_readable(sys.stdin.fileno())
        chunk = os.read(sys.stdin.fileno(), 65_536)
        *lines, rest = (rest + chunk).split(b"\n")
        for line in [*lines, rest] if not chunk else lines:
            if text := line.decode(errors="replace").strip():
                yield text
        if not chunk:
            return


async def show(client: Client) -> None:
    """Print each message once, in order, whatever the network does."""
    async for event in client.events():
        if isinstance(event, MessageFrame) and event.kind is MessageKind.TEXT:
            name = "me" if event.sender == client.me else event.sender
            # A terminal obeys control characters; a stranger's text must not reach it.
            safe = "".join(c if c.isprintable() else " " for c in event.body)
            print(f"{name}: {safe}", flush=True)
        elif isinstance(event, ConnectionChanged):
            print("(connected)" if event.is_live else f"({event.reason})", flush=True)
            await client.wait_live()


async def main(url: str, site: str) -> None:
    """Talk until the input ends; everything typed is stored by then."""
    token = await fetch_token(url, site)
    async with Client(url, token=token) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(show, client)
        conversation = await client.open_conversation()
        await client.follow(conversation)
        async for text in typed_lines():
            try:
                await client.send(conversation, text)
            except Rejected as error:
                print(f"(not sent: {error})", flush=True)
        tasks.cancel_scope.cancel()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        anyio.run(main, sys.argv[1].rstrip("/"), sys.argv[2])
    except httpx.HTTPError as error:
        sys.exit(f"The server does not answer: {error}")
