"""Whether a stored conversation is sound: pure.

Rows come as the database has them, since what is looked for is what the rest of the
program never sees: kinds that do not exist, data that is no JSON, senders that nobody
is. A check is fed a conversation's row, then its messages in seq order, then what
belongs to it; each thing that is wrong becomes one fault.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from kefu_core.abc.audit import Fault, FaultKind
from kefu_core.folding import active_at, fold, is_visitor
from kefu_core.ids import ID_MAX
from kefu_core.model import (
    CONTENT_KINDS,
    Conversation,
    ConversationStatus,
    MessageKind,
)
from kefu_core.store.rows import (
    CHECKED_COLUMNS,
    CONVERSATION_COLUMNS,
    conversation_from,
    digest_of,
    message_from,
)
from kefu_core.types import ConversationId, Seq

CHECKED_CONVERSATION = (*CONVERSATION_COLUMNS, "active_at", "kept_from")
CHECKED_MESSAGE = CHECKED_COLUMNS
CLOCK_SKEW_MS = 86_400_000
"""A message may be older than `kept_from` by what nodes' clocks differ."""

_PARTICIPANT = re.compile(r"[va][1-9][0-9]{0,15}|s0")
_KINDS = {str(kind) for kind in MessageKind} - {MessageKind.PLACEHOLDER}
_STATUSES = {str(status) for status in ConversationStatus}
_FOLDED = (
    "status",
    "assignee",
    "last_at",
    "last_sender",
    "last_line",
    "waiting_since",
    "labels",
    "team_id",
    "untranslated",
)
"""Not the times of routing: a migration has guessed those of older rows."""
_decode = msgspec.json.Decoder().decode


