"""Answering a left message: by mail, or in the visitor's conversation."""

from typing import TYPE_CHECKING, Annotated

import msgspec

from kefu_core import outgoing
from kefu_core.desk.conversations import row_of, take
from kefu_core.desk.drafts import check_characters
from kefu_core.desk.letters import (
    NO_MAIL_SERVER,
    MailRow,
    answer_text,
    mail_row,
    one_line,
    site_of,
)
from kefu_core.desk.methods import Id, Method, Methods, Params
from kefu_core.desk.numbers import conversations_of
from kefu_core.desk.offline import OfflineRow, load_left, offline_row, set_handled
from kefu_core.desk.rows import AgentsRow
from kefu_core.errors import (
    Conflict,
    Invalid,
    NotAllowed,
    NotFound,
    TooLarge,
    TooMany,
)
from kefu_core.model import (
    OWN_KEYS,
    Conversation,
    Draft,
    Person,
    Principal,
    Role,
)
from kefu_core.records import DeliveryStatus, Mail, OfflineMessage
from kefu_core.types import ConversationId, UnixMs

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk


class AnswerByMail(Params, frozen=True, kw_only=True):
    """`offline.answer_by_mail`: send this text to whoever left the message."""

    message: Id
    text: str
    key: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_]{8,64}$")]
    """The agent's own name for it: answering twice with it sends one mail."""


class AnswerByConversation(Params, frozen=True, kw_only=True):
    """`offline.answer_by_conversation`: go on in the visitor's conversation."""

    message: Id


class ResendMail(Params, frozen=True, kw_only=True):
    """`mail.resend`: try again what was given up, or what waits, now."""

    mail: Id


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """The message, and the mail that answers it."""

    message: OfflineRow
    mail: MailRow


class GoesOn(msgspec.Struct, frozen=True, kw_only=True):
    """The message, and the conversation that it stands in now."""

    message: OfflineRow
    conversation: AgentsRow


class OneMail(msgspec.Struct, frozen=True, kw_only=True):
    """One mail."""

    mail: MailRow


# -- by mail -------------------------------------------------------------------------


async def _by_mail(
    desk: "Desk", principal: Principal, params: AnswerByMail
) -> Answered:
    left = await load_left(desk, principal, params.message)
    text = _checked_text(desk, params.text)
    if not desk.mail.sender:
        raise NotAllowed(NO_MAIL_SERVER)
    if not left.email:
        raise NotAllowed("Whoever left this message gave no e-mail address.")
    mail = await _find_mail(desk, left, params.key)
    if mail is None:
        wait_s = desk.letters.answers.take(left.email.casefold())
        if wait_s:
            raise TooMany("This address got many mails today.", retry_after_s=wait_s)
        mail = await _answer(desk, principal, left, text, params.key)
        try:
            await desk.store.put_records(mail)
        except Conflict:
            mail = await _find_mail(desk, left, params.key)
            if mail is None:
                raise
    changed = await set_handled(desk, principal, left)
    return Answered(message=offline_row(changed), mail=mail_row(mail))


def _checked_text(desk: "Desk", text: str) -> str:
    text = text.replace("\r\n", "\n").strip()
    check_characters(text, "The text")
    if not text:
        raise Invalid("The text is empty.")
    if len(text) > desk.limits.text_chars_max:
        maximum = desk.limits.text_chars_max
        raise TooLarge(f"{len(text)} characters; at most {maximum}.")
    return text


async def _find_mail(desk: "Desk", left: OfflineMessage, key: str) -> Mail | None:
    where: dict[str, str | int] = {"about": left.id, "key": key}
    found = await desk.store.list_records(Mail, where=where, limit=1)
    return found[0] if found else None


