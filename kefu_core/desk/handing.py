"""Handing a conversation on: to somebody, back to the queue, and open again."""

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from kefu_core.desk.conversations import (
    Line,
    OneConversation,
    require_team,
    row_of,
    write_decided,
)
from kefu_core.desk.drafts import check_characters
from kefu_core.desk.methods import Id, Method, Methods, Params
from kefu_core.errors import Conflict, Invalid, NotFound, TooLarge
from kefu_core.ids import ID_MAX, agent_participant
from kefu_core.model import (
    OWN_KEYS,
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
    team: Annotated[int, msgspec.Meta(ge=0, le=ID_MAX)] | None = None
    """In the queue of this team; 0 for anybody's, left out: of the one it had."""
    note: str = ""


class ReopenConversation(Params, frozen=True, kw_only=True):
    """`conversation.reopen`: it is not done after all; it waits in the queue."""

    conversation: Id


async def _assign(
    desk: "Desk", principal: Principal, params: AssignConversation
) -> OneConversation:
    note = _checked_note(desk, params.note)
    if params.agent is not None and params.team:
        raise Invalid("conversation.assign: name an agent or a team, not both.")
    if params.team:
        await require_team(desk, params.team)
    async with desk.assigning:
        row = await desk.find_readable(principal, params.conversation)
        if row.status is ConversationStatus.CLOSED:
            raise Conflict("This conversation is closed; open it again first.")
        if params.agent is not None:
            await _require(desk, params.agent, row)
        if note:
            await _write_note(desk, principal, row, note)
        row = await write_decided(
            desk, principal, row.id, lambda now: _handed(now, params)
        )
    return OneConversation(conversation=await row_of(desk, row))


def _checked_note(desk: "Desk", text: str) -> str:
    note = text.strip()
    check_characters(note, "conversation.assign: the note")
    if len(note) > desk.limits.text_chars_max:
        raise TooLarge(
            f"conversation.assign: the note has {len(note)} characters; "
            f"at most {desk.limits.text_chars_max}."
        )
    return note


def _handed(row: Conversation, params: AssignConversation) -> Line | None:
    """Return the line that hands a conversation on; None if it is there already."""
    if row.status is ConversationStatus.CLOSED:
        raise Conflict("This conversation is closed; open it again first.")
    team = row.team_id if params.team is None else params.team
    data: dict[str, Any]
    if params.agent is not None:
        data = {"assignee": agent_participant(params.agent)}
        is_so = row.assignee == data["assignee"] and team == row.team_id
    else:
        data = {"assignee": None}
        is_so = row.status is ConversationStatus.QUEUED and team == row.team_id
    if team != row.team_id:
        data["team"] = team
    return None if is_so else Line(kind=MessageKind.ASSIGNMENT, data=data)


async def _require(desk: "Desk", agent_id: int, row: Conversation) -> None:
    """Raise `NotFound` unless an agent may answer this conversation."""
    agent = await desk.store.find_agent(agent_id=agent_id)
    serves = agent is not None and (agent.sites is None or row.site_id in agent.sites)
    if agent is None or not agent.is_active or not serves:
        raise NotFound("There is no such agent for this site.")
    if agent.capacity and row.assignee != agent_participant(agent_id):
        # The line's condition says it for sure; here it is said before the note.
        answered = await desk.store.count_answered()
        if answered.get(agent_participant(agent_id), 0) >= agent.capacity:
            raise Conflict(
                f"This agent answers {agent.capacity} conversations, which is all."
            )


async def _write_note(
    desk: "Desk", principal: Principal, row: Conversation, note: str
) -> None:
    draft = Draft(
        conversation=row.id,
        sender=principal.participant,
        key=f"{OWN_KEYS}{desk.ids.new()}",
        kind=MessageKind.NOTE,
        body=note,
    )
    await desk.hub.append(draft)


async def _reopen(
    desk: "Desk", principal: Principal, params: ReopenConversation
) -> OneConversation:
    def decide(row: Conversation) -> Line | None:
        is_closed = row.status is ConversationStatus.CLOSED
        return Line(kind=MessageKind.REOPEN) if is_closed else None

    async with desk.assigning:
        row = await write_decided(desk, principal, params.conversation, decide)
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
