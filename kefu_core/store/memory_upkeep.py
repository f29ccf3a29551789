"""The upkeep of the store in memory."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import anyio
import anyio.lowlevel
import msgspec

from kefu_core.abc.archive import ConversationFilter
from kefu_core.abc.audit import AuditReport, Fault, Late, LateDelivery, OnAudited
from kefu_core.abc.upkeep import Erased, Extent, Imported, LogPiece, Upkeep, Walk
from kefu_core.folding import active_at
from kefu_core.model import (
    CONTENT_KINDS,
    DERIVED_KINDS,
    SPOKEN_KINDS,
    Agent,
    Arrival,
    Conversation,
    ConversationStatus,
    Cursor,
    Message,
    MessageKind,
    Person,
    Site,
)
from kefu_core.records import VisitorProfile
from kefu_core.store.arrivals import Lines, Rise, late_rows
from kefu_core.store.blanking import blanked
from kefu_core.store.checking import ConversationCheck
from kefu_core.store.joining import join
from kefu_core.store.late import Delivered, Waiting, gathered, gathered_deliveries
from kefu_core.store.matching import is_conversation_wanted
from kefu_core.store.planner import KeyOf, key_of
from kefu_core.store.rows import conversation_row, message_row
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs


class MemoryUpkeep(Upkeep):
    """Mixed into `MemoryStore`, which has the dicts."""

    _rows: dict[ConversationId, Conversation]
    _logs: dict[ConversationId, list[Message]]
    _keys: dict[KeyOf, Message]
    _cursors: dict[tuple[ConversationId, ParticipantId], Cursor]
    _visitor: Callable[[ParticipantId], VisitorProfile | None]
    _meet: Callable[[Person, int, UnixMs], None]
    _forget: Callable[[VisitorProfile], None]
    _forget_cached: Callable[[int, Sequence[str]], None]
    _sites: dict[int, Site]
    _agents: dict[int, Agent]
    _late: list[dict[str, Any]]
    _erasures: int = 0

    async def walk_conversations(
        self,
        wanted: ConversationFilter,
        *,
        after: ConversationId = ConversationId(0),
        limit: int = 500,
    ) -> Walk:
        await anyio.lowlevel.checkpoint()
        ids = sorted(row for row in self._rows if row > after)[:limit]
        found = [self._rows[row] for row in ids]
        return Walk(
            conversations=[row for row in found if is_wanted(row, wanted)],
            next=ids[-1] if ids else None,
        )

    async def measure(self, wanted: ConversationFilter) -> Extent:
        await anyio.lowlevel.checkpoint()
        found = [row for row in self._rows.values() if is_wanted(row, wanted)]
        return Extent(
            conversations=len(found), messages=sum(row.last_seq for row in found)
        )

    # -- erasure -----------------------------------------------------------------------

    async def erase_old(self, site_id: int, before: UnixMs, *, limit: int = 100) -> int:
        await anyio.lowlevel.checkpoint()
        looked_at = 0
        for row in [row for row in self._rows.values() if row.site_id == site_id]:
            old = [
                message
                for message in self._logs.get(row.id, [])
                if message.at < before and message.kind in CONTENT_KINDS
            ]
            if old and limit > 0:
                self._blank(row, old[:limit])
                limit -= len(old)
                looked_at += 1
        return looked_at

    async def erase_conversation(
        self,
        conversation: ConversationId,
        *,
        after: Seq = Seq(0),
        limit: int = 100,
        upto: Seq | None = None,
    ) -> Erased:
        await anyio.lowlevel.checkpoint()
        found = [
            message
            for message in self._logs.get(conversation, [])[after:upto]
            if message.kind in CONTENT_KINDS
        ][:limit]
        if found:
            self._blank(self._rows[conversation], found)
        is_end = len(found) < limit
        return Erased(messages=len(found), next=None if is_end else found[-1].seq)

    def _blank(self, row: Conversation, messages: Sequence[Message]) -> None:
        log = self._logs[row.id]
        gone = {message.seq: message for message in messages}
        # What was made of these texts later goes with them.
        for message in log:
            if message.kind in DERIVED_KINDS and message.ref in gone:
                gone[message.seq] = message
        for message in gone.values():
            blank = blanked(message)
            log[message.seq - 1] = self._keys[key_of(message)] = blank
        self._forget_cached(row.site_id, [message.body for message in gone.values()])
        texts = [m.seq for m in messages if m.kind in SPOKEN_KINDS]
        kept = [m.seq for m in log if m.kind in SPOKEN_KINDS]
        if texts and max(texts) > max(kept, default=0):
            self._rows[row.id] = msgspec.structs.replace(row, last_line="")
        self._late[:] = [late for late in self._late if any(self._spoken_in(late))]
        self._erasures += 1

    async def forget_visitor(self, visitor: ParticipantId) -> None:
        await anyio.lowlevel.checkpoint()
        profile = self._visitor(visitor)
        if profile is not None:
            self._forget(profile)
        self._erasures += 1

    async def erasure_mark(self) -> int:
        await anyio.lowlevel.checkpoint()
        return self._erasures

    async def last_lines(
        self, conversations: Sequence[ConversationId]
    ) -> dict[ConversationId, tuple[Seq, str]]:
        await anyio.lowlevel.checkpoint()
        found = [self._rows[c] for c in conversations if c in self._rows]
        return {row.id: (row.last_seq, row.last_line) for row in found}

    # -- import ------------------------------------------------------------------------

    async def import_logs(self, pieces: Sequence[LogPiece]) -> list[Imported]:
        await anyio.lowlevel.checkpoint()
        return [self._import(piece) for piece in pieces]

    def _import(self, piece: LogPiece) -> Imported:
        opened = piece.opened
        row = self._rows.get(opened.id)
        is_new = row is None
        if row is None:
            if opened.site_id not in self._sites:
                return Imported(fault="there is no such site")
            row = Conversation(
                id=opened.id,
                site_id=opened.site_id,
                visitor=opened.visitor,
                last_at=opened.opened_at,
                opened_at=opened.opened_at,
            )
            self._rows[row.id] = row
            self._meet(piece.visitor, opened.site_id, opened.opened_at)
        if (row.site_id, row.visitor) != (opened.site_id, opened.visitor):
            return Imported(fault="the conversation here is of another visitor or site")
        log = self._logs.setdefault(row.id, [])
        stored = {message.seq: message for message in log}
        taken = {(message.sender, message.key): message.seq for message in log}
        joined = join(row, stored, taken, piece.messages)
        log += joined.messages
        self._keys |= {key_of(message): message for message in joined.messages}
        self._rows[row.id] = joined.row
        return Imported(
            is_new=is_new,
            messages=len(joined.messages),
            fault=joined.fault,
            at=joined.at,
        )

    # -- audit -------------------------------------------------------------------------

    async def audit(
        self, *, faults_max: int = 100, on_progress: OnAudited | None = None
    ) -> AuditReport:
        await anyio.lowlevel.checkpoint()
        faults: list[Fault] = []
        messages = 0
        agents = {f"a{number}" for number in self._agents}
        for number, row in enumerate(self._rows.values(), 1):
            check = ConversationCheck((*conversation_row(row), 0), agents)
            for message in self._logs.get(row.id, []):
                check.message(message_row(message))
            cursors = [c for c in self._cursors.values() if c.conversation == row.id]
            check.cursors([(c.participant, c.delivered, c.read) for c in cursors])
            faults += check.finish(
                has_site=row.site_id in self._sites,
                has_visitor=self._visitor(row.visitor) is not None,
            )
            messages += check.messages
            if on_progress is not None:
                on_progress(number, messages)
        return AuditReport(
            conversations=len(self._rows),
            messages=messages,
            without_digest=0,
            faults=faults[:faults_max],
            counts=dict(Counter(fault.kind for fault in faults)),
        )

    async def late(self, before: UnixMs) -> list[Late]:
        await anyio.lowlevel.checkpoint()
        found: list[Waiting] = []
        for row in self._rows.values():
            if row.status is ConversationStatus.CLOSED:
                continue
            for whose in (row.assignee, row.visitor):
                cursor = self._cursors.get((row.id, whose)) if whose else None
                seen = cursor.delivered if cursor else 0
                times = [
                    message.at
                    for message in self._logs.get(row.id, [])[seen:]
                    if message.at < before
                    and message.kind in SPOKEN_KINDS
                    and (message.sender == row.visitor) is (whose != row.visitor)
                ]
                if times:
                    found.append(Waiting(whose, row.id, len(times), min(times)))
        return gathered(found)

    def _arrived(self, arrival: Arrival, delivered: Seq) -> None:
        """Write down what a cursor rises over late, before it rises."""
        row = self._rows[arrival.conversation]
        old = self._cursors.get((row.id, arrival.participant))
        after = old.delivered if old else 0
        rise = Rise(arrival, after, delivered)
        lines = [
            Lines(row.id, row.visitor, row.assignee, m.sender, m.kind, *_place_of(m))
            for m in self._logs.get(row.id, [])[after:delivered]
            if m.kind is MessageKind.ASSIGNMENT
            or (m.kind in SPOKEN_KINDS and m.at < rise.waiting_before)
        ]
        self._late += late_rows([rise], lines)

    def _spoken_in(self, late: dict[str, Any]) -> Iterator[Message]:
        log = self._logs.get(late["conversation_id"], [])
        for message in log[late["first_seq"] - 1 : late["last_seq"]]:
            if message.kind in SPOKEN_KINDS:
                yield message

    async def late_deliveries(
        self, longer_than_ms: int, since: UnixMs
    ) -> list[LateDelivery]:
        await anyio.lowlevel.checkpoint()
        waits: dict[tuple[ParticipantId, ConversationId], list[tuple[int, int]]] = {}
        for late in self._late:
            row, whose = self._rows[late["conversation_id"]], late["participant"]
            for message in self._spoken_in(late) if late["heard_at"] >= since else ():
                waited = late["heard_at"] - message.at
                is_theirs = message.sender == row.visitor
                if waited > longer_than_ms and is_theirs is not (whose == row.visitor):
                    while_here = min(waited, late["heard_at"] - late["here_since"])
                    waits.setdefault((whose, row.id), []).append((waited, while_here))
        return gathered_deliveries(
            Delivered(
                whose=whose,
                conversation=conversation,
                messages=len(found),
                longest_ms=max(waited for waited, _ in found),
                here=sum(while_here > longer_than_ms for _, while_here in found),
                longest_here_ms=max(while_here for _, while_here in found),
            )
            for (whose, conversation), found in waits.items()
        )


def _place_of(message: Message) -> tuple[int, int, int]:
    return message.seq, message.seq, message.at


def is_wanted(row: Conversation, wanted: ConversationFilter) -> bool:
    """Whether a filter lets a conversation through."""
    at = active_at(row.last_at)
    return (
        is_conversation_wanted(row, wanted)
        and (wanted.active_from is None or at >= active_at(wanted.active_from))
        and (wanted.active_before is None or at < wanted.active_before)
    )
