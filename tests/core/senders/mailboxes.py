"""SMTP servers that take mail, refuse it, hang up on it, or never answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP as POLICY
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session


class Mailbox:
    """What an aiosmtpd server asks; keeps the mails that it took."""

    def __init__(self, way: str = "take") -> None:
        self.way = way
        self.taken: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.asked = 0

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, to: str, options: Any
    ) -> str:
        self.asked += 1
        if self.way == "refuse":
            return "550 5.1.1 there is no such mailbox"
        if self.way == "later":
            return "451 4.7.1 greylisted, come again"
        if self.way == "stall":
            await asyncio.sleep(60)
        envelope.rcpt_tos.append(to)
        return "250 OK"

    async def handle_DATA(
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.way == "drop":
            assert server.transport is not None
            server.transport.abort()
            return "250 never heard"
        assert isinstance(envelope.content, bytes)
        message: Any = BytesParser(policy=POLICY).parsebytes(envelope.content)
        self.taken.append(message)
        self.recipients.append(envelope.rcpt_tos)
        return "250 OK"


@asynccontextmanager
async def mail_server(box: Mailbox, port: int = 0) -> AsyncIterator[int]:
    """Serve a mailbox on loopback, 0 for a free port; yields the port."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(box, loop=loop, enable_SMTPUTF8=True), "127.0.0.1", port
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
