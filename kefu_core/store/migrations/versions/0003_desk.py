"""The desk: teams, visits, left messages, files, programs and figures."""

import sqlalchemy as sa
from alembic import op

from kefu_core.store.migrations.steps import (
    add_column,
    create_index,
    create_table,
    drop_index,
)
from kefu_core.store.types import LONG_TEXT, ROW_ID, name

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_INDEXES = (
    ("canned_reply", ("scope", "owner", "id")),
    ("visit", ("site_id", "id")),
    ("visitor_alias", ("visitor", "id")),
    ("visit", ("visitor", "id")),
    ("page_view", ("visit_id", "id")),
    ("ban", ("kind", "value")),
    ("offline_message", ("site_id", "status", "id")),
    ("offline_message", ("status", "id")),
    ("offline_message", ("visitor", "id")),
    ("mail", ("status", "next_at")),
    ("attachment", ("conversation_id", "id")),
    ("attachment", ("status", "created_at")),
    ("rating", ("site_id", "at")),
    ("webhook_delivery", ("status", "next_at")),
    ("webhook_delivery", ("webhook_id", "id")),
    ("cached_translation", ("site_id", "text_key")),
    ("cached_translation", ("site_id", "id")),
    ("glossary_entry", ("site_id", "id")),
    ("conversation_day", ("site_id", "day", "id")),
    ("conversation", ("status", "assignee")),
)
_NEW_COLUMNS = {
    "site": ("secret", "settings"),
    "visitor": (
        "email",
        "phone",
        "notes",
        "attributes",
        "language",
        "chosen_language",
        "is_verified",
        "last_seen_at",
        "revision",
    ),
    "agent": ("email", "capacity", "sites", "is_one_time", "language"),
    "agent_session": ("address", "user_agent"),
    "conversation": (
        "team_id",
        "queued_at",
        "first_reply_at",
        "closed_at",
        "untranslated",
    ),
}
_TABLES = (
    "team",
    "agent_presence",
    "canned_reply",
    "visitor_identity",
    "visitor_alias",
    "visit",
    "page_view",
    "ban",
    "offline_message",
    "mail",
    "attachment",
    "rating",
    "api_token",
    "second_factor",
    "webhook",
    "webhook_delivery",
    "cached_translation",
    "glossary_entry",
    "translation_usage",
    "conversation_day",
    "day_figures",
    "audit_entry",
    "late_delivery",
)


def _id() -> sa.Column[int]:
    return sa.Column("id", ROW_ID, primary_key=True, autoincrement=False)


def _number(title: str) -> sa.Column[int]:
    return sa.Column(title, sa.BigInteger, nullable=False)


def _count(title: str) -> sa.Column[int]:
    return sa.Column(title, sa.Integer, nullable=False)


def _name(title: str, chars: int) -> sa.Column[str]:
    return sa.Column(title, name(chars), nullable=False)


def _text(title: str) -> sa.Column[str]:
    return sa.Column(title, LONG_TEXT, nullable=False)


def _short(title: str, chars: int) -> sa.Column[str]:
    """Of a table that has rows."""
    return sa.Column(title, name(chars), nullable=False, server_default="")


def _zero(title: str) -> sa.Column[int]:
    """Of a table that has rows."""
    return sa.Column(title, sa.BigInteger, nullable=False, server_default="0")


def upgrade() -> None:
    """Add columns and tables; nothing that is there is changed."""
    _add_columns()
    _create_agents()
    _create_visitors()
    _create_letters()
    _create_programs()
    _create_translations()
    _create_figures()
    _create_late_deliveries()
    for table, columns in _INDEXES:
        create_index(f"ix_{table}_" + "_".join(columns), table, columns)


