"""The mail server is away, then kefu is killed: the mail arrives all the same."""

import asyncio
from pathlib import Path

import anyio
import pytest

from benchmarks.ports import free_port
from kefu_core.records import DeliveryStatus, Mail
from kefu_server.database import open_store
from kefu_server.settings import load_settings
from tests.core.senders.mailboxes import Mailbox, mail_server
from tests.server.process import ServerProcess, environment

TEXT = "明天九点。"


async def put(folder: Path) -> None:
    async with open_store(load_settings(environ=environment(folder))) as store:
        await store.put_records(Mail(id=1, recipient="li@example.cn", body=TEXT))


async def wait_for_an_attempt(folder: Path) -> Mail:
    """Return the mail once somebody has tried to send it."""
    async with open_store(load_settings(environ=environment(folder))) as store:
        with anyio.fail_after(30):
            while True:
                mail = await store.find_record(Mail, 1)
                assert mail is not None
                if mail.error:
                    return mail
                await anyio.sleep(0.05)


async def arrives(port: int, server: ServerProcess) -> Mailbox:
    box = Mailbox()
    async with mail_server(box, port):
        await asyncio.to_thread(server.start_again)
        with anyio.fail_after(30):
            while not box.taken:
                await anyio.sleep(0.05)
    return box


@pytest.mark.slow
def test_a_mail_outlives_its_server_and_ours(tmp_path: Path) -> None:
    port = free_port()
    more = {
        "KEFU_MAIL_HOST": "127.0.0.1",
        "KEFU_MAIL_PORT": str(port),
        "KEFU_MAIL_TLS": "none",
        "KEFU_MAIL_SENDER": "kefu@shop.example",
    }
    with ServerProcess(tmp_path, **more) as server:
        asyncio.run(put(tmp_path))
        mail = asyncio.run(wait_for_an_attempt(tmp_path))
        assert (mail.status, mail.attempts) == (DeliveryStatus.QUEUED, 1)
        server.kill()
        box = asyncio.run(arrives(port, server))
    (taken,) = box.taken
    assert TEXT in taken.get_content()
