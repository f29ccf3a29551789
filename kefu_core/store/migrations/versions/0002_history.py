"""History: lists by quarter hours, labels, retention, digests and the search index."""

import sqlalchemy as sa
from alembic import op

from kefu_core.store.migrations.steps import (
    add_column,
    create_index,
    create_table,
    drop_index,
)
from kefu_core.store.types import BYTES, LONG_TEXT, ROW_ID, name

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_QUARTER_MS = 900_000

_NEW_INDEXES = (
    ("active_at", "id"),
    ("site_id", "active_at", "id"),
    ("visitor", "active_at", "id"),
    ("assignee", "active_at", "id"),
    ("status", "active_at", "id"),
    ("site_id", "kept_from", "id"),
)
_OLD_INDEXES = (
    "ix_conversation_visitor_site_id_last_at",
    "ix_conversation_last_at_id",
    "ix_conversation_status_waiting_since",
)


def upgrade() -> None:
    """Add columns and tables; fill in what follows from the rows that are there."""
    add_column(
        "site",
        sa.Column("retention_days", sa.Integer, nullable=False, server_default="0"),
    )
    add_column("message", sa.Column("digest", sa.BigInteger))
    _change_conversation()
    _create_labels()
    _create_search()


def _change_conversation() -> None:
    for title in ("active_at", "kept_from"):
        column = sa.Column(title, sa.BigInteger, nullable=False, server_default="0")
        add_column("conversation", column)
    add_column("conversation", sa.Column("labels", LONG_TEXT))
    # The remainder instead of a division, which engines round in different ways.
    op.execute(
        sa.text(
            f"UPDATE conversation SET active_at = last_at - last_at % {_QUARTER_MS}, "  # noqa: S608
            "kept_from = opened_at"
        )
    )
    for columns in _NEW_INDEXES:
        create_index("ix_conversation_" + "_".join(columns), "conversation", columns)
    for title in _OLD_INDEXES:
        drop_index(title, "conversation")


def _create_labels() -> None:
    create_table(
        "conversation_label",
        sa.Column(
            "conversation_id",
            sa.BigInteger,
            sa.ForeignKey("conversation.id"),
            primary_key=True,
        ),
        sa.Column("label", name(40), primary_key=True),
        sa.Column("active_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    columns = ("label", "active_at", "conversation_id")
    title = "ix_conversation_label_" + "_".join(columns)
    create_index(title, "conversation_label", columns)


def _create_search() -> None:
    create_table(
        "follower",
        sa.Column("name", name(32), primary_key=True),
        sa.Column("position", sa.BigInteger, nullable=False),
    )
    create_table(
        "search_cursor",
        sa.Column("conversation_id", ROW_ID, primary_key=True, autoincrement=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
    )
    create_table(
        "search_document",
        sa.Column("id", ROW_ID, primary_key=True, autoincrement=False),
        sa.Column("conversation_id", sa.BigInteger, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
    )
    create_table(
        "search_segment",
        sa.Column("id", ROW_ID, primary_key=True, autoincrement=False),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("documents", sa.BigInteger, nullable=False),
        sa.Column("is_whole", sa.Boolean, nullable=False),
    )
    create_table(
        "search_posting",
        *(
            sa.Column(title, sa.BigInteger, primary_key=True, autoincrement=False)
            for title in ("segment_id", "term", "newest")
        ),
        sa.Column("documents", BYTES, nullable=False),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Go back to the first schema; labels, retention and the index are lost."""
    for title in (
        "search_posting",
        "search_segment",
        "search_document",
        "search_cursor",
        "follower",
        "conversation_label",
    ):
        op.drop_table(title)
    for columns in (
        ("visitor", "site_id", "last_at"),
        ("last_at", "id"),
        ("status", "waiting_since"),
    ):
        create_index("ix_conversation_" + "_".join(columns), "conversation", columns)
    for columns in _NEW_INDEXES:
        drop_index("ix_conversation_" + "_".join(columns), "conversation")
    # On SQL Server a default is a constraint with a name of its own, and goes first.
    for title in ("active_at", "kept_from", "labels"):
        op.drop_column("conversation", title, mssql_drop_default=True)
    op.drop_column("message", "digest")
    op.drop_column("site", "retention_days", mssql_drop_default=True)
