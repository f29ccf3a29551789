"""One metadata for all engines. Ids and times are 64-bit integers everywhere."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

installation = Table(
    "installation",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", String(32), nullable=False),
)

site = Table(
    "site",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", String(200), nullable=False),
    Column("embed_key", String(64), nullable=False, unique=True),
    Column("allowed_origins", Text, nullable=False),
    Column("locale", String(16), nullable=False),
)

visitor = Table(
    "visitor",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("site_id", ForeignKey("site.id"), nullable=False),
    Column("name", String(200), nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

agent = Table(
    "agent",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("login", String(200), nullable=False),
    Column("login_folded", String(200), nullable=False, unique=True),
    Column("name", String(200), nullable=False),
    Column("password_hash", String(200), nullable=False),
    Column("role", String(16), nullable=False),
    Column("is_active", Boolean, nullable=False),
)

agent_session = Table(
    "agent_session",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("agent_id", ForeignKey("agent.id"), nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("last_used_at", BigInteger, nullable=False),
)

conversation = Table(
    "conversation",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("site_id", ForeignKey("site.id"), nullable=False),
    Column("visitor", String(24), nullable=False),
    Column("status", String(16), nullable=False),
    Column("assignee", String(24)),
    Column("last_seq", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Column("last_sender", String(24)),
    Column("last_line", String(200), nullable=False),
    Column("waiting_since", BigInteger),
    Column("opened_at", BigInteger, nullable=False),
    Index(None, "visitor", "site_id", "last_at"),
    Index(None, "last_at", "id"),
    Index(None, "status", "waiting_since"),
)

message = Table(
    "message",
    metadata,
    Column("conversation_id", ForeignKey("conversation.id"), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("sender", String(24), nullable=False),
    Column("key", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("body", Text, nullable=False),
    Column("data", Text),
    Column("ref", BigInteger),
    Column("at", BigInteger, nullable=False),
    UniqueConstraint("conversation_id", "sender", "key"),
    # The log is read by (conversation, seq) and by nothing else: clustered on it.
    sqlite_with_rowid=False,
)

participant = Table(
    "participant",
    metadata,
    Column("conversation_id", ForeignKey("conversation.id"), primary_key=True),
    Column("participant", String(24), primary_key=True),
    Column("delivered", BigInteger, nullable=False),
    Column("read", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
