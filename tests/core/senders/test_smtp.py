"""Mail reaches a real SMTP server whole, and says why when it does not."""

import pytest

from kefu_core.abc.outgoing import NotSent
from kefu_core.records import Mail
from kefu_core.senders import smtp
from kefu_core.senders.smtp import SmtpMailer, SmtpServer, message_of
from kefu_core.types import UnixMs
from tests.core.senders.mailboxes import Mailbox, mail_server

pytestmark = pytest.mark.anyio

MAIL = Mail(
    id=77,
    recipient="li@example.cn",
    reply_to="people@shop.example",
    sender_name='山茶 "小铺"',
    subject="回复您的留言 – 山茶小铺",
    body="您好！\n\n<b>明天</b>九点。\n.\nFrom here on\n",
    created_at=UnixMs(1_760_000_000_000),
)


@pytest.fixture
def anyio_backend() -> str:
    """The library that speaks SMTP knows asyncio only."""
    return "asyncio"


def mailer(port: int) -> SmtpMailer:
    return SmtpMailer(
        SmtpServer(host="127.0.0.1", port=port, tls="none", sender="kefu@shop.example")
    )


async def test_a_mail_arrives_as_it_was_written() -> None:
    box = Mailbox()
    async with mail_server(box) as port:
        await mailer(port).send(MAIL)
    (mail,) = box.taken
    assert box.recipients == [["li@example.cn"]]
    assert mail["subject"] == MAIL.subject
    assert mail["from"].addresses[0].display_name == '山茶 "小铺"'
    assert mail["from"].addresses[0].addr_spec == "kefu@shop.example"
    assert mail["reply-to"] == "people@shop.example"
    assert mail["message-id"] == "<kefu.77@shop.example>"
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().replace("\r\n", "\n") == MAIL.body


@pytest.mark.parametrize(
    ("way", "is_final", "why"),
    [
        ("refuse", True, "no such mailbox"),
        ("later", False, "greylisted"),
        ("drop", False, "cannot be reached"),
        ("stall", False, "cannot be reached"),
    ],
)
async def test_a_server_that_does_not_take_it_is_named(
    way: str, is_final: bool, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "TIMEOUT_S", 0.3)
    box = Mailbox(way)
    async with mail_server(box) as port:
        with pytest.raises(NotSent, match=why) as raised:
            await mailer(port).send(MAIL)
    assert raised.value.is_final is is_final
    assert box.taken == []


async def test_a_server_that_is_away_is_tried_later() -> None:
    async with mail_server(Mailbox()) as port:
        pass
    with pytest.raises(NotSent, match="cannot be reached") as raised:
        await mailer(port).send(MAIL)
    assert not raised.value.is_final


HEADERS = ("\r\nBcc: everybody@example.com", "\nX: y", "\r\n\r\nbody", "\rX: y")


@pytest.mark.parametrize("field", ["recipient", "reply_to", "sender_name", "subject"])
@pytest.mark.parametrize("more", HEADERS)
async def test_no_field_can_begin_another_header(field: str, more: str) -> None:
    values = {name: getattr(MAIL, name) for name in Mail.__struct_fields__}
    poisoned = Mail(**{**values, field: values[field] + more})
    box = Mailbox()
    async with mail_server(box) as port:
        with pytest.raises(NotSent) as raised:
            await mailer(port).send(poisoned)
    assert raised.value.is_final
    assert box.asked == 0


def test_a_body_is_text_whatever_stands_in_it() -> None:
    values = {name: getattr(MAIL, name) for name in Mail.__struct_fields__}
    mail = Mail(**{**values, "body": "Content-Type: text/html\n\n<script>"})
    message = message_of(mail, "kefu@shop.example")
    assert message.get_content_type() == "text/plain"
    assert not message.is_multipart()