class ConversationCheck:
    """One conversation, from its row to its end."""

    def __init__(self, row: Sequence[Any], agents: Collection[str]) -> None:
        """Take the row in the order of `CHECKED_CONVERSATION`, and known agents."""
        self.id = ConversationId(row[0])
        self.faults: list[Fault] = []
        self.messages = 0
        self.without_digest = 0
        self.end = 0
        """The greatest seq seen."""
        self._agents = agents
        self._visitor: str = row[2]
        self._opened_at: int = row[10]
        self._active_at: int = row[-2]
        self._kept_from: int = row[-1]
        self._row = self._read_row(row)
        self._last_seq: int = row[5]
        self._last_at: int | None = None
        self._is_whole = True
        self._folded: Conversation | None = None
        if self._row is not None:
            self._folded = Conversation(
                id=self.id,
                site_id=self._row.site_id,
                visitor=self._row.visitor,
                last_at=self._row.opened_at,
                opened_at=self._row.opened_at,
            )

    def _read_row(self, row: Sequence[Any]) -> Conversation | None:
        if not _is_participant(row[2]) or not is_visitor(row[2]):
            self._find(FaultKind.SENDER, "its visitor is nobody")
        if row[3] not in _STATUSES:
            self._find(FaultKind.KIND, "its status is none")
            return None
        try:
            labels = _decode(row[11]) if row[11] else []
        except msgspec.DecodeError:
            labels = None
        if not isinstance(labels, list) or not all(isinstance(x, str) for x in labels):
            self._find(FaultKind.DATA, "its labels cannot be read")
            return None
        return conversation_from(row)

    def _find(self, kind: FaultKind, text: str, seq: int | None = None) -> None:
        self.faults.append(
            Fault(
                kind=kind,
                text=text,
                conversation=self.id,
                seq=None if seq is None else Seq(seq),
            )
        )

    # -- messages ----------------------------------------------------------------------

    def message(self, row: Sequence[Any]) -> None:
        """Look at the next message, in the order of `CHECKED_MESSAGE`."""
        seq, at = row[1], row[8]
        self.messages += 1
        if seq != self.end + 1:
            self._is_whole = False
            self._find(FaultKind.HOLE, f"follows seq {self.end}", seq)
        self.end = seq
        if self._last_at is not None and at < self._last_at:
            self._find(FaultKind.TIME, "is earlier than the message before", seq)
        self._last_at = at
        self._check_sender(row)
        self._check_content(row)
        if self._folded is not None and self._is_whole and seq <= self._last_seq:
            self._folded = fold(self._folded, message_from(row))

    def _check_sender(self, row: Sequence[Any]) -> None:
        sender, seq = row[2], row[1]
        if not _is_participant(sender):
            self._find(FaultKind.SENDER, "its sender is no participant", seq)
        elif is_visitor(sender):
            if sender != self._visitor:
                self._find(FaultKind.SENDER, "it is of another visitor", seq)
        elif sender.startswith("a") and sender not in self._agents:
            self._find(FaultKind.SENDER, "no agent has this id", seq)

    def _check_content(self, row: Sequence[Any]) -> None:
        seq, kind, body = row[1], row[4], row[5]
        if row[9] is None:
            self.without_digest += 1
        elif row[9] != digest_of(row[:9]):
            self._find(FaultKind.DIGEST, "is not what was stored", seq)
        if kind not in _KINDS:
            self._find(FaultKind.KIND, "is of an unknown kind", seq)
        data = _data_of(row[6])
        if data is None and row[6] is not None:
            self._find(FaultKind.DATA, "its data cannot be read", seq)
        if kind == MessageKind.ERASED:
            if body or str((data or {}).get("was")) not in CONTENT_KINDS:
                self._find(FaultKind.ERASED, "has content and is erased", seq)
        elif kind in CONTENT_KINDS and row[8] < self._kept_from - CLOCK_SKEW_MS:
            self._find(FaultKind.ERASED, "is older than what is kept", seq)

    # -- what belongs to it ------------------------------------------------------------

    def repeated(self, seq: int) -> None:
        """Take the last seq of a sender's key that occurs more than once."""
        self._find(FaultKind.KEY, "has the key of an earlier message", seq)

    def labels(self, rows: Collection[Sequence[Any]]) -> None:
        """Take (label, active_at) of the table by label."""
        if self._row is None:
            return
        expected = {(label, self._active_at) for label in self._row.labels}
        if {(row[0], row[1]) for row in rows} != expected:
            self._find(FaultKind.LABELS, "is found by other labels than it has")

    def cursors(self, rows: Iterable[Sequence[Any]]) -> None:
        """Take (participant, delivered, read), after all messages."""
        head = max(self.end, self._last_seq)
        for who, delivered, read in rows:
            if not _is_participant(who):
                self._find(FaultKind.SENDER, "a cursor is of no participant")
            elif not 0 <= read <= delivered:
                self._find(FaultKind.CURSOR, f"{who} read more than was delivered")
            elif delivered > head:
                self._find(FaultKind.CURSOR, f"{who} has more than there is")

    def finish(self, *, has_site: bool, has_visitor: bool) -> list[Fault]:
        """Compare the row with its log; returns all that is wrong."""
        if not has_site:
            self._find(FaultKind.ORPHAN, "its site does not exist")
        if not has_visitor:
            self._find(FaultKind.ORPHAN, "its visitor does not exist")
        if self.end < self._last_seq:
            self._find(FaultKind.HEAD, f"ends before its last_seq {self._last_seq}")
            self._is_whole = False
        if self._row is not None and self._folded is not None and self._is_whole:
            wrong = [
                name
                for name in _FOLDED
                if getattr(self._row, name) != getattr(self._folded, name)
            ]
            if wrong:
                self._find(FaultKind.FOLD, f"{', '.join(wrong)} differ from the log")
            if self._active_at != active_at(self._row.last_at):
                self._find(FaultKind.LISTED, "is not listed where it belongs")
        return self.faults

    def is_ahead(self, last_seq: int) -> bool:
        """Whether messages reach beyond a `last_seq` that was read after them."""
        return self.end > last_seq

    def ahead(self) -> Fault:
        """Return the fault of messages beyond `last_seq`."""
        return Fault(
            kind=FaultKind.HEAD,
            text="has messages beyond its last_seq",
            conversation=self.id,
            seq=Seq(self.end),
        )


def _is_participant(who: str) -> bool:
    return _PARTICIPANT.fullmatch(who) is not None and int(who[1:]) <= ID_MAX


def _data_of(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        data = _decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def visitor_ids(rows: Iterable[Sequence[Any]]) -> Iterator[int]:
    """Yield the ids of the visitors that conversations' rows name."""
    for row in rows:
        if _is_participant(row[2]) and is_visitor(row[2]):
            yield int(row[2][1:])