async def _answer(
    desk: "Desk", principal: Principal, left: OfflineMessage, text: str, key: str
) -> Mail:
    site = await site_of(desk, left.site_id)
    name = site.name if site is not None else ""
    notices_to = site.settings.letters.notices_to if site is not None else ()
    agent = await desk.store.find_agent(agent_id=int(principal.participant[1:]))
    # Where the visitor's own answer goes: to the site's people, else to the agent.
    reply_to = notices_to[0] if notices_to else agent.email if agent else ""
    subject, body = answer_text(left, name, text)
    now_ms = UnixMs(desk.now_ms())
    return Mail(
        id=desk.ids.new(),
        recipient=left.email,
        key=key,
        reply_to=reply_to,
        sender_name=one_line(name, 200),
        subject=subject,
        body=body,
        about=left.id,
        created_at=now_ms,
        next_at=now_ms,
    )


async def _resend(desk: "Desk", principal: Principal, params: ResendMail) -> OneMail:
    mail = await desk.store.find_record(Mail, params.mail)
    if mail is None:
        raise NotFound
    if principal.sites is not None:
        await load_left(desk, principal, mail.about)
    if mail.status is not DeliveryStatus.DONE:
        changed = outgoing.again(mail, desk.now_ms())
        if await desk.store.change_record(changed, when=outgoing.unchanged(mail)):
            mail = changed
    return OneMail(mail=mail_row(mail))


# -- in the conversation -------------------------------------------------------------


async def _by_conversation(
    desk: "Desk", principal: Principal, params: AnswerByConversation
) -> GoesOn:
    left = await load_left(desk, principal, params.message)
    row = await _conversation_of(desk, left)
    left = await _name_conversation(desk, principal, left, row)
    row = await _conversation_of(desk, left)
    row = await _put_into_log(desk, left, row)
    # Where another agent is at it already, the visitor stays with that one.
    row = await take(desk, principal, row.id, is_kept=True)
    left = await set_handled(desk, principal, left, conversation_id=row.id)
    return GoesOn(message=offline_row(left), conversation=await row_of(desk, row))


async def _conversation_of(desk: "Desk", left: OfflineMessage) -> Conversation:
    """Return the conversation that the message stands in, or will."""
    if left.conversation_id:
        row = await desk.store.find_conversation(ConversationId(left.conversation_id))
        if row is not None:
            return row
    names = await desk.store.numbers_of(left.visitor)
    for row in await conversations_of(desk.store, names):
        if row.site_id == left.site_id:
            return row
    visitor = Person(id=names[0], name=left.name, role=Role.VISITOR)
    return await desk.store.open_conversation(left.site_id, visitor)


async def _name_conversation(
    desk: "Desk", principal: Principal, left: OfflineMessage, row: Conversation
) -> OfflineMessage:
    """Keep where it goes before it goes there: tried again, it goes nowhere else."""
    if left.conversation_id == row.id:
        return left
    changed = msgspec.structs.replace(left, conversation_id=row.id)
    when = {"conversation_id": left.conversation_id}
    if await desk.store.change_record(changed, when=when):
        return changed
    return await load_left(desk, principal, left.id)


async def _put_into_log(
    desk: "Desk", left: OfflineMessage, row: Conversation
) -> Conversation:
    """Say it in the visitor's name; the key keeps it from being said twice."""
    appended = await desk.hub.append(
        Draft(
            conversation=ConversationId(left.conversation_id),
            sender=row.visitor,
            key=f"{OWN_KEYS}left-{left.id}",
            body=left.body,
            data={"left": left.id},
        )
    )
    row = appended.conversation or row
    desk.inbox.conversation_opened(row)
    desk.hub.announce_head(row.visitor, row.id, row.last_seq, site_id=row.site_id)
    return row


METHODS: Methods = {
    "offline.answer_by_mail": Method(
        params=AnswerByMail,
        run=_by_mail,
        result=Answered,
        http="POST /offline-messages/{message}/mail",
        scope="offline:write",
    ),
    "offline.answer_by_conversation": Method(
        params=AnswerByConversation,
        run=_by_conversation,
        result=GoesOn,
        http="POST /offline-messages/{message}/conversation",
        scope="offline:write",
    ),
    "mail.resend": Method(
        params=ResendMail,
        run=_resend,
        result=OneMail,
        http="POST /mails/{mail}/resend",
        scope="offline:write",
    ),
}
