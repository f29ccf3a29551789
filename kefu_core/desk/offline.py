"""Messages that visitors leave when nobody is there (留言): left, listed, handled.

How they are answered is in `answers.py`.
"""

import re
from typing import TYPE_CHECKING, Annotated, Any, TypedDict
from urllib.parse import urlsplit

import msgspec

from kefu_core.desk.drafts import check_characters
from kefu_core.desk.letters import (
    NO_MAIL_SERVER,
    MailRow,
    mails_about,
    notices_of,
)
from kefu_core.desk.methods import Id, Limit, Method, Methods, Params
from kefu_core.desk.visiting import clean_path
from kefu_core.desk.webhooks import deliveries_of
from kefu_core.errors import Conflict, Invalid, NotFound, TooLarge, TooMany
from kefu_core.model import Principal
from kefu_core.records import OfflineMessage, OfflineStatus
from kefu_core.types import ParticipantId, UnixMs

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk

NAME_CHARS, EMAIL_CHARS, PHONE_CHARS, PAGE_CHARS = 100, 254, 40, 1_000
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{3,190}")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_PHONE = re.compile(r"\+?[0-9][0-9 ()./-]{3,38}")
_LANGUAGE = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})?$"


class LeaveMessage(Params, frozen=True, kw_only=True):
    """`offline.leave`: a message for when somebody is there again."""

    key: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
    """The visitor's own name for it: leaving it twice leaves it once."""
    body: str
    name: Annotated[str, msgspec.Meta(max_length=NAME_CHARS)] = ""
    email: Annotated[str, msgspec.Meta(max_length=EMAIL_CHARS)] = ""
    phone: Annotated[str, msgspec.Meta(max_length=PHONE_CHARS)] = ""
    page: Annotated[str, msgspec.Meta(max_length=PAGE_CHARS)] = ""
    language: Annotated[str, msgspec.Meta(pattern=_LANGUAGE)] = "zh-CN"


class ListMessages(Params, frozen=True, kw_only=True):
    """`offline.list`: a page of left messages, the newest first."""

    status: OfflineStatus | None = None
    site: Id | None = None
    before: Id | None = None
    """The last id of the page before."""
    limit: Limit = 50


class HandleMessage(Params, frozen=True, kw_only=True):
    """`offline.handle`: somebody has looked after this one."""

    message: Id


class ReopenMessage(Params, frozen=True, kw_only=True):
    """`offline.reopen`: this one is to be looked after again."""

    message: Id


class OfflineRow(TypedDict):
    """A left message as agents see it."""

    id: int
    site_id: int
    visitor: ParticipantId
    name: str
    email: str
    phone: str
    body: str
    page: str
    language: str
    status: str
    agent: ParticipantId | None
    created_at: UnixMs
    handled_at: UnixMs
    conversation: int | None


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """What a visitor is told: that it is kept."""

    id: int
    at: UnixMs


class OneMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One left message."""

    message: OfflineRow


class SomeMessages(msgspec.Struct, frozen=True, kw_only=True):
    """A page of them."""

    rows: list[OfflineRow]
    mails: list[MailRow]
    """What went out about them, the oldest first."""
    mail_problem: str = ""
    """Why nobody can be answered by mail; empty: anybody with an address can."""


def offline_row(message: OfflineMessage) -> OfflineRow:
    """Return what agents see; fields are named one by one on purpose."""
    return {
        "id": message.id,
        "site_id": message.site_id,
        "visitor": message.visitor,
        "name": message.name,
        "email": message.email,
        "phone": message.phone,
        "body": message.body,
        "page": message.page,
        "language": message.language,
        "status": message.status.value,
        "agent": ParticipantId(f"a{message.agent_id}") if message.agent_id else None,
        "created_at": message.created_at,
        "handled_at": message.handled_at,
        "conversation": message.conversation_id or None,
    }


# -- leaving -------------------------------------------------------------------------


async def _leave(desk: "Desk", principal: Principal, params: LeaveMessage) -> Left:
    left = _checked(desk, principal, params)
    known = await _find_by_key(desk, principal, left)
    if known is None:
        _take_paces(desk, principal)
        try:
            # In one transaction: what is left is told of, whatever happens next.
            told = [*await notices_of(desk, left), *await deliveries_of(desk, left)]
            await desk.store.put_records(left, *told)
            known = left
        except Conflict:
            # The same message came over another connection at the same moment.
            known = await _find_by_key(desk, principal, left)
            if known is None:
                raise
        else:
            desk.left.put(left)
    if _content(known) != _content(left):
        raise Conflict
    return Left(id=known.id, at=known.created_at)


def _checked(
    desk: "Desk", principal: Principal, params: LeaveMessage
) -> OfflineMessage:
    """Return the record. Raises `Invalid` or `TooLarge`, in words for a visitor."""
    body = params.body.replace("\r\n", "\n").strip()
    if not body:
        raise Invalid("The message is empty.")
    maximum = desk.limits.visitor_text_chars_max
    if len(body) > maximum:
        raise TooLarge(f"{len(body)} characters; at most {maximum}.")
    check_characters(body, "The message")
    name = check_line(params.name, "The name")
    email = check_email(params.email.strip()) if params.email.strip() else ""
    phone = params.phone.strip()
    if phone and not _PHONE.fullmatch(phone):
        raise Invalid("The telephone number is not one.")
    if not email and not phone:
        raise Invalid("An e-mail address or a telephone number is needed to answer.")
    return OfflineMessage(
        id=desk.ids.new(),
        site_id=principal.site_id,
        visitor=principal.participant,
        key=params.key,
        name=name,
        email=email,
        phone=phone,
        body=body,
        page=plain_page(params.page),
        language=params.language,
        created_at=UnixMs(desk.now_ms()),
    )


def check_line(text: str, what: str) -> str:
    """Return a text of one line. Raises `Invalid` where it holds control characters."""
    text = text.strip()
    check_characters(text, what)
    if any(ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u2028\u2029" for c in text):
        raise Invalid(f"{what} holds a line break or another control character.")
    return text


def check_email(text: str) -> str:
    """Return an address that mail can be sent to. Raises `Invalid`."""
    name, _, host = text.rpartition("@")
    labels = host.split(".")
    is_host = len(labels) > 1 and all(_HOST.fullmatch(label) for label in labels)
    is_name = not name.startswith(".") and not name.endswith(".") and ".." not in name
    if len(text) > EMAIL_CHARS or not (_EMAIL.fullmatch(text) and is_host and is_name):
        raise Invalid("The e-mail address is not one.")
    return text


def plain_page(url: str) -> str:
    """Return where a page is, without what a shop may keep secret in its URL."""
    try:
        parts = urlsplit(check_line(url, "The page"))
        host, port = parts.hostname, parts.port
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or not host:
        return ""
    shown = f"[{host}]" if ":" in host else host
    path = clean_path(parts.path)
    return f"{parts.scheme}://{shown}{f':{port}' if port else ''}{path}"


def _content(message: OfflineMessage) -> tuple[str, ...]:
    return message.body, message.name, message.email, message.phone


async def _find_by_key(
    desk: "Desk", principal: Principal, message: OfflineMessage
) -> OfflineMessage | None:
    where: dict[str, Any] = {
        # What was left under an earlier number is not left again.
        "visitor": principal.numbers,
        "site_id": message.site_id,
        "key": message.key,
    }
    found = await desk.store.list_records(OfflineMessage, where=where, limit=1)
    return found[0] if found else None


def _take_paces(desk: "Desk", principal: Principal) -> None:
    wait_s = desk.left.paces.take(principal.participant)
    if not wait_s and principal.address:
        wait_s = desk.left.paces_of_address.take(principal.address)
    if wait_s:
        raise TooMany("You left too many messages.", retry_after_s=wait_s)


# -- looking after them ----------------------------------------------------------------


async def load_left(desk: "Desk", principal: Principal, number: int) -> OfflineMessage:
    """Return a message left on a site that an agent serves. Raises `NotFound`."""
    found = await desk.store.find_record(OfflineMessage, number)
    if found is None or not principal.serves(found.site_id):
        raise NotFound
    return found


async def _list(
    desk: "Desk", principal: Principal, params: ListMessages
) -> SomeMessages:
    where: dict[str, Any] = {}
    if params.status is not None:
        where["status"] = params.status.value
    if params.site is not None and principal.serves(params.site):
        where["site_id"] = params.site
    elif principal.sites is not None:
        # Of a site that is not served there is nothing, as of one that does not exist.
        where["site_id"] = sorted(principal.sites) if params.site is None else []
    found = await desk.store.list_records(
        OfflineMessage, where=where, before=params.before, limit=params.limit
    )
    return SomeMessages(
        rows=[offline_row(message) for message in found],
        mails=await mails_about(desk, [message.id for message in found]),
        mail_problem="" if desk.mail.sender else NO_MAIL_SERVER,
    )


async def _handle(
    desk: "Desk", principal: Principal, params: HandleMessage
) -> OneMessage:
    message = await load_left(desk, principal, params.message)
    return OneMessage(message=offline_row(await set_handled(desk, principal, message)))


async def set_handled(
    desk: "Desk",
    principal: Principal,
    message: OfflineMessage,
    *,
    conversation_id: int = 0,
) -> OfflineMessage:
    """Note who has looked after a message; of two agents the first is kept."""
    changed = msgspec.structs.replace(
        message,
        status=OfflineStatus.HANDLED,
        agent_id=int(principal.participant[1:]),
        handled_at=UnixMs(desk.now_ms()),
        conversation_id=conversation_id or message.conversation_id,
    )
    when = {"status": OfflineStatus.OPEN.value}
    if not await desk.store.change_record(changed, when=when):
        changed = await load_left(desk, principal, message.id)
    desk.left.put(changed)
    return changed


async def _reopen(
    desk: "Desk", principal: Principal, params: ReopenMessage
) -> OneMessage:
    message = await load_left(desk, principal, params.message)
    changed = msgspec.structs.replace(
        message, status=OfflineStatus.OPEN, agent_id=0, handled_at=UnixMs(0)
    )
    when = {"status": OfflineStatus.HANDLED.value}
    if not await desk.store.change_record(changed, when=when):
        changed = await load_left(desk, principal, message.id)
    desk.left.put(changed)
    return OneMessage(message=offline_row(changed))


METHODS: Methods = {
    "offline.leave": Method(
        params=LeaveMessage,
        run=_leave,
        result=Left,
        http="POST /offline-messages",
    ),
    "offline.list": Method(
        params=ListMessages,
        run=_list,
        result=SomeMessages,
        http="GET /offline-messages",
        scope="offline:read",
    ),
    "offline.handle": Method(
        params=HandleMessage,
        run=_handle,
        result=OneMessage,
        http="POST /offline-messages/{message}/handle",
        scope="offline:write",
    ),
    "offline.reopen": Method(
        params=ReopenMessage,
        run=_reopen,
        result=OneMessage,
        http="POST /offline-messages/{message}/reopen",
        scope="offline:write",
    ),
}
