"""Whether a conversation is translated, and how it reads to others than its writers."""

from typing import TYPE_CHECKING

import msgspec

from kefu_core.abc.translator import Interpreter, Reading, TranslationFailed, Trouble
from kefu_core.desk.conversations import write_line
from kefu_core.desk.drafts import check_characters
from kefu_core.desk.letters import site_of
from kefu_core.desk.methods import Id, Method, Methods, Params
from kefu_core.desk.sites import agents_language
from kefu_core.errors import Conflict, Invalid, TooLarge, TooMany
from kefu_core.model import (
    UNTRANSLATED_FOR_ALL,
    UNTRANSLATED_FOR_VISITOR,
    Conversation,
    MessageKind,
    Principal,
    Site,
)
from kefu_core.types import ConversationId

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk


PREVIEWS_PER_S, PREVIEWS_BURST = 0.5, 10
"""Drafts that one agent may have translated: somebody types for each of them."""

GLANCES_PER_S, GLANCES_BURST = 1.0, 20
"""Looks at conversations of others: one for each text that comes in there."""


class TranslateConversation(Params, frozen=True, kw_only=True):
    """`conversation.translate`: switch translations on or off.

    An agent says it for both sides, a visitor for what it reads itself.
    """

    conversation: Id
    is_on: bool | None = None
    """Left out: only tell how it is."""


class TranslatedConversation(msgspec.Struct, frozen=True, kw_only=True):
    """How it is from here on."""

    conversation: ConversationId
    is_translated: bool
    """False: an agent wants no translations in it, for either side."""
    visitor_reads_translations: bool
    """False: the visitor wants what is written as it was written."""


class PreviewMessage(Params, frozen=True, kw_only=True):
    """`message.preview`: how a draft will read to the visitor. Nothing is sent."""

    conversation: Id
    text: str


class PreviewedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """The draft in the visitor's language."""

    conversation: ConversationId
    translation: str = ""
    """Empty: it will read as it is."""
    source: str = ""
    target: str = ""
    """The visitor's language; empty: nobody knows yet."""
    by: str = ""
    """The service, or `glossary`."""
    trouble: Trouble | None = None
    """Why no service has translated it."""


class ReadConversation(Params, frozen=True, kw_only=True):
    """`conversation.read`: its newest texts in one's own language. Nothing is stored.

    For agents who look on: what those read who take part stands in the log.
    """

    conversation: Id


class ReadTexts(msgspec.Struct, frozen=True, kw_only=True):
    """What the log has not in the asking agent's language."""

    conversation: ConversationId
    texts: list[Reading]
    """In the order of the log; nothing of what is in that language anyway."""
    trouble: Trouble | None = None
    """Why no service has translated any."""


async def _read(
    desk: "Desk", principal: Principal, params: ReadConversation
) -> ReadTexts:
    row = await desk.find_readable(principal, params.conversation)
    site, interpreter = await _translated(desk, row, UNTRANSLATED_FOR_ALL)
    wait_s = desk.translation_glances.take(principal.participant)
    if wait_s:
        raise TooMany("You translate too much.", retry_after_s=wait_s)
    try:
        texts = await interpreter.read(site, row, agent=principal.participant)
    except TranslationFailed as error:
        return ReadTexts(conversation=row.id, texts=[], trouble=error.trouble)
    return ReadTexts(conversation=row.id, texts=texts)


async def _translated(
    desk: "Desk", row: Conversation, off: int
) -> tuple[Site, Interpreter]:
    """Return who is to translate for which site. Raises `Conflict`: nobody is."""
    site, interpreter = await site_of(desk, row.site_id), desk.interpreter
    is_on = (
        site is not None and agents_language(desk, site) and not row.untranslated & off
    )
    if site is None or interpreter is None or not is_on:
        raise Conflict("There are no translations here.")
    return site, interpreter


async def _preview(
    desk: "Desk", principal: Principal, params: PreviewMessage
) -> PreviewedMessage:
    row = await desk.find_readable(principal, params.conversation)
    check_characters(params.text, "The text")
    if not params.text.strip():
        raise Invalid("The text is empty.")
    maximum = desk.limits.text_chars_max
    if len(params.text) > maximum:
        raise TooLarge(f"{len(params.text)} characters; at most {maximum}.")
    off = UNTRANSLATED_FOR_ALL | UNTRANSLATED_FOR_VISITOR
    site, interpreter = await _translated(desk, row, off)
    wait_s = desk.translation_previews.take(principal.participant)
    if wait_s:
        raise TooMany("You translate too much.", retry_after_s=wait_s)
    try:
        found = await interpreter.preview(
            site, row, params.text.strip(), agent=principal.participant
        )
    except TranslationFailed as error:
        return PreviewedMessage(conversation=row.id, trouble=error.trouble)
    return PreviewedMessage(
        conversation=row.id,
        translation=found.text,
        source=found.source,
        target=found.target,
        by=found.provider,
    )


async def _translate(
    desk: "Desk", principal: Principal, params: TranslateConversation
) -> TranslatedConversation:
    row = await desk.find_readable(principal, params.conversation)
    bit = UNTRANSLATED_FOR_ALL if principal.is_agent else UNTRANSLATED_FOR_VISITOR
    is_on = not row.untranslated & bit
    if params.is_on is not None and params.is_on is not is_on:
        desk.count_write(principal)
        data = {"is_on": params.is_on}
        row = await write_line(desk, principal, row, MessageKind.TRANSLATING, data)
    return _told(row)


def _told(row: Conversation) -> TranslatedConversation:
    return TranslatedConversation(
        conversation=row.id,
        is_translated=not row.untranslated & UNTRANSLATED_FOR_ALL,
        visitor_reads_translations=not row.untranslated & UNTRANSLATED_FOR_VISITOR,
    )


METHODS: Methods = {
    "conversation.read": Method(
        params=ReadConversation,
        run=_read,
        result=ReadTexts,
        http="POST /conversations/{conversation}/read",
        scope="messages:write",
    ),
    "message.preview": Method(
        params=PreviewMessage,
        run=_preview,
        result=PreviewedMessage,
        http="POST /conversations/{conversation}/preview",
        scope="messages:write",
    ),
    "conversation.translate": Method(
        params=TranslateConversation,
        run=_translate,
        result=TranslatedConversation,
        http="PUT /conversations/{conversation}/translation",
        scope="conversations:write",
    ),
}
