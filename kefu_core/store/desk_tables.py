"""The tables of the desk's records, and which record each of them keeps."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    Table,
    UniqueConstraint,
)

from kefu_core import records as r
from kefu_core.store import tables as t
from kefu_core.store.types import LONG_TEXT, name


def _number(title: str) -> Column[int]:
    return Column(title, BigInteger, nullable=False)


def _count(title: str) -> Column[int]:
    return Column(title, Integer, nullable=False)


def _name(title: str, chars: int) -> Column[str]:
    return Column(title, name(chars), nullable=False)


def _text(title: str) -> Column[str]:
    """Text of people, or JSON; MySQL has no defaults for such a column."""
    return Column(title, LONG_TEXT, nullable=False)


team = t.table("team", t.row_id(), _name("name", 100), _text("agents"))
team.append_constraint(UniqueConstraint("name"))

agent_presence = t.table(
    "agent_presence",
    t.row_id(),
    _name("status", 16),
    _number("lease_until"),
    _number("changed_at"),
    _number("assigned_at"),
)

canned_reply = t.table(
    "canned_reply",
    t.row_id(),
    _name("scope", 16),
    _number("owner"),
    _name("folder", 100),
    _name("shortcut", 40),
    _name("title", 200),
    _text("body"),
    _name("language", 16),
    _number("updated_at"),
    _text("translations"),
    Index(None, "scope", "owner", "id"),
)

visitor_identity = t.table(
    "visitor_identity",
    t.row_id(),
    _number("site_id"),
    _name("external_id", 200),
    UniqueConstraint("site_id", "external_id"),
)

visitor_alias = t.table(
    "visitor_alias",
    t.row_id(),
    _number("site_id"),
    _name("visitor", 24),
    _number("created_at"),
    Index(None, "visitor", "id"),
)

visit = t.table(
    "visit",
    t.row_id(),
    _number("site_id"),
    _name("visitor", 24),
    _number("started_at"),
    _number("last_seen_at"),
    _name("address", 64),
    _name("user_agent", 400),
    _name("language", 16),
    _name("screen", 32),
    _text("referrer"),
    _count("pages"),
    _text("invitations"),
    Index(None, "visitor", "id"),
    Index(None, "site_id", "id"),
)

page_view = t.table(
    "page_view",
    t.row_id(),
    _number("visit_id"),
    _text("url"),
    _name("title", 300),
    _number("at"),
    _count("seconds"),
    Index(None, "visit_id", "id"),
)

ban = t.table(
    "ban",
    t.row_id(),
    _name("kind", 16),
    _name("value", 64),
    _number("site_id"),
    _name("reason", 400),
    _number("agent_id"),
    _number("created_at"),
    _number("expires_at"),
    Index(None, "kind", "value"),
)

offline_message = t.table(
    "offline_message",
    t.row_id(),
    _number("site_id"),
    _name("visitor", 24),
    _name("key", 64),
    _name("name", 200),
    _name("email", 320),
    _name("phone", 64),
    _text("body"),
    _text("page"),
    _name("language", 16),
    _name("status", 16),
    _number("agent_id"),
    _number("created_at"),
    _number("handled_at"),
    _number("conversation_id"),
    Index(None, "status", "id"),
    Index(None, "site_id", "status", "id"),
    Index(None, "visitor", "id"),
    UniqueConstraint("visitor", "site_id", "key"),
)

mail = t.table(
    "mail",
    t.row_id(),
    _name("recipient", 320),
    _name("key", 64),
    _name("reply_to", 320),
    _name("sender_name", 200),
    _name("subject", 400),
    _text("body"),
    _number("about"),
    _number("created_at"),
    _name("status", 16),
    _count("attempts"),
    _number("next_at"),
    _name("error", 400),
    Index(None, "status", "next_at"),
    UniqueConstraint("about", "key"),
)

attachment = t.table(
    "attachment",
    t.row_id(),
    _number("site_id"),
    _number("conversation_id"),
    _name("uploader", 24),
    _name("key", 64),
    _name("name", 300),
    _name("media_type", 100),
    _number("size"),
    _count("width"),
    _count("height"),
    _name("sha256", 64),
    _name("storage_key", 200),
    _name("thumbnail_key", 200),
    _name("status", 16),
    _number("created_at"),
    Index(None, "conversation_id", "id"),
    Index(None, "status", "created_at"),
    UniqueConstraint("conversation_id", "uploader", "key"),
)

rating = t.table(
    "rating",
    t.row_id(),
    _number("conversation_id"),
    _number("site_id"),
    _number("agent_id"),
    _count("score"),
    _text("comment"),
    _number("at"),
    UniqueConstraint("conversation_id"),
    Index(None, "site_id", "at"),
)

api_token = t.table(
    "api_token",
    t.row_id(),
    _name("name", 100),
    _name("token_hash", 64),
    _text("scopes"),
    _number("agent_id"),
    _number("created_at"),
    _number("last_used_at"),
    _number("expires_at"),
    UniqueConstraint("token_hash"),
)

second_factor = t.table(
    "second_factor",
    t.row_id(),
    _name("nonce", 64),
    _number("confirmed_at"),
    _number("last_step"),
    _text("codes"),
    _number("revision"),
)

webhook = t.table(
    "webhook",
    t.row_id(),
    _text("url"),
    _name("secret", 100),
    _text("events"),
    _number("site_id"),
    Column("is_active", Boolean, nullable=False),
    _number("created_at"),
    _number("revision"),
    _number("told_from"),
    _number("failing_since"),
    _name("note", 400),
)

webhook_delivery = t.table(
    "webhook_delivery",
    t.row_id(),
    _number("webhook_id"),
    _name("event", 64),
    _name("source", 64),
    _text("payload"),
    _number("created_at"),
    _name("status", 16),
    _count("attempts"),
    _number("next_at"),
    _count("response_status"),
    _name("error", 400),
    Index(None, "status", "next_at"),
    Index(None, "webhook_id", "id"),
    UniqueConstraint("webhook_id", "source"),
)

cached_translation = t.table(
    "cached_translation",
    t.row_id(),
    _number("site_id"),
    _name("key", 64),
    _name("text_key", 64),
    _text("body"),
    _name("source", 35),
    _name("provider", 64),
    _count("chars"),
    _number("created_at"),
    UniqueConstraint("site_id", "key"),
    Index(None, "site_id", "text_key"),
    Index(None, "site_id", "id"),
)

glossary_entry = t.table(
    "glossary_entry",
    t.row_id(),
    _number("site_id"),
    _name("source", 35),
    _name("target", 35),
    _name("text_key", 64),
    _text("body"),
    _text("translation"),
    _number("agent_id"),
    _number("updated_at"),
    UniqueConstraint("site_id", "text_key", "target", "source"),
    Index(None, "site_id", "id"),
)

translation_usage = t.table(
    "translation_usage",
    t.row_id(),
    _number("site_id"),
    _number("day"),
    _number("chars"),
    _number("calls"),
    _number("hits"),
    UniqueConstraint("site_id", "day"),
)

conversation_day = t.table(
    "conversation_day",
    t.row_id(),
    _number("conversation_id"),
    _number("site_id"),
    _number("day"),
    _text("figures"),
    UniqueConstraint("conversation_id", "day"),
    Index(None, "site_id", "day", "id"),
)

day_figures = t.table(
    "day_figures",
    t.row_id(),
    _number("day"),
    _number("site_id"),
    _number("agent_id"),
    *(
        _number(title)
        for title in (
            "opened",
            "closed",
            "missed",
            "messages_in",
            "messages_out",
            "first_reply_ms",
            "first_replies",
            "handling_ms",
            "handled",
            "rating_sum",
            "ratings",
        )
    ),
    UniqueConstraint("day", "site_id", "agent_id"),
)

audit_entry = t.table(
    "audit_entry",
    t.row_id(),
    _number("at"),
    _name("who", 24),
    _name("action", 64),
    _name("target", 200),
    _text("data"),
    _name("address", 64),
)

metadata = t.metadata
"""Of all tables, since those of `tables` are there before these."""

TABLES: dict[type[r.Record], Table] = {
    r.Team: team,
    r.AgentPresence: agent_presence,
    r.CannedReply: canned_reply,
    r.VisitorProfile: t.visitor,
    r.VisitorIdentity: visitor_identity,
    r.VisitorAlias: visitor_alias,
    r.Visit: visit,
    r.PageView: page_view,
    r.Ban: ban,
    r.OfflineMessage: offline_message,
    r.Mail: mail,
    r.Attachment: attachment,
    r.Rating: rating,
    r.ApiToken: api_token,
    r.SecondFactor: second_factor,
    r.Webhook: webhook,
    r.WebhookDelivery: webhook_delivery,
    r.CachedTranslation: cached_translation,
    r.GlossaryEntry: glossary_entry,
    r.TranslationUsage: translation_usage,
    r.ConversationDay: conversation_day,
    r.DayFigures: day_figures,
    r.AuditEntry: audit_entry,
}
