"""The first schema: sites, people, conversations and the log."""

import sqlalchemy as sa
from alembic import op

from kefu_core.store.migrations.steps import create_index, create_table
from kefu_core.store.types import LONG_TEXT, ROW_ID, name

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table."""
    create_table(
        "installation",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", name(32), nullable=False),
    )
    create_table(
        "site",
        sa.Column("id", ROW_ID, primary_key=True, autoincrement=False),
        sa.Column("name", name(200), nullable=False),
        sa.Column("embed_key", name(64), nullable=False),
        sa.Column("allowed_origins", LONG_TEXT, nullable=False),
        sa.Column("locale", name(16), nullable=False),
        sa.UniqueConstraint("embed_key", name="uq_site_embed_key"),
    )
    create_table(
        "visitor",
        sa.Column("id", ROW_ID, primary_key=True, autoincrement=False),
        sa.Column("site_id", sa.BigInteger, sa.ForeignKey("site.id"), nullable=False),
        sa.Column("name", name(200), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    _create_agents()
    _create_conversations()


def _create_agents() -> None:
    create_table(
        "agent",
        sa.Column("id", ROW_ID, primary_key=True, autoincrement=False),
        sa.Column("login", name(200), nullable=False),
        sa.Column("login_folded", name(200), nullable=False),
        sa.Column("name", name(200), nullable=False),
        sa.Column("password_hash", name(200), nullable=False),
        sa.Column("role", name(16), nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.UniqueConstraint("login_folded", name="uq_agent_login_folded"),
    )
    create_table(
        "agent_session",
        sa.Column("token_hash", name(64), primary_key=True),
        sa.Column("agent_id", sa.BigInteger, sa.ForeignKey("agent.id"), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("last_used_at", sa.BigInteger, nullable=False),
    )
    create_index("ix_agent_session_agent_id", "agent_session", ["agent_id"])


def _create_conversations() -> None:
    create_table(
        "conversation",
        sa.Column("id", ROW_ID, primary_key=True, autoincrement=False),
        sa.Column("site_id", sa.BigInteger, sa.ForeignKey("site.id"), nullable=False),
        sa.Column("visitor", name(24), nullable=False),
        sa.Column("status", name(16), nullable=False),
        sa.Column("assignee", name(24)),
        sa.Column("last_seq", sa.BigInteger, nullable=False),
        sa.Column("last_at", sa.BigInteger, nullable=False),
        sa.Column("last_sender", name(24)),
        sa.Column("last_line", name(200), nullable=False),
        sa.Column("waiting_since", sa.BigInteger),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
    )
    create_index(
        "ix_conversation_visitor_site_id_last_at",
        "conversation",
        ["visitor", "site_id", "last_at"],
    )
    create_index("ix_conversation_last_at_id", "conversation", ["last_at", "id"])
    create_index(
        "ix_conversation_status_waiting_since",
        "conversation",
        ["status", "waiting_since"],
    )
    create_table(
        "message",
        sa.Column(
            "conversation_id",
            sa.BigInteger,
            sa.ForeignKey("conversation.id"),
            primary_key=True,
        ),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("sender", name(24), nullable=False),
        sa.Column("key", name(64), nullable=False),
        sa.Column("kind", name(16), nullable=False),
        sa.Column("body", LONG_TEXT, nullable=False),
        sa.Column("data", LONG_TEXT),
        sa.Column("ref", sa.BigInteger),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint(
            "conversation_id",
            "sender",
            "key",
            name="uq_message_conversation_id_sender_key",
        ),
        sqlite_with_rowid=False,
    )
    create_table(
        "participant",
        sa.Column(
            "conversation_id",
            sa.BigInteger,
            sa.ForeignKey("conversation.id"),
            primary_key=True,
        ),
        sa.Column("participant", name(24), primary_key=True),
        sa.Column("delivered", sa.BigInteger, nullable=False),
        sa.Column("read", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop everything."""
    for title in (
        "participant",
        "message",
        "conversation",
        "agent_session",
        "agent",
        "visitor",
        "site",
        "installation",
    ):
        op.drop_table(title)
