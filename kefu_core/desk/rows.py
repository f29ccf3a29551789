"""A conversation as agents' lists and a visitor's own page show it."""

from typing import TypedDict

from kefu_core.model import (
    UNTRANSLATED_FOR_ALL,
    UNTRANSLATED_FOR_VISITOR,
    Conversation,
)
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs


class VisitorsRow(TypedDict):
    """What a visitor is told of its own conversation."""

    id: ConversationId
    status: str
    assignee: ParticipantId | None
    last_seq: Seq
    last_at: UnixMs
    last_sender: ParticipantId | None
    last_line: str
    opened_at: UnixMs


class AgentsRow(TypedDict):
    """A row of the agents' list."""

    id: ConversationId
    site_id: int
    visitor: ParticipantId
    visitor_name: str
    status: str
    assignee: ParticipantId | None
    last_seq: Seq
    last_at: UnixMs
    last_sender: ParticipantId | None
    last_line: str
    waiting_since: UnixMs | None
    opened_at: UnixMs
    labels: list[str]
    team_id: int
    queued_at: UnixMs
    unread: int
    is_translated: bool
    """False: an agent wants no translations in it, for either side."""
    visitor_reads_translations: bool
    """False: the visitor wants what is written as it was written."""


def visitor_name(visitor: ParticipantId, name: str = "") -> str:
    """Return a visitor's name, or one that tells nameless visitors apart."""
    return name or f"访客 {visitor[1:][-4:]}"


def agents_row(conversation: Conversation, name: str, unread: int) -> AgentsRow:
    """Return a row of the agents' list; fields are named one by one on purpose."""
    return {
        "id": conversation.id,
        "site_id": conversation.site_id,
        "visitor": conversation.visitor,
        "visitor_name": name,
        "status": conversation.status.value,
        "assignee": conversation.assignee,
        "last_seq": conversation.last_seq,
        "last_at": conversation.last_at,
        "last_sender": conversation.last_sender,
        "last_line": conversation.last_line,
        "waiting_since": conversation.waiting_since,
        "opened_at": conversation.opened_at,
        "labels": list(conversation.labels),
        "team_id": conversation.team_id,
        "queued_at": conversation.queued_at,
        "unread": unread,
        "is_translated": not conversation.untranslated & UNTRANSLATED_FOR_ALL,
        "visitor_reads_translations": not (
            conversation.untranslated & UNTRANSLATED_FOR_VISITOR
        ),
    }


def visitors_row(conversation: Conversation) -> VisitorsRow:
    """Return what a visitor is told of its own conversation."""
    return {
        "id": conversation.id,
        "status": conversation.status.value,
        "assignee": conversation.assignee,
        "last_seq": conversation.last_seq,
        "last_at": conversation.last_at,
        "last_sender": conversation.last_sender,
        "last_line": conversation.last_line,
        "opened_at": conversation.opened_at,
    }