def _add_columns() -> None:
    add_column("site", _short("secret", 100))
    add_column("site", sa.Column("settings", LONG_TEXT))
    add_column("visitor", _short("email", 320))
    add_column("visitor", _short("phone", 64))
    add_column("visitor", sa.Column("notes", LONG_TEXT))
    add_column("visitor", sa.Column("attributes", LONG_TEXT))
    add_column("visitor", _short("language", 16))
    add_column("visitor", _short("chosen_language", 35))
    is_verified = sa.Column(
        "is_verified", sa.Boolean, nullable=False, server_default=sa.false()
    )
    add_column("visitor", is_verified)
    add_column("visitor", _zero("last_seen_at"))
    add_column("visitor", _zero("revision"))
    add_column("agent", _short("email", 320))
    capacity = sa.Column("capacity", sa.Integer, nullable=False, server_default="0")
    add_column("agent", capacity)
    add_column("agent", sa.Column("sites", LONG_TEXT))
    is_one_time = sa.Column(
        "is_one_time", sa.Boolean, nullable=False, server_default=sa.false()
    )
    add_column("agent", is_one_time)
    add_column("agent", _short("language", 35))
    add_column("agent_session", _short("address", 64))
    add_column("agent_session", _short("user_agent", 400))
    for title in _NEW_COLUMNS["conversation"]:
        add_column("conversation", _zero(title))
    # What is folded from now on is guessed for what was there: good enough to queue by.
    op.execute(
        "UPDATE conversation SET queued_at = COALESCE(waiting_since, last_at) "
        "WHERE status = 'queued' AND last_seq > 0"
    )
    op.execute("UPDATE conversation SET closed_at = last_at WHERE status = 'closed'")


def _create_agents() -> None:
    create_table(
        "team",
        _id(),
        _name("name", 100),
        _text("agents"),
        sa.UniqueConstraint("name", name="uq_team_name"),
    )
    create_table(
        "agent_presence",
        _id(),
        _name("status", 16),
        _number("lease_until"),
        _number("changed_at"),
        _number("assigned_at"),
    )
    create_table(
        "canned_reply",
        _id(),
        _name("scope", 16),
        _number("owner"),
        _name("folder", 100),
        _name("shortcut", 40),
        _name("title", 200),
        _text("body"),
        _name("language", 16),
        _number("updated_at"),
        _text("translations"),
    )


def _create_visitors() -> None:
    create_table(
        "visitor_identity",
        _id(),
        _number("site_id"),
        _name("external_id", 200),
        sa.UniqueConstraint(
            "site_id", "external_id", name="uq_visitor_identity_site_id_external_id"
        ),
    )
    create_table(
        "visitor_alias",
        _id(),
        _number("site_id"),
        _name("visitor", 24),
        _number("created_at"),
    )
    create_table(
        "visit",
        _id(),
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
    )
    create_table(
        "page_view",
        _id(),
        _number("visit_id"),
        _text("url"),
        _name("title", 300),
        _number("at"),
        _count("seconds"),
    )
    create_table(
        "ban",
        _id(),
        _name("kind", 16),
        _name("value", 64),
        _number("site_id"),
        _name("reason", 400),
        _number("agent_id"),
        _number("created_at"),
        _number("expires_at"),
    )


def _create_letters() -> None:
    create_table(
        "offline_message",
        _id(),
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
        sa.UniqueConstraint(
            "visitor", "site_id", "key", name="uq_offline_message_visitor_site_id_key"
        ),
    )
    create_table(
        "mail",
        _id(),
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
        sa.UniqueConstraint("about", "key", name="uq_mail_about_key"),
    )
    create_table(
        "attachment",
        _id(),
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
        sa.UniqueConstraint(
            "conversation_id",
            "uploader",
            "key",
            name="uq_attachment_conversation_id_uploader_key",
        ),
    )
    create_table(
        "rating",
        _id(),
        _number("conversation_id"),
        _number("site_id"),
        _number("agent_id"),
        _count("score"),
        _text("comment"),
        _number("at"),
        sa.UniqueConstraint("conversation_id", name="uq_rating_conversation_id"),
    )


