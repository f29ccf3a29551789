"""The lines of an archive: what `kefu export --format jsonl` writes, `import` reads.

A new record or field also needs: `docs/reference/archive.md`, the writer
(`upkeep/jsonlines.py`) and the reader (`upkeep/importing.py`). Fields may be added
with a default; anything else is a new version.
"""

from typing import Any, Literal

import msgspec

FORMAT = "kefu-archive"
VERSION = 1


class HeaderRecord(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="t", tag="header"
):
    """The first line."""

    format: str
    """`kefu-archive`."""
    version: int
    epoch: str
    """The installation that wrote it (G13)."""
    at: int
    """When it was written, Unix milliseconds."""


class SiteRecord(msgspec.Struct, frozen=True, kw_only=True, tag_field="t", tag="site"):
    """A site, before its first conversation."""

    id: int
    name: str
    embed_key: str
    allowed_origins: list[str] = []
    locale: str = "zh-CN"
    retention_days: int = 0


class BanFact(msgspec.Struct, frozen=True, kw_only=True):
    """That a visitor was banned; why is in no archive."""

    at: int
    until: int
    """0: for good."""


class PersonRecord(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="t",
    tag="person",
    omit_defaults=True,
):
    """Somebody who speaks, before the first line that needs the name."""

    id: str
    """`v12` a visitor, `a7` an agent."""
    name: str
    role: Literal["visitor", "agent", "admin"]
    email: str = ""
    phone: str = ""
    notes: str = ""
    """Of agents."""
    language: str = ""
    chosen_language: str = ""
    attributes: dict[str, str | int | float | bool | None] = {}
    """What pages told of a visitor, unchecked."""
    bans: list[BanFact] = []
    """Of the visitor itself; not brought back."""


class ConversationRecord(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="t", tag="conversation"
):
    """A conversation, before its messages. All else about it follows from its log."""

    id: int
    site: int
    visitor: str
    opened_at: int
    last_seq: int
    """How many messages follow."""


class PageRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a visit."""

    url: str
    title: str
    at: int
    seconds: int


class VisitRecord(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="t",
    tag="visit",
    omit_defaults=True,
):
    """A stay on a site's pages that is stored with its visitor; not brought back."""

    id: int
    site: int
    visitor: str
    started_at: int
    last_seen_at: int
    source: str = ""
    browser: str = ""
    language: str = ""
    screen: str = ""
    pages: list[PageRecord] = []


class MessageRecord(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="t",
    tag="message",
    omit_defaults=True,
):
    """One entry of a log: seqs 1, 2, 3 … of one conversation after the other."""

    conversation: int
    seq: int
    sender: str
    key: str
    kind: str
    body: str
    at: int
    data: dict[str, Any] | None = None
    ref: int | None = None


class CursorRecord(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="t", tag="cursor"
):
    """How far somebody has come, after the conversation's messages."""

    conversation: int
    participant: str
    delivered: int
    read: int


class EndRecord(msgspec.Struct, frozen=True, kw_only=True, tag_field="t", tag="end"):
    """The last line: without it the file is cut off."""

    conversations: int
    messages: int


Record = (
    HeaderRecord
    | SiteRecord
    | PersonRecord
    | ConversationRecord
    | VisitRecord
    | MessageRecord
    | CursorRecord
    | EndRecord
)
