"""Values that the layers hand to each other. No behaviour beyond small predicates."""

from enum import StrEnum
from typing import Any

import msgspec

from kefu_core.site import SiteSettings
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs


class MessageKind(StrEnum):
    """What an entry of the log is. Only the first group may be sent with `send`."""

    TEXT = "text"
    NOTE = "note"
    """Internal: agents read it, a visitor gets a placeholder with its seq."""

    FILE = "file"
    """`body`: its name. `data`: {"file": id, "type": media type, "size": bytes}, and of
    a picture "width", "height" and whether it has a "thumbnail". Written by the desk
    when the whole file is kept."""
    ASSIGNMENT = "assignment"
    """`data`: {"assignee": participant or null}, and of what is not usual: "team": id
    whose it is from here on, "reason": "routing" or "offline". Written by the desk."""
    CLOSE = "close"
    REOPEN = "reopen"

    LABELS = "labels"
    """`data`: {"labels": [text, …]}, all that hold from here on. Internal."""
    AUTO = "auto"
    """What a site says by itself; no answer. `data`: {"about": "greeting", "waiting" or
    "away"}; `body`: the text."""
    RECALL = "recall"
    """The sender has taken back the message at `ref`, of which a place is left."""
    EDIT = "edit"
    """What its sender has made of the text at `ref`. `body`: the whole text as it is
    now. `data`: {"upto": the last seq before it}, where that text was the newest."""
    NOTE_EDIT = "note_edit"
    """The same of a note. Internal."""
    TRANSLATION = "translation"
    """The text or edit at `ref` in another language. `data`: {"to": tag, "from": tag or
    "", "by": provider}; of one that failed {"to": tag, "failed": why}, and no body. Of
    an agent's text that only other agents read so, "for" is "agents"."""
    TRANSLATING = "translating"
    """`data`: {"is_on": bool}: from here on the visitor who says so reads translations
    or not, and after an agent's line both sides do or do not."""
    RATING = "rating"
    """What the visitor thought of a conversation that is closed. `data`: {"score": 1 to
    5} and, of a change, "instead": the seq of the one before; `body`: the comment."""
    ERASED = "erased"
    """What is left of a text or note after retention or erasure: its place, sender and
    time. `data`: {"was": the kind it had}; an erased note stays internal, of an erased
    rating the "score" stays as well."""

    PLACEHOLDER = "placeholder"
    """Never stored: what a reader gets for a message it may not see."""


SENDABLE_KINDS = frozenset({MessageKind.TEXT, MessageKind.NOTE})
SPOKEN_KINDS = frozenset({MessageKind.TEXT, MessageKind.FILE})
"""What visitors and agents say to each other."""
EDIT_KINDS = frozenset({MessageKind.EDIT, MessageKind.NOTE_EDIT})
DERIVED_KINDS = EDIT_KINDS | {MessageKind.TRANSLATION}
"""What was made of the message at `ref`, and goes with it."""
CONTENT_KINDS = SENDABLE_KINDS | SPOKEN_KINDS | DERIVED_KINDS | {MessageKind.RATING}
"""What people wrote or sent: what retention and erasure blank."""
INTERNAL_KINDS = frozenset(
    {MessageKind.NOTE, MessageKind.NOTE_EDIT, MessageKind.LABELS}
)
OWN_KEYS = "desk-"
"""Begins the keys of what the desk writes in somebody's name; no client's key does, or
it could stand where such a line is to be, which then would never be written."""


class Role(StrEnum):
    """The kinds of principal."""

    VISITOR = "visitor"
    AGENT = "agent"
    ADMIN = "admin"


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who was authenticated."""

    participant: ParticipantId
    role: Role
    site_id: int
    """The visitor's site; 0 for agents, of whom `sites` says which they serve."""
    aliases: tuple[ParticipantId, ...] = ()
    """Of a visitor: other numbers of the same person on the same site, ascending."""
    name: str = ""
    expires_at_ms: UnixMs = UnixMs(0)
    """When the right to be connected ends; 0 for never."""
    is_signed: bool = False
    """Of a visitor: the host site has signed who this is."""
    session: str = ""
    """What a revocation names: the hash of a login, or a visitor's token id."""
    address: str = ""
    """Where it came from, as limits count it; empty: its address is not counted."""
    sites: frozenset[int] | None = None
    """Of an agent: the sites it answers for; None: all of them."""
    scopes: frozenset[str] | None = None
    """What a program's token allows of what its agent may do; None: all of it."""

    @property
    def is_agent(self) -> bool:
        """Whether this is somebody who answers visitors."""
        return self.role is not Role.VISITOR

    @property
    def numbers(self) -> tuple[ParticipantId, ...]:
        """All names of this person, the one it has now first."""
        return (self.participant, *self.aliases)

    def owns(self, participant: ParticipantId) -> bool:
        """Whether this person is meant: by the name it has now, or by another."""
        return participant == self.participant or participant in self.aliases

    def name_in(self, visitor: ParticipantId) -> ParticipantId:
        """Return the name this person has in a conversation of that visitor.

        It is the conversation's own: all that a visitor says in a log is of one sender,
        and what is sent again after its number has changed has the same key.
        """
        return visitor if visitor in self.aliases else self.participant

    def serves(self, site_id: int) -> bool:
        """Whether an agent answers for a site."""
        return self.sites is None or site_id in self.sites

    def has_scope(self, scope: str) -> bool:
        """Whether this may be done; a method without a scope is for no token."""
        return self.scopes is None or (bool(scope) and scope in self.scopes)


