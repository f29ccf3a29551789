"""Rows of the desk that are no messages: each a value with an id of its own.

A store keeps them all the same way (`kefu_core.abc.records`). Ids come from
`IdGenerator` where nothing else is said; times are Unix milliseconds, 0 for never.
"""

from enum import StrEnum
from typing import Any

import msgspec

from kefu_core.types import ParticipantId, UnixMs


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What every record is: an immutable row that its id names."""

    id: int


# -- agents --------------------------------------------------------------------------


class Team(Record, frozen=True, kw_only=True):
    """Agents who answer for each other; visitors may choose one as a department."""

    name: str
    agents: tuple[int, ...] = ()


class AgentStatus(StrEnum):
    """What an agent chose; whether anybody receives is the lease's business."""

    ONLINE = "online"
    BUSY = "busy"
    """Keeps conversations, gets no new ones."""
    AWAY = "away"


class AgentPresence(Record, frozen=True, kw_only=True):
    """An agent's status and lease; the id is the agent's."""

    status: AgentStatus = AgentStatus.ONLINE
    lease_until: UnixMs = UnixMs(0)
    """Whoever receives renews it; later than this the agent is offline."""
    changed_at: UnixMs = UnixMs(0)
    """When the status was chosen."""
    assigned_at: UnixMs = UnixMs(0)
    """When routing gave it a conversation last: whose turn it is."""


class ReplyScope(StrEnum):
    """Whose canned reply it is."""

    OWN = "own"
    TEAM = "team"
    ALL = "all"


class CannedReply(Record, frozen=True, kw_only=True):
    """A text that agents send often."""

    scope: ReplyScope = ReplyScope.ALL
    owner: int = 0
    """The agent or team it belongs to; 0 for all."""
    folder: str = ""
    shortcut: str = ""
    title: str = ""
    body: str = ""
    language: str = ""
    updated_at: UnixMs = UnixMs(0)
    translations: dict[str, str] = {}
    """The same in other languages, by tag."""


# -- visitors ------------------------------------------------------------------------


class VisitorProfile(Record, frozen=True, kw_only=True):
    """What is known of a visitor; the id is the number of the participant."""

    site_id: int
    name: str = ""
    created_at: UnixMs = UnixMs(0)
    email: str = ""
    phone: str = ""
    notes: str = ""
    """Of agents; no visitor reads it."""
    attributes: dict[str, Any] = {}
    """Set by the host page."""
    language: str = ""
    """What its browser says."""
    chosen_language: str = ""
    """What it has said that it reads and writes; empty: nothing."""
    is_verified: bool = False
    """The site signed who this is."""
    last_seen_at: UnixMs = UnixMs(0)
    revision: int = 0
    """Counts its changes, so that no two overwrite each other."""


class VisitorIdentity(Record, frozen=True, kw_only=True):
    """Who a visitor is to the host site; the id is the visitor's."""

    site_id: int
    external_id: str


class VisitorAlias(Record, frozen=True, kw_only=True):
    """Another number of a visitor, who had it before the site signed who it is.

    The id is that number. Written once (`Records.claim_number`), and never changed.
    """

    site_id: int
    visitor: ParticipantId
    """The number that the site has signed for."""
    created_at: UnixMs = UnixMs(0)


class Visit(Record, frozen=True, kw_only=True):
    """One stay on a site's pages."""

    site_id: int
    visitor: ParticipantId
    started_at: UnixMs
    last_seen_at: UnixMs
    address: str = ""
    user_agent: str = ""
    language: str = ""
    screen: str = ""
    referrer: str = ""
    pages: int = 0
    invitations: dict[str, str] = {}
    """By rule or agent: shown, accepted, refused."""


class PageView(Record, frozen=True, kw_only=True):
    """One page of a visit."""

    visit_id: int
    url: str
    title: str = ""
    at: UnixMs = UnixMs(0)
    seconds: int = 0


class BanKind(StrEnum):
    """What a ban names."""

    VISITOR = "visitor"
    ADDRESS = "address"
    NETWORK = "network"


class Ban(Record, frozen=True, kw_only=True):
    """Somebody who may not write any more."""

    kind: BanKind
    value: str
    site_id: int = 0
    """0 for every site."""
    reason: str = ""
    agent_id: int = 0
    created_at: UnixMs = UnixMs(0)
    expires_at: UnixMs = UnixMs(0)


# -- messages beside the log ---------------------------------------------------------


class OfflineStatus(StrEnum):
    """Whether somebody has looked after a left message."""

    OPEN = "open"
    HANDLED = "handled"


