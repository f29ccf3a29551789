"""Whether a conversation is translated, and how a draft will read to its visitor."""

from typing import TYPE_CHECKING

import msgspec

from kefu_core.abc.translator import TranslationFailed, Trouble
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
)
from kefu_core.types import ConversationId

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk


PREVIEWS_PER_S, PREVIEWS_BURST = 0.5, 10
"""Drafts that one agent may have translated: somebody types for each of them."""


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
    site = await site_of(desk, row.site_id)
    interpreter = desk.interpreter
    is_off = row.untranslated & (UNTRANSLATED_FOR_ALL | UNTRANSLATED_FOR_VISITOR)
    if site is None or interpreter is None or not agents_language(desk, site) or is_off:
        raise Conflict("The visitor reads no translations here.")
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
