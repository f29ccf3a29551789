"""What visitors do at the end: say that they are done, and how it was.

A rating is a line of the log, so agents see it live and reports fold it. It belongs to
the end before it: while the conversation stays closed the visitor may change it, a few
times and not for ever; the last one counts. Its key is made of the end and of how many
there are, so two tabs, or two nodes, never write the same change twice.
"""

from typing import TYPE_CHECKING, Annotated

import msgspec

from kefu_core.desk.conversations import Line, OwnConversation, write_decided
from kefu_core.desk.drafts import check_characters
from kefu_core.desk.letters import site_of
from kefu_core.desk.methods import Id, Method, Methods, Params
from kefu_core.desk.routing import as_read
from kefu_core.desk.rows import visitors_row
from kefu_core.errors import Busy, Conflict, NotAllowed
from kefu_core.model import (
    OWN_KEYS,
    Conversation,
    ConversationStatus,
    Draft,
    Message,
    MessageKind,
    Principal,
)
from kefu_core.types import ConversationId, Seq, UnixMs

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk

COMMENT_CHARS = 1_000
RATINGS_MAX = 5
"""Of one end: the first, and four changes of mind."""
WITHIN_MS = 72 * 3_600_000
"""How long after the end one may rate, and change it."""
_LOOKED_AT = 100
"""What may follow an end and is neither an answer nor a rating: notes and labels."""
_TRIES = 5


class EndConversation(Params, frozen=True, kw_only=True):
    """`conversation.end`: the visitor has no more questions; writing opens it again."""

    conversation: Id


class RateConversation(Params, frozen=True, kw_only=True):
    """`conversation.rate`: how it was, once it is closed; the last one counts."""

    conversation: Id
    score: Annotated[int, msgspec.Meta(ge=1, le=5)]
    comment: Annotated[str, msgspec.Meta(max_length=COMMENT_CHARS)] = ""


class GivenRating(msgspec.Struct, frozen=True, kw_only=True):
    """A rating as it stands in the log."""

    conversation: ConversationId
    seq: Seq
    score: int
    comment: str
    at: UnixMs
    changes_left: int


async def _end(
    desk: "Desk", principal: Principal, params: EndConversation
) -> OwnConversation:
    def decide(row: Conversation) -> Line | None:
        is_closed = row.status is ConversationStatus.CLOSED
        return None if is_closed else Line(kind=MessageKind.CLOSE)

    async with desk.assigning:
        row = await write_decided(desk, principal, params.conversation, decide)
    return OwnConversation(conversation=visitors_row(row))


async def _rate(
    desk: "Desk", principal: Principal, params: RateConversation
) -> GivenRating:
    comment = params.comment.strip()
    check_characters(comment, "conversation.rate: the comment")
    row = await desk.find_readable(principal, params.conversation)
    site = await site_of(desk, row.site_id)
    if site is None or not site.settings.talk.asks_rating:
        raise NotAllowed("This site asks for no ratings.")
    for _ in range(_TRIES):
        end, given = await _given(desk, row)
        if given and _is_same(given[-1], params.score, comment):
            return _told(given[-1], len(given))
        _check_time(desk, row, len(given))
        data = {"score": params.score}
        draft = Draft(
            conversation=row.id,
            sender=principal.name_in(row.visitor),
            key=f"{OWN_KEYS}rate-{end}-{len(given)}",
            kind=MessageKind.RATING,
            body=comment,
            data=data | ({"instead": given[-1].seq} if given else {}),
            given=as_read(row),
        )
        try:
            appended = await desk.hub.append(draft)
        except Conflict:
            # Another tab was faster, or the conversation goes on: it is looked again.
            row = await desk.find_readable(principal, params.conversation)
            continue
        return _told(appended.message, len(given) + 1)
    raise Busy("This conversation changes all the time.", retry_after_s=1.0)


def _check_time(desk: "Desk", row: Conversation, count: int) -> None:
    """Raise `Conflict` where nothing is to be rated, or not any more."""
    if row.status is not ConversationStatus.CLOSED:
        raise Conflict("This conversation is not closed.")
    if count >= RATINGS_MAX:
        raise Conflict(f"A rating can be changed {RATINGS_MAX - 1} times.")
    if desk.now_ms() > row.closed_at + WITHIN_MS:
        raise Conflict("This conversation was closed too long ago.")


async def _given(desk: "Desk", row: Conversation) -> tuple[int, list[Message]]:
    """Return the last end, and the ratings since then, in order."""
    found: list[Message] = []
    for message in reversed(await desk.store.history(row.id, limit=_LOOKED_AT)):
        if message.kind is MessageKind.CLOSE:
            return message.seq, found
        if message.kind is MessageKind.RATING:
            found.insert(0, message)
    return row.closed_at, found


def _is_same(message: Message, score: int, comment: str) -> bool:
    return (message.data or {}).get("score") == score and message.body == comment


def _told(message: Message, count: int) -> GivenRating:
    return GivenRating(
        conversation=message.conversation,
        seq=message.seq,
        score=(message.data or {}).get("score", 0),
        comment=message.body,
        at=message.at,
        changes_left=max(0, RATINGS_MAX - count),
    )


METHODS: Methods = {
    "conversation.end": Method(
        params=EndConversation,
        run=_end,
        result=OwnConversation,
        http="POST /conversations/{conversation}/end",
    ),
    "conversation.rate": Method(
        params=RateConversation,
        run=_rate,
        result=GivenRating,
        http="PUT /conversations/{conversation}/rating",
    ),
}
