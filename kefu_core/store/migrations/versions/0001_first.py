"""The first schema: sites, people, conversations and the log."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.String(32), nullable=False),
    )
    op.create_table(
        "site",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("embed_key", sa.String(64), nullable=False),
        sa.Column("allowed_origins", sa.Text, nullable=False),
        sa.Column("locale", sa.String(16), nullable=False),
        sa.UniqueConstraint("embed_key", name="uq_site_embed_key"),
    )
    op.create_table(
        "visitor",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("site_id", sa.BigInteger, sa.ForeignKey("site.id"), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    _create_agents()
    _create_conversations()


def _create_agents() -> None:
    op.create_table(
        "agent",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("login", sa.String(200), nullable=False),
        sa.Column("login_folded", sa.String(200), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("password_hash", sa.String(200), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.UniqueConstraint("login_folded", name="uq_agent_login_folded"),
    )
    op.create_table(
        "agent_session",
        sa.Column("token_hash", sa.String(64), primary_key=True),
        sa.Column("agent_id", sa.BigInteger, sa.ForeignKey("agent.id"), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("last_used_at", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_agent_session_agent_id", "agent_session", ["agent_id"])


def _create_conversations() -> None:
    op.create_table(
        "conversation",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("site_id", sa.BigInteger, sa.ForeignKey("site.id"), nullable=False),
        sa.Column("visitor", sa.String(24), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("assignee", sa.String(24)),
        sa.Column("last_seq", sa.BigInteger, nullable=False),
        sa.Column("last_at", sa.BigInteger, nullable=False),
        sa.Column("last_sender", sa.String(24)),
        sa.Column("last_line", sa.String(200), nullable=False),
        sa.Column("waiting_since", sa.BigInteger),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
    )
    op.create_index(
        "ix_conversation_visitor_site_id_last_at",
        "conversation",
        ["visitor", "site_id", "last_at"],
    )
    op.create_index("ix_conversation_last_at_id", "conversation", ["last_at", "id"])
    op.create_index(
        "ix_conversation_status_waiting_since",
        "conversation",
        ["status", "waiting_since"],
    )
    op.create_table(
        "message",
        sa.Column(
            "conversation_id",
            sa.BigInteger,
            sa.ForeignKey("conversation.id"),
            primary_key=True,
        ),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("sender", sa.String(24), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("data", sa.Text),
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
    op.create_table(
        "participant",
        sa.Column(
            "conversation_id",
            sa.BigInteger,
            sa.ForeignKey("conversation.id"),
            primary_key=True,
        ),
        sa.Column("participant", sa.String(24), primary_key=True),
        sa.Column("delivered", sa.BigInteger, nullable=False),
        sa.Column("read", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Drop everything."""
    for name in (
        "participant",
        "message",
        "conversation",
        "agent_session",
        "agent",
        "visitor",
        "site",
        "installation",
    ):
        op.drop_table(name)