class ConversationStatus(StrEnum):
    """Where a conversation is in its life."""

    QUEUED = "queued"
    ACTIVE = "active"
    CLOSED = "closed"


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What must hold at the commit, under the row's lock; else nothing is stored.

    Whoever decides by a row that it has read says so, and no two nodes decide twice.
    """

    status: ConversationStatus
    assignee: ParticipantId | None
    team_id: int = 0
    capacity: int = 0
    """The new assignee answers fewer conversations than this; 0: it does not matter."""
    waiting_since: UnixMs | None = None
    """The visitor still waits for an answer since then; None: it does not matter."""


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A message that has no seq yet."""

    conversation: ConversationId
    sender: ParticipantId
    key: str
    kind: MessageKind = MessageKind.TEXT
    body: str = ""
    data: dict[str, Any] | None = None
    ref: Seq | None = None
    given: Given | None = None
    """Only the desk's own lines have a condition; it is not stored."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One durable entry of a conversation's log."""

    conversation: ConversationId
    seq: Seq
    sender: ParticipantId
    key: str
    kind: MessageKind
    body: str
    at: UnixMs
    data: dict[str, Any] | None = None
    ref: Seq | None = None


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """How far one participant has come in one conversation."""

    conversation: ConversationId
    participant: ParticipantId
    delivered: Seq = Seq(0)
    read: Seq = Seq(0)


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """When a cursor rose, over messages that may have waited for it."""

    conversation: ConversationId
    participant: ParticipantId
    heard_at: UnixMs
    """When its program said that it has them."""
    here_since: UnixMs
    """Since when that program was connected."""


UNTRANSLATED_FOR_ALL, UNTRANSLATED_FOR_VISITOR = 1, 2
"""Bits of a conversation's `untranslated`: what agents have said, and the visitor."""


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """One conversation as lists show it: a fold of its log (`kefu_core.folding`)."""

    id: ConversationId
    site_id: int
    visitor: ParticipantId
    status: ConversationStatus = ConversationStatus.QUEUED
    assignee: ParticipantId | None = None
    last_seq: Seq = Seq(0)
    last_at: UnixMs = UnixMs(0)
    last_sender: ParticipantId | None = None
    last_line: str = ""
    """Beginning of the newest text that a visitor may see, one line, 120 characters."""
    waiting_since: UnixMs | None = None
    """When the oldest visitor message without an agent's answer was stored."""
    opened_at: UnixMs = UnixMs(0)
    labels: tuple[str, ...] = ()
    team_id: int = 0
    """Whose it is to answer; 0: anybody's."""
    queued_at: UnixMs = UnixMs(0)
    """Since when it stands in the queue; 0: it does not, or nobody has written yet."""
    first_reply_at: UnixMs = UnixMs(0)
    """The first answer since it was opened, or opened again; 0: none yet."""
    closed_at: UnixMs = UnixMs(0)
    """When it was closed; 0: it is not."""
    untranslated: int = 0
    """Who wants no translations: `UNTRANSLATED_FOR_ALL`, `UNTRANSLATED_FOR_VISITOR`."""


class Appended(msgspec.Struct, frozen=True, kw_only=True):
    """Where a message stands: the answer to an append."""

    message: Message
    duplicate: bool = False
    """The key was known: `message` is the first one stored with it."""
    conversation: "Conversation | None" = None
    """The conversation's row after this message; for a duplicate, as it is now."""


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """What others may know of a participant."""

    id: ParticipantId
    name: str
    role: Role


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """A shop's page that embeds the widget."""

    id: int
    name: str
    embed_key: str
    """Public: it stands in the page's source."""
    allowed_origins: tuple[str, ...] = ()
    """Exact origins whose pages may frame the widget, such as `https://shop.example`."""
    locale: str = "zh-CN"
    retention_days: int = 0
    """Texts and notes are blanked after so many days; 0 keeps them."""
    secret: str = ""
    """Signs who a visitor is; no page and no log ever shows it."""
    settings: SiteSettings = SiteSettings()


class Agent(msgspec.Struct, frozen=True, kw_only=True):
    """An account that may log in to the console; never sent to anybody as it is."""

    id: int
    login: str
    name: str
    password_hash: str
    role: Role = Role.AGENT
    is_active: bool = True
    email: str = ""
    capacity: int = 0
    """Conversations at once; 0 for as many as there are."""
    sites: tuple[int, ...] | None = None
    """Which sites it answers for; None for all."""
    is_one_time: bool = False
    """Somebody else has set the password: it is good for choosing another only."""
    language: str = ""
    """What it reads and writes, such as `en`; empty: what its sites say."""


class AgentSession(msgspec.Struct, frozen=True, kw_only=True):
    """One login of an agent; `token_hash` is SHA-256 of the secret, in hex."""

    token_hash: str
    agent_id: int
    created_at: UnixMs
    last_used_at: UnixMs
    address: str = ""
    """Where it was opened from."""
    user_agent: str = ""
    """What the browser said it was."""