class OfflineMessage(Record, frozen=True, kw_only=True):
    """What a visitor left when nobody was there (留言)."""

    site_id: int
    visitor: ParticipantId
    key: str = ""
    """The visitor's own name for it, so that leaving it twice leaves it once."""
    name: str = ""
    email: str = ""
    phone: str = ""
    body: str = ""
    page: str = ""
    language: str = ""
    status: OfflineStatus = OfflineStatus.OPEN
    agent_id: int = 0
    """Who handled it."""
    created_at: UnixMs = UnixMs(0)
    handled_at: UnixMs = UnixMs(0)
    conversation_id: int = 0
    """Where it was answered; 0 for nowhere, or by mail."""


class DeliveryStatus(StrEnum):
    """Where something that goes out over an unreliable network is."""

    QUEUED = "queued"
    DONE = "done"
    FAILED = "failed"
    """Given up; may be sent again by hand."""


class Mail(Record, frozen=True, kw_only=True):
    """A mail on its way out."""

    recipient: str
    key: str = ""
    """Together with what it is about: whoever asks for it twice sends it once."""
    reply_to: str = ""
    sender_name: str = ""
    subject: str = ""
    body: str = ""
    about: int = 0
    """The offline message it answers or tells of."""
    created_at: UnixMs = UnixMs(0)
    status: DeliveryStatus = DeliveryStatus.QUEUED
    attempts: int = 0
    next_at: UnixMs = UnixMs(0)
    error: str = ""


class AttachmentStatus(StrEnum):
    """How far a file has come: its bytes are kept, and a message names it."""

    ARRIVING = "arriving"
    """Its bytes may be in the storage, or a part of them, or nothing."""
    PENDING = "pending"
    """It is kept; its message is about to be written, or never came."""
    LINKED = "linked"
    DROPPED = "dropped"
    """No message will name it any more: it is being deleted."""


class Attachment(Record, frozen=True, kw_only=True):
    """A file that somebody sent, or is about to send."""

    site_id: int
    conversation_id: int
    uploader: ParticipantId
    key: str
    """The uploader's own name for it: sent again with it, it is sent once."""
    name: str
    media_type: str
    size: int
    """Bytes."""
    width: int = 0
    height: int = 0
    sha256: str = ""
    storage_key: str = ""
    thumbnail_key: str = ""
    status: AttachmentStatus = AttachmentStatus.PENDING
    created_at: UnixMs = UnixMs(0)


class Rating(Record, frozen=True, kw_only=True):
    """What a visitor thought of a conversation; derived from the log, for reports."""

    conversation_id: int
    site_id: int
    agent_id: int = 0
    score: int = 0
    """1 to 5."""
    comment: str = ""
    at: UnixMs = UnixMs(0)


# -- programs ------------------------------------------------------------------------


class ApiToken(Record, frozen=True, kw_only=True):
    """A program's right to ask the REST API; the secret itself is nowhere."""

    name: str
    token_hash: str
    scopes: tuple[str, ...] = ()
    agent_id: int = 0
    """Who it acts for."""
    created_at: UnixMs = UnixMs(0)
    last_used_at: UnixMs = UnixMs(0)
    expires_at: UnixMs = UnixMs(0)


class SecondFactor(Record, frozen=True, kw_only=True):
    """What an agent, whose number this has, shows beside the password."""

    nonce: str
    """From it and the installation's secret comes the key, which is stored nowhere."""
    confirmed_at: UnixMs = UnixMs(0)
    """0: it has been offered, and no code was given yet."""
    last_step: int = 0
    """The time step of the last code that was taken: none is good twice."""
    codes: tuple[str, ...] = ()
    """Recovery codes that are left, each as a keyed hash."""
    revision: int = 0
    """Goes up with every change, so that of two at once one is made."""


class Webhook(Record, frozen=True, kw_only=True):
    """Whom to tell what happens."""

    url: str
    secret: str
    events: tuple[str, ...] = ()
    site_id: int = 0
    """0 for every site."""
    is_active: bool = True
    created_at: UnixMs = UnixMs(0)
    revision: int = 0
    """Counts its changes, so that no two overwrite each other."""
    told_from: UnixMs = UnixMs(0)
    """Of every message before this moment there is a delivery, or needs to be none."""
    failing_since: UnixMs = UnixMs(0)
    """When the first that failed since the last success did; 0: none has."""
    note: str = ""
    """Why it was switched off by itself."""


