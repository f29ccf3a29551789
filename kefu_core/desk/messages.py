"""Writing and reading messages one request at a time, for who holds no connection."""

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from kefu_core.desk.conversations import OneConversation, row_of
from kefu_core.desk.methods import Id, Limit, Method, Methods, Params
from kefu_core.errors import Invalid
from kefu_core.hub.fanout import cut_page, page_message
from kefu_core.hub.wholeness import read_page
from kefu_core.ids import ID_MAX
from kefu_core.model import MessageKind, Principal
from kefu_core.protocol.frames import PageMessage, Send
from kefu_core.types import ConversationId, Seq, UnixMs

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk

_SeqParam = Annotated[int, msgspec.Meta(ge=0, le=ID_MAX)]


class GetConversation(Params, frozen=True, kw_only=True):
    """`conversation.get`: one conversation as lists show it."""

    conversation: Id


class SendMessage(Params, frozen=True, kw_only=True):
    """`message.send`: append a message; the same key appends it once."""

    conversation: Id
    key: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    """The sender's own name for it: asking again with it is safe."""
    kind: MessageKind = MessageKind.TEXT
    body: str = ""
    data: dict[str, Any] | None = None
    ref: Annotated[int, msgspec.Meta(ge=1, le=ID_MAX)] | None = None


class SentMessage(msgspec.Struct, frozen=True, kw_only=True):
    """Where it stands."""

    conversation: ConversationId
    key: str
    seq: Seq
    at: UnixMs
    duplicate: bool
    """It was there already."""


class ReadMessages(Params, frozen=True, kw_only=True):
    """`messages.list`: a page of one conversation, ascending and without holes."""

    conversation: Id
    after: _SeqParam | None = None
    """The oldest above this seq."""
    before: _SeqParam | None = None
    """The newest below this seq; with neither, the newest there are."""
    limit: Limit = 50


class MessagesPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of them, as the protocol's `page` has it."""

    messages: list[PageMessage]
    more: bool
    """There are further messages in the direction asked for."""
    head: Seq
    """The newest seq there is."""


async def _get(
    desk: "Desk", principal: Principal, params: GetConversation
) -> OneConversation:
    row = await desk.find_readable(principal, params.conversation)
    return OneConversation(conversation=await row_of(desk, row))


async def _send(desk: "Desk", principal: Principal, params: SendMessage) -> SentMessage:
    if len(params.key) > desk.limits.key_chars_max:
        raise Invalid(f"A key has 1 to {desk.limits.key_chars_max} characters.")
    row = await desk.find_readable(principal, params.conversation)
    send = Send(
        key=params.key,
        conversation=row.id,
        n=1,
        kind=params.kind,
        body=params.body,
        data=params.data,
        ref=None if params.ref is None else Seq(params.ref),
    )
    appended = await desk.hub.append(desk.draft(principal, row, send))
    message = appended.message
    return SentMessage(
        conversation=message.conversation,
        key=message.key,
        seq=message.seq,
        at=message.at,
        duplicate=appended.duplicate,
    )


async def _list(
    desk: "Desk", principal: Principal, params: ReadMessages
) -> MessagesPage:
    if params.after is not None and params.before is not None:
        raise Invalid("Give one of 'after' and 'before', not both.")
    row = await desk.find_readable(principal, params.conversation)
    after = None if params.after is None else Seq(params.after)
    before = None if params.before is None else Seq(params.before)
    found = await read_page(
        desk.hub,
        row.id,
        after=after,
        before=before,
        limit=params.limit + 1,
        head=row.last_seq,
    )
    more = len(found) > params.limit
    if more:
        found = found[: params.limit] if after is not None else found[1:]
    found, is_cut = cut_page(found, desk.limits.page_bytes_max, from_end=after is None)
    return MessagesPage(
        messages=[
            page_message(
                message,
                as_visitor=not principal.is_agent,
                reader=principal.name_in(row.visitor),
            )
            for message in found
        ],
        more=more or is_cut,
        head=max(row.last_seq, found[-1].seq if found else Seq(0)),
    )


METHODS: Methods = {
    "conversation.get": Method(
        params=GetConversation,
        run=_get,
        result=OneConversation,
        http="GET /conversations/{conversation}",
        scope="conversations:read",
    ),
    "message.send": Method(
        params=SendMessage,
        run=_send,
        result=SentMessage,
        http="POST /conversations/{conversation}/messages",
        scope="messages:write",
    ),
    "messages.list": Method(
        params=ReadMessages,
        run=_list,
        result=MessagesPage,
        http="GET /conversations/{conversation}/messages",
        scope="conversations:read",
    ),
}
