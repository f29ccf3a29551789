"""Handing a conversation on: to somebody, back to the queue, and open again."""

from typing import TYPE_CHECKING

from kefu_core.desk.conversations import OneConversation, row_of, write_line
from kefu_core.desk.drafts import check_characters
from kefu_core.desk.methods import Id, Method, Methods, Params
from kefu_core.errors import Conflict, NotFound, TooLarge
from kefu_core.ids import agent_participant
from kefu_core.model import (
    Conversation,
    ConversationStatus,
    Draft,
    MessageKind,
    Principal,
)

if TYPE_CHECKING:
    from kefu_core.desk.desk import Desk


class AssignConversation(Params, frozen=True, kw_only=True):
    """`conversation.assign`: somebody else answers from here on, or nobody yet.

    A note for whoever takes over stands in the log before it; no visitor reads it.
    """

    conversation: Id
    agent: Id | None = None
    """Whose turn it is; left out: back to the queue."""
    note: str = ""


class ReopenConversation(Params, frozen=True, kw_only=True):
    """`conversation.reopen`: it is not done after all; it waits in the queue."""

    conversation: Id


async def _assign(
    desk: "Desk", principal: Principal, params: AssignConversation
) -> OneConversation:
    note = params.note.strip()
    check_characters(note, "conversation.assign: the note")
    if len(note) > desk.limits.text_chars_max:
        raise TooLarge(
            f"conversation.assign: the note has {len(note)} characters; "
            f"at most {desk.limits.text_chars_max}."
        )
    async with desk.assigning:
        row = await desk.find_readable(principal, params.conversation)
        if row.status is ConversationStatus.CLOSED:
            raise Conflict("This conversation is closed; open it again first.")
        assignee = None
        if params.agent is not None:
            assignee = agent_participant(params.agent)
            await _require(desk, params.agent, row)
        if note:
            await _write_note(desk, principal, row, note)
        is_so = row.assignee == assignee and (
            assignee is not None or row.status is ConversationStatus.QUEUED
        )
        if not is_so:
            data = {"assignee": assignee}
            row = await write_line(desk, principal, row, MessageKind.ASSIGNMENT, data)
    return OneConversation(conversation=await row_of(desk, row))


async def _require(desk: "Desk", agent_id: int, row: Conversation) -> None:
    """Raise `NotFound` unless an agent may answer this conversation."""
    agent = await desk.store.find_agent(agent_id=agent_id)
    serves = agent is not None and (agent.sites is None or row.site_id in agent.sites)
    if agent is None or not agent.is_active or not serves:
        raise NotFound("There is no such agent for this site.")


async def _write_note(
    desk: "Desk", principal: Principal, row: Conversation, note: str
) -> None:
    draft = Draft(
        conversation=row.id,
        sender=principal.participant,
        key=f"desk-{desk.ids.new()}",
        kind=MessageKind.NOTE,
        body=note,
    )
    await desk.hub.append(draft)


async def _reopen(
    desk: "Desk", principal: Principal, params: ReopenConversation
) -> OneConversation:
    async with desk.assigning:
        row = await desk.find_readable(principal, params.conversation)
        if row.status is ConversationStatus.CLOSED:
            row = await write_line(desk, principal, row, MessageKind.REOPEN, None)
    return OneConversation(conversation=await row_of(desk, row))


METHODS: Methods = {
    "conversation.assign": Method(
        params=AssignConversation,
        run=_assign,
        result=OneConversation,
        http="POST /conversations/{conversation}/assign",
        scope="conversations:write",
    ),
    "conversation.reopen": Method(
        params=ReopenConversation,
        run=_reopen,
        result=OneConversation,
        http="POST /conversations/{conversation}/reopen",
        scope="conversations:write",
    ),
}
