"""Mail over SMTP. Needs `aiosmtplib` (the extra `mail`), and asyncio.

A mail is built by `email.message`, whose policy refuses line breaks in headers, and
encodes names and subjects; the body is plain text. Its `Message-ID` is made of the
record's id, so that a mail which was sent twice is one mail in most mailboxes.
"""

from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Literal

import aiosmtplib
import anyio
import msgspec

from kefu_core.abc.outgoing import Mailer, NotSent
from kefu_core.records import Mail

Tls = Literal["none", "starttls", "tls"]
TIMEOUT_S = 20.0
"""One word of the other side."""
TOTAL_S = 60.0


class SmtpServer(msgspec.Struct, frozen=True, kw_only=True):
    """Where mail is handed over."""

    host: str
    port: int
    tls: Tls = "starttls"
    login: str = ""
    password: str = ""
    sender: str


class SmtpMailer(Mailer):
    """Opens a connection for each mail: they are few, and a kept one goes stale."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server

    async def send(self, mail: Mail) -> None:
        try:
            message = message_of(mail, self._server.sender)
        except ValueError as error:
            raise NotSent(f"The mail is not valid: {error}", is_final=True) from error
        try:
            with anyio.fail_after(TOTAL_S):
                await self._hand_over(message, mail.recipient)
        except aiosmtplib.SMTPRecipientsRefused as error:
            told = error.recipients[0]
            raise _refused(told.code, told.message) from error
        except aiosmtplib.SMTPResponseException as error:
            raise _refused(error.code, error.message) from error
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            raise NotSent(f"The mail server cannot be reached: {reason}") from error

    async def probe(self, *, wait_s: float) -> None:
        """Do what a mail would, up to naming the sender, and send none.

        Raises:
            NotSent: Why it would not go out; `status` is the server's answer.
        """
        server = self._server
        try:
            with anyio.fail_after(wait_s):
                async with aiosmtplib.SMTP(
                    hostname=server.host,
                    port=server.port,
                    use_tls=server.tls == "tls",
                    start_tls=server.tls == "starttls",
                    username=server.login or None,
                    password=server.password or None,
                    timeout=wait_s,
                ) as client:
                    await client.mail(server.sender)
        except aiosmtplib.SMTPResponseException as error:
            text = f"{error.code} {' '.join(error.message.split())}"
            raise NotSent(text, status=error.code) from error
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise NotSent(str(error) or type(error).__name__) from error

    async def _hand_over(self, message: EmailMessage, recipient: str) -> None:
        server = self._server
        await aiosmtplib.send(
            message,
            sender=server.sender,
            recipients=[recipient],
            hostname=server.host,
            port=server.port,
            use_tls=server.tls == "tls",
            start_tls=server.tls == "starttls",
            username=server.login or None,
            password=server.password or None,
            timeout=TIMEOUT_S,
        )


def _refused(code: int, text: str) -> NotSent:
    """Return the error of an answer: 5xx is for good, but a login can be put right."""
    is_final = 500 <= code < 600 and code not in {530, 534, 535, 538}
    line = " ".join(text.split())
    return NotSent(f"The mail server refused: {code} {line}", is_final=is_final)


def message_of(mail: Mail, sender: str) -> EmailMessage:
    """Return a mail as it goes over the wire. Raises `ValueError` for what is none."""
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(mail.sender_name, addr_spec=sender)
    message["To"] = Address(addr_spec=mail.recipient)
    if mail.reply_to:
        message["Reply-To"] = Address(addr_spec=mail.reply_to)
    message["Subject"] = mail.subject
    written = datetime.fromtimestamp(mail.created_at / 1000, UTC)
    message["Date"] = format_datetime(written)
    message["Message-ID"] = f"<kefu.{mail.id}@{sender.rpartition('@')[2]}>"
    # Whoever answers by itself (holidays, lists) does not answer this.
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.body, subtype="plain", charset="utf-8")
    return message
