"""Who may do what: one table by role. What is not listed is refused (G10).

Something that does not exist and something that may not be seen raise the same
`NotFound`, so an answer never tells which of the two it was.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from kefu_core.errors import NotAllowed, NotFound
from kefu_core.model import Agent, Conversation, MessageKind, Principal, Role


class Rights(msgspec.Struct, frozen=True, kw_only=True):
    """What a role may do."""

    reads_every_conversation: bool = False
    """Of the sites that it serves; False: only the principal's own, on its own site."""
    calls: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    kinds: frozenset[MessageKind] = frozenset()
    """Kinds of message it may send."""
    erases_visitors: bool = False
    """May blank all that a visitor said and was told, for ever."""


STAFFED = "staffed."
"""Begins the name of the list that tells a site's visitors whether somebody is there;
the site's id ends it."""
QUEUE = "queue."
"""Begins the name of the list that tells a visitor its place in the queue; the site's
id and the visitor end it."""

NO_RIGHTS = Rights()

_AGENT = Rights(
    reads_every_conversation=True,
    calls=frozenset(
        {
            "account.put",
            "agents.list",
            "agents.present",
            "ban.lift",
            "ban.put",
            "bans.list",
            "conversation.get",
            "conversation.assign",
            "conversation.read",
            "conversation.reopen",
            "conversation.take",
            "conversation.close",
            "conversation.label",
            "conversation.translate",
            "conversations.list",
            "glossary.delete",
            "glossary.list",
            "glossary.set",
            "mail.resend",
            "message.edit",
            "message.preview",
            "message.recall",
            "message.send",
            "messages.list",
            "offline.answer_by_conversation",
            "offline.answer_by_mail",
            "offline.handle",
            "offline.list",
            "offline.reopen",
            "people.get",
            "presence.set",
            "replies.list",
            "reply.delete",
            "reply.put",
            "reports.get",
            "sites.list",
            "teams.list",
            "token.create",
            "token.delete",
            "tokens.list",
            "translation.preview",
            "visitor.get",
            "visitor.put",
            "visit.get",
            "visit.invite",
            "visitors.list",
        }
    ),
    topics=frozenset({"agents", "conversations", "offline", "profiles", "visitors"}),
    kinds=frozenset({MessageKind.TEXT, MessageKind.NOTE}),
)

_ADMIN_CALLS = frozenset(
    {
        "absence.list",
        "absence.put",
        "agent.deactivate",
        "agent.put",
        "audit.list",
        "deliveries.list",
        "delivery.resend",
        "site.put",
        "site.secret",
        "team.delete",
        "team.put",
        "translation.figures",
        "webhook.delete",
        "webhook.put",
        "webhook.test",
        "webhooks.list",
    }
)

RIGHTS: dict[Role, Rights] = {
    Role.VISITOR: Rights(
        calls=frozenset(
            {
                "conversation.end",
                "conversation.open",
                "conversation.rate",
                "conversation.translate",
                "message.edit",
                "message.recall",
                "message.send",
                "messages.list",
                "offline.leave",
                "people.get",
                "visitor.introduce",
                "visitor.language",
            }
        ),
        kinds=frozenset({MessageKind.TEXT}),
    ),
    Role.AGENT: _AGENT,
    Role.ADMIN: msgspec.structs.replace(
        _AGENT, calls=_AGENT.calls | _ADMIN_CALLS, erases_visitors=True
    ),
}


def rights_of(principal: Principal) -> Rights:
    """Return what a principal may do; nothing for a role that is not in the table."""
    return RIGHTS.get(principal.role, NO_RIGHTS)


READING = "conversations:read"
WRITING = "messages:write"
"""What a program's token needs to follow and fetch, and to send."""


def check_scope(principal: Principal, scope: str) -> None:
    """Let through whoever needs no scope or has it. Raises `NotAllowed`."""
    if principal.has_scope(scope):
        return
    if not scope:
        raise NotAllowed("No token may do this, only an agent who is logged in.")
    raise NotAllowed(f"This token does not have the scope {scope}.")


def sites_of(agent: Agent) -> frozenset[int] | None:
    """Return the sites that an agent's principal serves; admins serve all."""
    is_limited = agent.role is not Role.ADMIN and agent.sites is not None
    return frozenset(agent.sites or ()) if is_limited else None


def sees_row(sites: frozenset[int], row: Mapping[str, Any]) -> bool:
    """Whether whoever serves these sites sees a row of a watched list.

    A row says which site it is of (`site_id`), or which it serves (`sites`, none: all);
    one that says neither is for those who serve every site.
    """
    if "site_id" in row:
        return row["site_id"] in sites
    if "sites" in row:
        return not row["sites"] or not sites.isdisjoint(row["sites"])
    return False


def may_watch(principal: Principal, topic: str) -> bool:
    """Whether a principal may watch a list: a visitor only its own and its site's."""
    if topic in rights_of(principal).topics:
        return True
    if principal.role is not Role.VISITOR:
        return False
    site = principal.site_id
    own = [f"{QUEUE}{site}.{number}" for number in principal.numbers]
    return topic in (f"{STAFFED}{site}", *own)


def may_read(principal: Principal, conversation: Conversation) -> bool:
    """Whether a principal may see this conversation."""
    if rights_of(principal).reads_every_conversation:
        return principal.serves(conversation.site_id)
    return (
        principal.role is Role.VISITOR
        and principal.owns(conversation.visitor)
        and conversation.site_id == principal.site_id
    )


def readable(principal: Principal, conversation: Conversation | None) -> Conversation:
    """Return the conversation. Raises `NotFound` if it is absent or not theirs."""
    if conversation is None or not may_read(principal, conversation):
        raise NotFound
    return conversation
