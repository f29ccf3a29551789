"""One metadata for all engines. Ids and times are 64-bit integers everywhere.

What an append changes of a conversation carries no index: `last_seq`, `last_at`,
`last_line`, `last_sender`, `waiting_since`. Lists are ordered by `active_at`, which is
`last_at` rounded down to a quarter of an hour, so that an index changes at most every
fifteen minutes however fast people write. (Every time zone is a whole number of
quarters from UTC, so days begin on one.)
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    UniqueConstraint,
)

from kefu_core.store.types import BYTES, LONG_TEXT, MYSQL_OPTIONS, ROW_ID, name

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _table(title: str, *parts: Any, **options: Any) -> Table:
    return Table(title, metadata, *parts, **MYSQL_OPTIONS, **options)


def _row_id() -> Column[int]:
    return Column("id", ROW_ID, primary_key=True, autoincrement=False)


installation = _table(
    "installation",
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", name(32), nullable=False),
)

site = _table(
    "site",
    _row_id(),
    Column("name", name(200), nullable=False),
    Column("embed_key", name(64), nullable=False, unique=True),
    Column("allowed_origins", LONG_TEXT, nullable=False),
    Column("locale", name(16), nullable=False),
    # Messages are blanked after so many days; 0 keeps them.
    Column("retention_days", Integer, nullable=False, server_default="0"),
)

visitor = _table(
    "visitor",
    _row_id(),
    Column("site_id", ForeignKey("site.id"), nullable=False),
    Column("name", name(200), nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

agent = _table(
    "agent",
    _row_id(),
    Column("login", name(200), nullable=False),
    Column("login_folded", name(200), nullable=False, unique=True),
    Column("name", name(200), nullable=False),
    Column("password_hash", name(200), nullable=False),
    Column("role", name(16), nullable=False),
    Column("is_active", Boolean, nullable=False),
)

agent_session = _table(
    "agent_session",
    Column("token_hash", name(64), primary_key=True),
    Column("agent_id", ForeignKey("agent.id"), nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("last_used_at", BigInteger, nullable=False),
)

conversation = _table(
    "conversation",
    _row_id(),
    Column("site_id", ForeignKey("site.id"), nullable=False),
    Column("visitor", name(24), nullable=False),
    Column("status", name(16), nullable=False),
    Column("assignee", name(24)),
    Column("last_seq", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Column("last_sender", name(24)),
    Column("last_line", name(200), nullable=False),
    Column("waiting_since", BigInteger),
    Column("opened_at", BigInteger, nullable=False),
    Column("active_at", BigInteger, nullable=False, server_default="0"),
    # JSON list of texts; empty for none. `conversation_label` has the same, to search.
    Column("labels", LONG_TEXT),
    # No message before this moment has content any more: where retention goes on.
    Column("kept_from", BigInteger, nullable=False, server_default="0"),
    Index(None, "active_at", "id"),
    Index(None, "site_id", "active_at", "id"),
    Index(None, "visitor", "active_at", "id"),
    Index(None, "assignee", "active_at", "id"),
    Index(None, "status", "active_at", "id"),
    Index(None, "site_id", "kept_from", "id"),
)

conversation_label = _table(
    "conversation_label",
    Column("conversation_id", ForeignKey("conversation.id"), primary_key=True),
    Column("label", name(40), primary_key=True),
    Column("active_at", BigInteger, nullable=False),
    Index(None, "label", "active_at", "conversation_id"),
    sqlite_with_rowid=False,
)

message = _table(
    "message",
    Column("conversation_id", ForeignKey("conversation.id"), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("sender", name(24), nullable=False),
    Column("key", name(64), nullable=False),
    Column("kind", name(16), nullable=False),
    Column("body", LONG_TEXT, nullable=False),
    Column("data", LONG_TEXT),
    Column("ref", BigInteger),
    Column("at", BigInteger, nullable=False),
    # Of all the columns above (`store.rows.digest_of`); NULL in rows older than it.
    Column("digest", BigInteger),
    UniqueConstraint("conversation_id", "sender", "key"),
    # The log is read by (conversation, seq) and by nothing else: clustered on it.
    sqlite_with_rowid=False,
)

participant = _table(
    "participant",
    Column("conversation_id", ForeignKey("conversation.id"), primary_key=True),
    Column("participant", name(24), primary_key=True),
    Column("delivered", BigInteger, nullable=False),
    Column("read", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# -- the search index: derived from the log, may be dropped and made again -------------

follower = _table(
    "follower",
    Column("name", name(32), primary_key=True),
    # Everything active before this moment is done (Unix ms, a quarter of an hour).
    Column("position", BigInteger, nullable=False),
)

search_cursor = _table(
    "search_cursor",
    Column("conversation_id", ROW_ID, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
)

search_document = _table(
    "search_document",
    # The message's time and a number within its millisecond: order is time's order.
    _row_id(),
    Column("conversation_id", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
)

search_segment = _table(
    "search_segment",
    _row_id(),
    Column("level", Integer, nullable=False),
    Column("documents", BigInteger, nullable=False),
    # 0 while a merge still writes it: not read, removed if the merge died.
    Column("is_whole", Boolean, nullable=False),
)

search_posting = _table(
    "search_posting",
    Column("segment_id", BigInteger, primary_key=True, autoincrement=False),
    Column("term", BigInteger, primary_key=True, autoincrement=False),
    # The greatest document id of this row: newest first is one step in the key.
    Column("newest", BigInteger, primary_key=True, autoincrement=False),
    Column("documents", BYTES, nullable=False),
    sqlite_with_rowid=False,
)
