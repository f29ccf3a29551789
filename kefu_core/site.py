"""What each site decides for itself: one struct for each part of the desk.

A site's settings are stored as one JSON text. New fields always have defaults, so that
older rows keep working; a field that is gone is ignored. A part that cannot be read, as
after a newer version wrote it, is replaced by what lets nobody do more than before.
"""

import logging
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any

import msgspec

from kefu_core.ids import ID_MAX

logger = logging.getLogger(__name__)

REQUEUE_MAX_S = 86_400
MIB = 1_048_576
FILE_BYTES_MAX = 100 * MIB
"""No site may allow larger files: each is held on disk twice for a moment."""
FileSize = Annotated[int, msgspec.Meta(ge=1, le=FILE_BYTES_MAX)]
DayBytes = Annotated[int, msgspec.Meta(ge=1, le=1024 * 1024 * MIB)]
Ending = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]{1,10}\Z")]


class RoutingMethod(StrEnum):
    """Who gets a conversation that waits."""

    MANUAL = "manual"
    """Whoever takes it."""
    ROUND_ROBIN = "round_robin"
    """One after the other."""
    LEAST_BUSY = "least_busy"
    """Who answers the fewest at this moment."""
    PREVIOUS_FIRST = "previous_first"
    """Who answered this visitor last, if there; else the least busy."""


class Routing(msgspec.Struct, frozen=True, kw_only=True):
    """Who answers whom."""

    method: RoutingMethod = RoutingMethod.MANUAL
    team_id: Annotated[int, msgspec.Meta(ge=0, le=ID_MAX)] = 0
    """Who answers where no other team was chosen; 0: everybody of the site."""
    requeue_after_s: Annotated[int, msgspec.Meta(ge=0, le=REQUEUE_MAX_S)] | None = 60
    """A visitor who waits for an agent who is offline goes back to the queue after so
    long; None: never."""


DAY_MINUTES = 1_440
SPANS_MAX, HOLIDAYS_MAX = 4, 100


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a day, in minutes since midnight on the wall."""

    opens: Annotated[int, msgspec.Meta(ge=0, lt=DAY_MINUTES)]
    closes: Annotated[int, msgspec.Meta(ge=0, le=DAY_MINUTES)]
    """Not later than `opens`: on the next day."""


Spans = Annotated[tuple[Span, ...], msgspec.Meta(max_length=SPANS_MAX)]
_OFFICE: Spans = (Span(opens=540, closes=1080),)


class Holiday(msgspec.Struct, frozen=True, kw_only=True):
    """A day that is not as its day of the week is."""

    day: Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\d\Z")]
    name: Annotated[str, msgspec.Meta(max_length=60)] = ""
    spans: Spans = ()
    """When it is open all the same."""


class Hours(msgspec.Struct, frozen=True, kw_only=True):
    """When somebody is there."""

    is_on: bool = False
    """False: there are no hours, and it is always open."""
    zone: Annotated[str, msgspec.Meta(max_length=64)] = ""
    """A time zone of the system, such as `Asia/Shanghai`."""
    week: tuple[Spans, ...] = (*[_OFFICE] * 5, (), ())
    """Seven days, Monday first."""
    holidays: Annotated[tuple[Holiday, ...], msgspec.Meta(max_length=HOLIDAYS_MAX)] = ()
    is_strict: bool = True
    """Outside the hours visitors are asked to leave a message, and routing waits, even
    if an agent is there; False: only while nobody is."""


class Asked(StrEnum):
    """Whether something is asked before the first conversation."""

    NO = "no"
    MAY = "may"
    """It is asked, and may be left empty."""
    MUST = "must"


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """What a visitor is asked before the first conversation."""

    name: Asked = Asked.NO
    email: Asked = Asked.NO
    phone: Asked = Asked.NO
    department: Asked = Asked.MAY
    """Only where there are any to choose from."""
    question: Asked = Asked.NO
    """Becomes the first message."""


DEPARTMENTS_MAX = 20
Said = Annotated[str, msgspec.Meta(max_length=1_000)]


LANGUAGES_MAX = 10


class Sayings(msgspec.Struct, frozen=True, kw_only=True):
    """What a site says by itself, in another language."""

    language: Annotated[str, msgspec.Meta(min_length=1, max_length=35)]
    """A tag such as `pt-BR`."""
    greeting: Said = ""
    """Empty, like the others: it is said as to everybody."""
    waiting: Said = ""
    away: Said = ""


class Talk(msgspec.Struct, frozen=True, kw_only=True):
    """What is said and asked by itself, and what people may do with their messages."""

    asks_rating: bool = True
    """Visitors are asked how it was when a conversation is closed."""
    greeting: Said = ""
    """Begins every conversation. In these texts `{site}` is the site's name, `{opens}`
    when it opens again; empty: nothing is said."""
    waiting: Said = ""
    """Said once in a wait, to who waits for an answer for so long."""
    waiting_after_s: Annotated[int, msgspec.Meta(ge=5, le=3_600)] = 60
    away: Said = ""
    """Said once in a wait while nobody is there."""
    translations: Annotated[
        tuple[Sayings, ...], msgspec.Meta(max_length=LANGUAGES_MAX)
    ] = ()
    """The same to visitors whose browsers have these languages."""
    shows_typing: bool = False
    """Agents see what a visitor is typing before it is sent; it is never stored."""
    recall_within_s: Annotated[int, msgspec.Meta(ge=0, le=86_400)] = 120
    """So long people may take back what they have sent; 0: they may not."""
    edit_within_s: Annotated[int, msgspec.Meta(ge=0, le=86_400)] = 900
    """So long people may edit what they have sent; 0: they may not."""
    form: Form = Form()
    departments: Annotated[
        tuple[Annotated[int, msgspec.Meta(ge=1, le=ID_MAX)], ...],
        msgspec.Meta(max_length=DEPARTMENTS_MAX),
    ] = ()
    """The teams that visitors may choose; empty: they are not asked."""


class InvitationRule(msgspec.Struct, frozen=True, kw_only=True):
    """When a visitor is asked into the chat, and with which words."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
    """For agents."""
    is_on: bool = True
    url: Annotated[str, msgspec.Meta(max_length=200)] = ""
    """Pages, such as `/cart*`: `*` stands for anything; empty: all of them."""
    after_s: Annotated[int, msgspec.Meta(ge=0, le=3_600)] = 30
    """So long on this page."""
    pages: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1
    """So many pages of this visit, this one among them."""
    only_returning: bool = False
    """Only who was here before."""
    text: Annotated[str, msgspec.Meta(max_length=300)] = ""
    """Empty: what the widget says by itself, in the visitor's language."""


