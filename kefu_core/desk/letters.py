"""Mail about left messages: written here, sent by a follower, shown to agents."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypedDict

from kefu_core.desk.pace import Paces
from kefu_core.limits import Limits
from kefu_core.model import Site
from kefu_core.records import Mail, OfflineMessage
from kefu_core.types import UnixMs

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk

NO_MAIL_SERVER = "No mail server is set up: the settings have no [mail] host."
NOTICE = "notice-"
"""Begins the key of a mail that tells a site's own people."""
_DAY_S = 86_400


class MailRow(TypedDict):
    """A mail as agents see it."""

    id: int
    about: int
    is_notice: bool
    recipient: str
    subject: str
    body: str
    created_at: UnixMs
    status: str
    attempts: int
    next_at: UnixMs
    error: str


class Letters:
    """How much mail may be written."""

    def __init__(self, limits: Limits, now: Callable[[], float]) -> None:
        """Take monotonic seconds."""
        per_h = limits.notice_mails_per_h
        self.notices = Paces(per_h / 3600, per_h, now)
        per_d = limits.mails_to_an_address_per_d
        self.answers = Paces(per_d / _DAY_S, per_d, now)


def mail_row(mail: Mail) -> MailRow:
    """Return what agents see; fields are named one by one on purpose."""
    return {
        "id": mail.id,
        "about": mail.about,
        "is_notice": mail.key.startswith(NOTICE),
        "recipient": mail.recipient,
        "subject": mail.subject,
        "body": mail.body,
        "created_at": mail.created_at,
        "status": mail.status.value,
        "attempts": mail.attempts,
        "next_at": mail.next_at,
        "error": mail.error,
    }


async def mails_about(desk: "Desk", messages: Sequence[int]) -> list[MailRow]:
    """Return what went out about these left messages, the oldest first."""
    if not messages:
        return []
    found = await desk.store.list_records(
        Mail, where={"about": messages}, after=0, limit=500
    )
    return [mail_row(mail) for mail in found]


async def site_of(desk: "Desk", site_id: int) -> Site | None:
    """Return a site by its id."""
    sites = await desk.store.sites()
    return next((site for site in sites if site.id == site_id), None)


async def notices_of(desk: "Desk", left: OfflineMessage) -> list[Mail]:
    """Return the mails that tell a site's people of a message, as far as allowed."""
    site = await site_of(desk, left.site_id) if desk.mail.sender else None
    if site is None:
        return []
    notices: list[Mail] = []
    for number, recipient in enumerate(site.settings.letters.notices_to):
        if desk.letters.notices.take(str(site.id)):
            break
        subject, body = notice_text(left, site)
        notices.append(
            Mail(
                id=desk.ids.new(),
                recipient=recipient,
                key=f"{NOTICE}{number}",
                reply_to=left.email,
                sender_name=one_line(site.name, 200),
                subject=subject,
                body=body,
                about=left.id,
                created_at=left.created_at,
                next_at=left.created_at,
            )
        )
    return notices


def notice_text(left: OfflineMessage, site: Site) -> tuple[str, str]:
    """Return subject and body of a notice, in the language of the site."""
    is_english = site.locale.startswith("en")
    who = left.name or left.email or left.phone
    if is_english:
        subject = f"New message from {who} – {site.name}"
        labels = ("Name", "E-mail", "Phone", "Page")
        foot = "Answer it in kefu under “Left messages”."
    else:
        subject = f"{who} 的新留言 – {site.name}"
        labels = ("姓名", "邮箱", "电话", "页面")
        foot = "请在客服台的“留言”页面回复。"
    values = (left.name, left.email, left.phone, left.page)
    facts = [
        f"{label}: {value}"
        for label, value in zip(labels, values, strict=True)
        if value
    ]
    body = "\n".join([left.body, "", "-- ", *facts, "", foot, ""])
    return one_line(subject, 200), body


def answer_text(left: OfflineMessage, site_name: str, text: str) -> tuple[str, str]:
    """Return subject and body of an answer, in the language of the visitor."""
    if left.language.startswith("zh"):
        subject, wrote = f"回复您的留言 – {site_name}", "您的留言："
    else:
        subject, wrote = f"Re: your message – {site_name}", "You wrote:"
    quoted = "\n".join(f"> {line}" for line in left.body.split("\n"))
    return one_line(subject, 200), f"{text}\n\n{wrote}\n{quoted}\n"


def one_line(text: str, chars: int) -> str:
    """Return a text that may stand in a header of a mail."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[
        :chars
    ]