class WebhookDelivery(Record, frozen=True, kw_only=True):
    """One thing told, or to be told, to one of them."""

    webhook_id: int
    event: str
    source: str = ""
    """What it tells of, so that nothing is told twice by two who look."""
    payload: str = ""
    created_at: UnixMs = UnixMs(0)
    status: DeliveryStatus = DeliveryStatus.QUEUED
    attempts: int = 0
    next_at: UnixMs = UnixMs(0)
    response_status: int = 0
    error: str = ""


# -- translating ---------------------------------------------------------------------


class CachedTranslation(Record, frozen=True, kw_only=True):
    """What a service has made of a text, so that it is not paid for twice."""

    site_id: int
    key: str
    """SHA-256 of both languages and the text, whoever translated it."""
    text_key: str
    """SHA-256 of the text alone: by it an erased text takes its translations along."""
    body: str
    """The translation."""
    source: str = ""
    """The language that the service found, if it was to find one."""
    provider: str = ""
    chars: int = 0
    """Of the translation: what a site's cache takes is their sum."""
    created_at: UnixMs = UnixMs(0)


class GlossaryEntry(Record, frozen=True, kw_only=True):
    """How agents want a text to be translated; it wins over every service."""

    site_id: int
    source: str = ""
    """The language of the text; empty: whatever it is taken for."""
    target: str
    text_key: str
    """SHA-256 of the text."""
    body: str
    translation: str
    agent_id: int = 0
    """Who wants it so."""
    updated_at: UnixMs = UnixMs(0)


class TranslationUsage(Record, frozen=True, kw_only=True):
    """What a site's translations of one day came to."""

    site_id: int
    day: int
    """20260131, in the site's time zone."""
    chars: int = 0
    """That went to services, and are paid for."""
    calls: int = 0
    hits: int = 0
    """Texts that needed no service."""


# -- looking back --------------------------------------------------------------------


class ConversationDay(Record, frozen=True, kw_only=True):
    """What happened in one conversation on one day: what `DayFigures` adds up."""

    conversation_id: int
    site_id: int
    day: int
    figures: dict[str, dict[str, int]] = {}
    """By agent's number, the fields of `DayFigures` that are not 0."""


class DayFigures(Record, frozen=True, kw_only=True):
    """What one agent did on one day for one site; agent 0: what nobody did."""

    day: int
    """20260131, in the site's time zone."""
    site_id: int
    agent_id: int = 0
    opened: int = 0
    closed: int = 0
    missed: int = 0
    """Closed, or left by the visitor, without an answer."""
    messages_in: int = 0
    messages_out: int = 0
    first_reply_ms: int = 0
    """Sum over `first_replies`."""
    first_replies: int = 0
    handling_ms: int = 0
    """Sum over `handled`."""
    handled: int = 0
    rating_sum: int = 0
    ratings: int = 0


class AuditEntry(Record, frozen=True, kw_only=True):
    """Who did what; only `kefu_core.desk.journal` writes them."""

    at: UnixMs
    who: str
    """A participant, `cli` for the command line, empty for who is not known."""
    action: str
    target: str = ""
    data: dict[str, Any] = {}
    address: str = ""
    """Where it came from; empty where nobody knows."""


RECORD_KINDS: tuple[type[Record], ...] = (
    Team,
    AgentPresence,
    CannedReply,
    VisitorProfile,
    VisitorIdentity,
    VisitorAlias,
    Visit,
    PageView,
    Ban,
    OfflineMessage,
    Mail,
    Attachment,
    Rating,
    ApiToken,
    SecondFactor,
    Webhook,
    WebhookDelivery,
    CachedTranslation,
    GlossaryEntry,
    TranslationUsage,
    ConversationDay,
    DayFigures,
    AuditEntry,
)
"""Every kind there is, those first that others name."""

UNIQUE: dict[type[Record], tuple[tuple[str, ...], ...]] = {
    Team: (("name",),),
    VisitorIdentity: (("site_id", "external_id"),),
    ApiToken: (("token_hash",),),
    ConversationDay: (("conversation_id", "day"),),
    DayFigures: (("day", "site_id", "agent_id"),),
    Rating: (("conversation_id",),),
    CachedTranslation: (("site_id", "key"),),
    GlossaryEntry: (("site_id", "text_key", "target", "source"),),
    TranslationUsage: (("site_id", "day"),),
    OfflineMessage: (("visitor", "site_id", "key"),),
    Mail: (("about", "key"),),
    WebhookDelivery: (("webhook_id", "source"),),
    Attachment: (("conversation_id", "uploader", "key"),),
}
"""Fields that no two records of a kind have in common."""