def _create_programs() -> None:
    create_table(
        "api_token",
        _id(),
        _name("name", 100),
        _name("token_hash", 64),
        _text("scopes"),
        _number("agent_id"),
        _number("created_at"),
        _number("last_used_at"),
        _number("expires_at"),
        sa.UniqueConstraint("token_hash", name="uq_api_token_token_hash"),
    )
    create_table(
        "second_factor",
        _id(),
        _name("nonce", 64),
        _number("confirmed_at"),
        _number("last_step"),
        _text("codes"),
        _number("revision"),
    )
    create_table(
        "webhook",
        _id(),
        _text("url"),
        _name("secret", 100),
        _text("events"),
        _number("site_id"),
        sa.Column("is_active", sa.Boolean, nullable=False),
        _number("created_at"),
        _number("revision"),
        _number("told_from"),
        _number("failing_since"),
        _name("note", 400),
    )
    create_table(
        "webhook_delivery",
        _id(),
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
        sa.UniqueConstraint(
            "webhook_id", "source", name="uq_webhook_delivery_webhook_id_source"
        ),
    )


def _create_translations() -> None:
    create_table(
        "cached_translation",
        _id(),
        _number("site_id"),
        _name("key", 64),
        _name("text_key", 64),
        _text("body"),
        _name("source", 35),
        _name("provider", 64),
        _count("chars"),
        _number("created_at"),
        sa.UniqueConstraint("site_id", "key", name="uq_cached_translation_site_id_key"),
    )
    create_table(
        "glossary_entry",
        _id(),
        _number("site_id"),
        _name("source", 35),
        _name("target", 35),
        _name("text_key", 64),
        _text("body"),
        _text("translation"),
        _number("agent_id"),
        _number("updated_at"),
        sa.UniqueConstraint(
            "site_id",
            "text_key",
            "target",
            "source",
            name="uq_glossary_entry_site_id_text_key_target_source",
        ),
    )
    create_table(
        "translation_usage",
        _id(),
        _number("site_id"),
        _number("day"),
        _number("chars"),
        _number("calls"),
        _number("hits"),
        sa.UniqueConstraint("site_id", "day", name="uq_translation_usage_site_id_day"),
    )


def _create_figures() -> None:
    create_table(
        "conversation_day",
        _id(),
        _number("conversation_id"),
        _number("site_id"),
        _number("day"),
        _text("figures"),
        sa.UniqueConstraint(
            "conversation_id",
            "day",
            name="uq_conversation_day_conversation_id_day",
        ),
    )
    create_table(
        "day_figures",
        _id(),
        _number("day"),
        _number("site_id"),
        _number("agent_id"),
        _number("opened"),
        _number("closed"),
        _number("missed"),
        _number("messages_in"),
        _number("messages_out"),
        _number("first_reply_ms"),
        _number("first_replies"),
        _number("handling_ms"),
        _number("handled"),
        _number("rating_sum"),
        _number("ratings"),
        sa.UniqueConstraint(
            "day", "site_id", "agent_id", name="uq_day_figures_day_site_id_agent_id"
        ),
    )
    create_table(
        "audit_entry",
        _id(),
        _number("at"),
        _name("who", 24),
        _name("action", 64),
        _name("target", 200),
        _text("data"),
        _name("address", 64),
    )


def _create_late_deliveries() -> None:
    create_table(
        "late_delivery",
        sa.Column(
            "conversation_id",
            sa.BigInteger,
            sa.ForeignKey("conversation.id"),
            primary_key=True,
        ),
        sa.Column("participant", name(24), primary_key=True),
        sa.Column("first_seq", sa.BigInteger, primary_key=True, autoincrement=False),
        _number("last_seq"),
        _number("heard_at"),
        _number("here_since"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Go back; all of the desk but conversations is lost."""
    drop_index("ix_conversation_status_assignee", "conversation")
    for title in reversed(_TABLES):
        op.drop_table(title)
    # On SQL Server a default is a constraint with a name of its own, and goes first.
    for table, columns in _NEW_COLUMNS.items():
        for title in columns:
            op.drop_column(table, title, mssql_drop_default=True)