class Watching(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of visitors, and when they are invited."""

    is_on: bool = True
    """Pages tell who is on them, for as long as somebody is."""
    only_staffed: bool = True
    """Rules invite only while somebody is there to answer."""
    rules: Annotated[tuple[InvitationRule, ...], msgspec.Meta(max_length=20)] = ()
    """Who is invited by itself, once in a visit: the first rule that applies."""


class Files(msgspec.Struct, frozen=True, kw_only=True):
    """Which files may be sent."""

    visitors_may: bool = True
    """Visitors may send files; agents always may."""
    visitor_bytes_max: FileSize = 10 * MIB
    """One file of a visitor."""
    agent_bytes_max: FileSize = 25 * MIB
    """One file of an agent."""
    visitor_day_bytes_max: DayBytes = 100 * MIB
    """All files of one visitor within 24 hours."""
    site_day_bytes_max: DayBytes = 10 * 1024 * MIB
    """All files of the site within 24 hours; beyond it only agents send more."""
    endings: Annotated[tuple[Ending, ...], msgspec.Meta(max_length=100)] = ()
    """Only files whose names end so, such as `pdf`; empty: all but programs."""


class Letters(msgspec.Struct, frozen=True, kw_only=True):
    """What happens while nobody is there."""

    notices_to: tuple[str, ...] = ()
    """Addresses that are told by mail of every message a visitor leaves."""
    may_chat: bool = True
    """Visitors may also write into the chat, and are answered when somebody comes."""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who visitors are to the host site."""

    is_required: bool = False
    """Only visitors whom the site has signed for may chat."""


class Translation(msgspec.Struct, frozen=True, kw_only=True):
    """Whether people read each other in their own languages, and what it may cost."""

    is_on: bool = False
    """What is written goes to the services that the server has; originals stay."""
    language: Annotated[str, msgspec.Meta(max_length=35)] = ""
    """What its agents read and write, such as `zh-CN`; empty: it is not said."""
    holds_s: Annotated[int, msgspec.Meta(ge=0, le=10)] = 0
    """So long an agent's message waits for its translation before the visitor sees it;
    0: it does not wait."""
    chars_per_day: Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)] = 0
    """So many characters go to services on one day of the site; 0: any number."""
    warn_at: Annotated[float, msgspec.Meta(ge=0.1, le=1.0)] = 0.8
    """The share of them at which the log warns."""


class SiteSettings(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    routing: Routing = Routing()
    hours: Hours = Hours()
    talk: Talk = Talk()
    watching: Watching = Watching()
    files: Files = Files()
    letters: Letters = Letters()
    identity: Identity = Identity()
    translation: Translation = Translation()


_CAREFUL = {
    "watching": Watching(is_on=False),
    "files": Files(visitors_may=False),
    "identity": Identity(is_required=True),
}
"""What stands for parts that cannot be read, where the default might allow what the
site has forbidden."""
_decode = msgspec.json.Decoder(SiteSettings).decode
_Parts = dict[str, msgspec.Raw]


def stored_settings(text: str, site_id: int) -> SiteSettings:
    """Return settings as they were stored; what cannot be read is told to the log.

    One text that this version does not take must not keep all sites from being served,
    and must not open what was closed.
    """
    try:
        return _decode(text)
    except msgspec.DecodeError:
        return _part_by_part(text, site_id)


def changed_settings(text: str, was: SiteSettings, now: SiteSettings) -> str:
    """Return a stored text with those parts in it that have been set.

    The rest stays as it was written, also what this version cannot read or does not
    know. A part that was set is another object, even where it says the same.
    """
    try:
        parts = msgspec.json.decode(text, type=_Parts)
    except msgspec.DecodeError:
        return msgspec.json.encode(now).decode()
    for name in SiteSettings.__struct_fields__:
        part = getattr(now, name)
        if part is not getattr(was, name):
            parts[name] = msgspec.Raw(msgspec.json.encode(part))
    return msgspec.json.encode(parts).decode()


@lru_cache(maxsize=256)
def _part_by_part(text: str, site_id: int) -> SiteSettings:
    """Read what can be read. Kept, so that each text is told of once."""
    fields = msgspec.structs.fields(SiteSettings)
    try:
        parts = msgspec.json.decode(text, type=_Parts)
    except msgspec.DecodeError:
        parts = {field.name: msgspec.Raw(b"!") for field in fields}
    found: dict[str, Any] = {}
    for field in fields:
        if field.name not in parts:
            continue
        try:
            found[field.name] = msgspec.json.decode(parts[field.name], type=field.type)
        except msgspec.DecodeError as error:
            found[field.name] = _CAREFUL.get(field.name, field.default)
            logger.error(
                "the settings %r of site %d cannot be read (%s): %s holds until they "
                "are saved again",
                field.name,
                site_id,
                error,
                found[field.name],
            )
    return SiteSettings(**found)
