"""kill -9 under load: every message that is in the log is told to the webhook."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest

from kefu_core.client import Client
from kefu_core.hooks import signature
from kefu_core.ids import IdGenerator
from kefu_core.node import unix_ms
from kefu_core.records import Webhook
from kefu_core.types import ConversationId, UnixMs
from kefu_server.accounts import make_site
from kefu_server.database import open_store
from kefu_server.settings import load_settings
from kefu_server.tokens import VisitorTokens
from tests.server.process import ServerProcess, environment

SECRET = "whsec_of_this_test"
CLIENTS, BEFORE, AFTER = 4, 25, 3


class Told:
    """What the webhook heard, and whether all of it was signed."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.bodies: list[str] = []
        self.forged = 0

    def hear(self, body: bytes, signed: str) -> None:
        at_s = int(signed.partition(",")[0].removeprefix("t="))
        told = msgspec.json.decode(body)
        with self.changed:
            self.forged += signed != signature(SECRET, body, at_s)
            self.bodies.append(told["message"]["body"])
            self.changed.notify_all()

    def wait_for(self, texts: set[str]) -> None:
        with self.changed:
            self.changed.wait_for(lambda: texts <= set(self.bodies), timeout=60)
            assert texts <= set(self.bodies), texts - set(self.bodies)


@contextmanager
def webhook(told: Told) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            told.hear(body, self.headers["kefu-signature"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


async def prepare(folder: Path, url: str) -> int:
    """Make a site and its webhook; return the site."""
    async with open_store(load_settings(environ=environment(folder))) as store:
        site = make_site("shop", (), "en")
        await store.put_site(site)
        hook = Webhook(
            id=1,
            url=url,
            secret=SECRET,
            events=("message.created",),
            site_id=site.id,
            told_from=UnixMs(unix_ms()),
        )
        await store.put_records(hook)
    return site.id


async def talk(
    server: ServerProcess, tokens: list[str], kill_after: int, round_: int
) -> set[str]:
    """Let all write at once, kill the server in the middle; return what was stored."""
    stored: set[str] = set()

    async def write(number: int, token: str) -> None:
        async with Client(server.url, token=token, transport="websocket") as client:
            conversation = await client.open_conversation()
            for count in range(BEFORE if round_ == 0 else AFTER):
                text = f"round {round_}, visitor {number}, text {count}"
                await client.send(conversation, text)
                stored.add(text)
                if len(stored) == kill_after:
                    server.kill()

    with suppress(TimeoutError):
        async with asyncio.timeout(15 if round_ else 4), asyncio.TaskGroup() as tasks:
            for number, token in enumerate(tokens):
                tasks.create_task(write(number, token))
    return stored


async def log_of(folder: Path) -> set[str]:
    """Return every text that is in the log, acknowledged or not."""
    texts: set[str] = set()
    async with open_store(load_settings(environ=environment(folder))) as store:
        for row in await store.list_open_conversations(limit=100):
            page = await store.history(ConversationId(row.id), limit=500)
            texts |= {message.body for message in page}
    return texts


@pytest.mark.slow
def test_every_message_in_the_log_is_told_although_the_server_was_killed(
    tmp_path: Path,
) -> None:
    told = Told()
    with (
        webhook(told) as url,
        ServerProcess(tmp_path, KEFU_WEBHOOKS_ALLOW="127.0.0.0/8") as server,
    ):
        site = asyncio.run(prepare(tmp_path, url))
        secret = (tmp_path / "data" / "secret").read_text().strip().encode()
        signer = VisitorTokens(secret, 3600, unix_ms)
        ids = IdGenerator(unix_ms)
        tokens = [signer.issue(ids.new(), site)[0] for _ in range(CLIENTS)]
        acknowledged = asyncio.run(talk(server, tokens, 40, 0))
        assert 40 <= len(acknowledged) < CLIENTS * BEFORE
        in_log = asyncio.run(log_of(tmp_path))
        assert acknowledged <= in_log
        server.start_again()
        acknowledged |= asyncio.run(talk(server, tokens[:1], -1, 1))
        told.wait_for(in_log | acknowledged)
    assert told.forged == 0
