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
    false,
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


def table(title: str, *parts: Any, **options: Any) -> Table:
    """Return a table of this metadata."""
    return Table(title, metadata, *parts, **MYSQL_OPTIONS, **options)


def row_id() -> Column[int]:
    """Return the primary key `id`, given by whoever makes the row."""
    return Column("id", ROW_ID, primary_key=True, autoincrement=False)


installation = table(
    "installation",
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", name(32), nullable=False),
)

site = table(
    "site",
    row_id(),
    Column("name", name(200), nullable=False),
    Column("embed_key", name(64), nullable=False, unique=True),
    Column("allowed_origins", LONG_TEXT, nullable=False),
    Column("locale", name(16), nullable=False),
    # Messages are blanked after so many days; 0 keeps them.
    Column("retention_days", Integer, nullable=False, server_default="0"),
    # Signs who a visitor is; never leaves the server but to its admins.
    Column("secret", name(100), nullable=False, server_default=""),
    # JSON of `SiteSettings`; NULL for all its defaults.
    Column("settings", LONG_TEXT),
)

visitor = table(
    "visitor",
    row_id(),
    Column("site_id", ForeignKey("site.id"), nullable=False),
    Column("name", name(200), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("email", name(320), nullable=False, server_default=""),
    Column("phone", name(64), nullable=False, server_default=""),
    Column("notes", LONG_TEXT),
    # JSON object, set by the host page.
    Column("attributes", LONG_TEXT),
    Column("language", name(16), nullable=False, server_default=""),
    # What it has chosen; empty for what its browser and its texts say.
    Column("chosen_language", name(35), nullable=False, server_default=""),
    Column("is_verified", Boolean, nullable=False, server_default=false()),
    Column("last_seen_at", BigInteger, nullable=False, server_default="0"),
    Column("revision", BigInteger, nullable=False, server_default="0"),
)

agent = table(
    "agent",
    row_id(),
    Column("login", name(200), nullable=False),
    Column("login_folded", name(200), nullable=False, unique=True),
    Column("name", name(200), nullable=False),
    Column("password_hash", name(200), nullable=False),
    Column("role", name(16), nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("email", name(320), nullable=False, server_default=""),
    # Conversations at once; 0 for as many as there are.
    Column("capacity", Integer, nullable=False, server_default="0"),
    # JSON list of the sites it answers for; NULL for all.
    Column("sites", LONG_TEXT),
    # The password was set by somebody else: it is good for choosing another only.
    Column("is_one_time", Boolean, nullable=False, server_default=false()),
    # What it reads and writes; empty for what its sites say.
    Column("language", name(35), nullable=False, server_default=""),
)

agent_session = table(
    "agent_session",
    Column("token_hash", name(64), primary_key=True),
    Column("agent_id", ForeignKey("agent.id"), nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("last_used_at", BigInteger, nullable=False),
    Column("address", name(64), nullable=False, server_default=""),
    Column("user_agent", name(400), nullable=False, server_default=""),
)

conversation = table(
    "conversation",
    row_id(),
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
    Column("team_id", BigInteger, nullable=False, server_default="0"),
    # Since when it waits in the queue, its first answer and its end; 0 for not yet.
    Column("queued_at", BigInteger, nullable=False, server_default="0"),
    Column("first_reply_at", BigInteger, nullable=False, server_default="0"),
    Column("closed_at", BigInteger, nullable=False, server_default="0"),
    # Bits: who wants no translations.
    Column("untranslated", BigInteger, nullable=False, server_default="0"),
    Index(None, "active_at", "id"),
    Index(None, "site_id", "active_at", "id"),
    Index(None, "visitor", "active_at", "id"),
    Index(None, "assignee", "active_at", "id"),
    Index(None, "status", "active_at", "id"),
    Index(None, "status", "assignee"),
    Index(None, "site_id", "kept_from", "id"),
)

conversation_label = table(
    "conversation_label",
    Column("conversation_id", ForeignKey("conversation.id"), primary_key=True),
    Column("label", name(40), primary_key=True),
    Column("active_at", BigInteger, nullable=False),
    Index(None, "label", "active_at", "conversation_id"),
    sqlite_with_rowid=False,
)

message = table(
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

participant = table(
    "participant",
    Column("conversation_id", ForeignKey("conversation.id"), primary_key=True),
    Column("participant", name(24), primary_key=True),
    Column("delivered", BigInteger, nullable=False),
    Column("read", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Cursors that rose over what had waited: which messages, and since when those whom they
# are for could have had them. How long each has waited is in the log.
late_delivery = table(
    "late_delivery",
    Column("conversation_id", ForeignKey("conversation.id"), primary_key=True),
    Column("participant", name(24), primary_key=True),
    Column("first_seq", BigInteger, primary_key=True, autoincrement=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("heard_at", BigInteger, nullable=False),
    Column("here_since", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# -- the search index: derived from the log, may be dropped and made again -------------

follower = table(
    "follower",
    Column("name", name(32), primary_key=True),
    # Everything active before this moment is done (Unix ms, a quarter of an hour).
    Column("position", BigInteger, nullable=False),
)

search_cursor = table(
    "search_cursor",
    Column("conversation_id", ROW_ID, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
)

search_document = table(
    "search_document",
    # The message's time and a number within its millisecond: order is time's order.
    row_id(),
    Column("conversation_id", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
)

search_segment = table(
    "search_segment",
    row_id(),
    Column("level", Integer, nullable=False),
    Column("documents", BigInteger, nullable=False),
    # 0 while a merge still writes it: not read, removed if the merge died.
    Column("is_whole", Boolean, nullable=False),
)

search_posting = table(
    "search_posting",
    Column("segment_id", BigInteger, primary_key=True, autoincrement=False),
    Column("term", BigInteger, primary_key=True, autoincrement=False),
    # The greatest document id of this row: newest first is one step in the key.
    Column("newest", BigInteger, primary_key=True, autoincrement=False),
    Column("documents", BYTES, nullable=False),
    sqlite_with_rowid=False,
)
