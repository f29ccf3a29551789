"""The desk's records in dicts."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import cast

import anyio

from kefu_core.abc.records import PAGE_MAX, R, Records, Value, Wanted
from kefu_core.errors import Conflict
from kefu_core.folding import is_visitor
from kefu_core.ids import visitor_participant
from kefu_core.languages import text_key
from kefu_core.model import Person, Role
from kefu_core.records import (
    RECORD_KINDS,
    UNIQUE,
    CachedTranslation,
    Record,
    VisitorAlias,
    VisitorIdentity,
    VisitorProfile,
)
from kefu_core.types import ParticipantId, UnixMs


class MemoryRecords(Records):
    """Mixed into `MemoryStore`."""

    _now_ms: Callable[[], int]

    def __init__(self) -> None:
        self._records: dict[type[Record], dict[int, Record]] = {
            kind: {} for kind in RECORD_KINDS
        }

    async def find_record(self, kind: type[R], record_id: int) -> R | None:
        await anyio.lowlevel.checkpoint()
        return cast("R | None", self._records[kind].get(record_id))

    async def list_records(
        self,
        kind: type[R],
        *,
        where: Wanted | None = None,
        at_most: Mapping[str, int] | None = None,
        at_least: Mapping[str, int] | None = None,
        after: int | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[R]:
        await anyio.lowlevel.checkpoint()
        found = [
            record
            for number, record in self._records[kind].items()
            if (after is None or number > after)
            and (before is None or number < before)
            and all(_is_one_of(record, f, v) for f, v in (where or {}).items())
            and all(getattr(record, f) <= v for f, v in (at_most or {}).items())
            and all(getattr(record, f) >= v for f, v in (at_least or {}).items())
        ]
        found.sort(key=lambda record: record.id, reverse=after is None)
        return cast("list[R]", found[: min(limit, PAGE_MAX)])

    async def sum_records(
        self,
        kind: type[Record],
        field: str,
        *,
        where: Wanted | None = None,
        at_least: Mapping[str, int] | None = None,
    ) -> int:
        await anyio.lowlevel.checkpoint()
        return sum(
            getattr(record, field)
            for record in self._records[kind].values()
            if all(_is_one_of(record, f, v) for f, v in (where or {}).items())
            and all(getattr(record, f) >= v for f, v in (at_least or {}).items())
        )

    async def put_records(self, *records: Record) -> None:
        await anyio.lowlevel.checkpoint()
        before = {kind: dict(rows) for kind, rows in self._records.items()}
        for record in records:
            try:
                self._require_free(record)
            except Conflict:
                self._records = before
                raise
            self._records[type(record)][record.id] = record

    async def add_records(self, kind: type[R], records: Sequence[R]) -> None:
        await anyio.lowlevel.checkpoint()
        before = dict(self._records[kind])
        for record in records:
            try:
                self._require_free(record)
                if record.id in self._records[kind]:
                    raise Conflict(f"There is a {kind.__name__} {record.id}.")
            except Conflict:
                self._records[kind] = before
                raise
            self._records[kind][record.id] = record

    async def change_record(self, record: Record, *, when: Mapping[str, Value]) -> bool:
        await anyio.lowlevel.checkpoint()
        stored = self._records[type(record)].get(record.id)
        if stored is None or not all(_is_one_of(stored, f, v) for f, v in when.items()):
            return False
        self._require_free(record)
        self._records[type(record)][record.id] = record
        return True

    async def delete_records(self, kind: type[Record], ids: Collection[int]) -> None:
        await anyio.lowlevel.checkpoint()
        for number in ids:
            self._records[kind].pop(number, None)

    async def claim_number(self, claim: VisitorIdentity | VisitorAlias) -> bool:
        await anyio.lowlevel.checkpoint()
        identities, aliases = (
            self._records[VisitorIdentity],
            self._records[VisitorAlias],
        )
        written = identities.get(claim.id) or aliases.get(claim.id)
        if written is not None:
            return is_same(written, claim)
        if isinstance(claim, VisitorAlias):
            mine = visitor_participant(claim.id)
            theirs = [cast("VisitorAlias", each).visitor for each in aliases.values()]
            known = identities.get(int(claim.visitor[1:]))
            if known is None or mine in theirs:
                return False
            if cast("VisitorIdentity", known).site_id != claim.site_id:
                return False
        self._require_free(claim)
        person = Person(id=visitor_participant(claim.id), name="", role=Role.VISITOR)
        self._meet(person, claim.site_id, UnixMs(self._now_ms()))
        self._records[type(claim)][claim.id] = claim
        return True

    def _require_free(self, record: Record) -> None:
        for fields in UNIQUE.get(type(record), ()):
            mine = [getattr(record, field) for field in fields]
            for other in self._records[type(record)].values():
                theirs = [getattr(other, field) for field in fields]
                if other.id != record.id and mine == theirs:
                    raise Conflict(f"Another {type(record).__name__} has this already.")

    # -- visitors are met by opening a conversation ------------------------------------

    def _meet(self, visitor: Person, site_id: int, at: UnixMs) -> None:
        number = int(visitor.id[1:])
        profile = VisitorProfile(
            id=number, site_id=site_id, name=visitor.name, created_at=at
        )
        self._records[VisitorProfile].setdefault(number, profile)

    def _visitor(self, participant: ParticipantId) -> VisitorProfile | None:
        if not is_visitor(participant):
            return None
        found = self._records[VisitorProfile].get(int(participant[1:]))
        return cast("VisitorProfile | None", found)

    def _known_name(self, number: int) -> str:
        """Return the name of whom a number is another one of; nothing for nobody."""
        alias = self._records[VisitorAlias].get(number)
        known = self._visitor(cast("VisitorAlias", alias).visitor) if alias else None
        return known.name if known is not None else ""

    def _forget(self, profile: VisitorProfile) -> None:
        self._records[VisitorProfile][profile.id] = VisitorProfile(
            id=profile.id,
            site_id=profile.site_id,
            created_at=profile.created_at,
            # Whoever looks at what was known may not write it back.
            revision=profile.revision + 1,
        )
        self._records[VisitorIdentity].pop(profile.id, None)
        self._records[CachedTranslation] = {
            number: record
            for number, record in self._records[CachedTranslation].items()
            if cast("CachedTranslation", record).site_id != profile.site_id
        }

    def _forget_cached(self, site_id: int, texts: Sequence[str]) -> None:
        keys = {text_key(text) for text in texts}
        self._records[CachedTranslation] = {
            number: record
            for number, record in self._records[CachedTranslation].items()
            if (cached := cast("CachedTranslation", record)).site_id != site_id
            or cached.text_key not in keys
        }


def is_same(written: Record, claim: Record) -> bool:
    """Whether a number is claimed by whom it belongs to; when does not matter."""
    whose = ("site_id", "external_id", "visitor")
    mine, theirs = ([getattr(r, f, None) for f in whose] for r in (written, claim))
    return type(written) is type(claim) and mine == theirs


def _is_one_of(record: Record, field: str, wanted: Value | Collection[Value]) -> bool:
    value = getattr(record, field)
    if isinstance(wanted, str | int):
        return bool(value == wanted)
    return value in wanted
