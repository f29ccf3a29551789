"""Looks through everything that is stored, and names what is wrong.

Read only, in short reads, beside whatever writes. Conversations are taken in windows
by id; a window's messages are one stream in the order of the log, so that many small
conversations cost few reads. What is read at different moments may differ without a
fault: rows are compared with the log up to the `last_seq` they were read with, and
whatever looks wrong is looked at again, twice, a moment later; only what was wrong
every time is a fault.
"""

from collections import Counter
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import aclosing
from itertools import groupby
from typing import Any

import anyio
from sqlalchemy import Column, Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from kefu_core.abc.audit import AuditReport, Fault, FaultKind, OnAudited
from kefu_core.errors import StoreUnavailable
from kefu_core.ids import ID_MAX, agent_participant
from kefu_core.model import CONTENT_KINDS
from kefu_core.store import desk_tables as d
from kefu_core.store import tables as t
from kefu_core.store.checking import (
    CHECKED_CONVERSATION,
    CHECKED_MESSAGE,
    ConversationCheck,
    visitor_ids,
)
from kefu_core.types import ConversationId, Seq

Rows = Sequence[Any]
Query = Callable[[AsyncConnection], Awaitable[Rows]]
_WINDOW = 200
_PAGE = 1_000
_KEYS_MAX = 100_000
"""Messages whose keys are compared in one read."""
_LOOKS = 3
LOOK_AGAIN_S = 0.5
"""Between two looks; whatever was being written is written by then."""

BELONGING: tuple[tuple[Column[Any], Column[Any]], ...] = (
    (t.visitor.c.site_id, t.site.c.id),
    (d.attachment.c.conversation_id, t.conversation.c.id),
    (d.rating.c.conversation_id, t.conversation.c.id),
    (d.visitor_alias.c.site_id, t.site.c.id),
    (d.api_token.c.agent_id, t.agent.c.id),
)
"""Columns that name a row of another table where no foreign key says so; 0: of none."""

_c, _m = t.conversation.c, t.message.c
_p, _l, _d = t.participant.c, t.conversation_label.c, t.search_document.c
_rows = select(*(_c[name] for name in CHECKED_CONVERSATION))
_messages = select(*(_m[name] for name in CHECKED_MESSAGE))


class Audit:
    """One look through everything."""

    def __init__(
        self,
        read: Callable[[Query], Awaitable[Rows]],
        on_progress: OnAudited | None,
        faults_max: int,
        *,
        damage: Callable[[], Awaitable[list[str]]],
    ) -> None:
        self._read = read
        self._on_progress = on_progress
        self._faults_max = faults_max
        self._damage = damage
        self._agents: set[str] = set()
        self._sites: set[int] = set()
        self._faults: list[Fault] = []
        self._counts: Counter[FaultKind] = Counter()
        self._conversations = 0
        self._messages = 0
        self._without_digest = 0

    async def run(self) -> AuditReport:
        """Look at everything; see `Upkeep.audit`."""
        damaged = await self._damage()
        self._found([Fault(kind=FaultKind.DAMAGE, text=text) for text in damaged])
        try:
            await self._everything()
        except StoreUnavailable:
            if not damaged:
                raise
            text = "what comes after this cannot be read"
            self._found([Fault(kind=FaultKind.DAMAGE, text=text)])
        return AuditReport(
            conversations=self._conversations,
            messages=self._messages,
            without_digest=self._without_digest,
            faults=self._faults,
            counts=dict(self._counts),
        )

    async def _everything(self) -> None:
        self._agents = {
            agent_participant(row[0]) for row in await self._all(select(t.agent.c.id))
        }
        self._sites = {row[0] for row in await self._all(select(t.site.c.id))}
        after = 0
        while True:
            query = _rows.where(_c.id > after).order_by(_c.id).limit(_WINDOW)
            rows = await self._all(query)
            # After the last conversation anything that is left belongs to nothing.
            end = rows[-1][0] if len(rows) == _WINDOW else ID_MAX * 2
            await self._window(rows, after, end)
            if len(rows) < _WINDOW:
                break
            after = end
        await self._people()
        await self._search()

    async def _all(self, query: Select[Any]) -> Rows:
        async def fetch(connection: AsyncConnection) -> Rows:
            rows: Rows = (await connection.execute(query)).all()
            return rows

        return await self._read(fetch)

    def _found(self, faults: Sequence[Fault]) -> None:
        for fault in faults:
            self._counts[fault.kind] += 1
            if len(self._faults) < self._faults_max:
                self._faults.append(fault)

    # -- conversations -----------------------------------------------------------------

    async def _window(self, rows: Rows, after: int, end: int) -> None:
        first = await self._look(rows, after, end, is_counted=True)
        suspects = {fault.conversation for fault in first if fault.conversation}
        for suspect in sorted(suspects):
            self._found(await self._confirm(suspect, first))

    async def _confirm(
        self, conversation: ConversationId, first: Sequence[Fault]
    ) -> list[Fault]:
        """Return which faults of a conversation are there at every look."""
        faults = [fault for fault in first if fault.conversation == conversation]
        for _ in range(_LOOKS - 1):
            await anyio.sleep(LOOK_AGAIN_S)
            rows = await self._all(_rows.where(_c.id == conversation))
            again = await self._look(rows, conversation - 1, conversation)
            seen = {(fault.kind, fault.seq) for fault in again}
            faults = [fault for fault in faults if (fault.kind, fault.seq) in seen]
            if not faults:
                break
        return faults

    async def _look(
        self, rows: Rows, after: int, end: int, *, is_counted: bool = False
    ) -> list[Fault]:
        """Return what looks wrong with the conversations of (after, end]."""
        checks = {row[0]: ConversationCheck(row, self._agents) for row in rows}
        faults: list[Fault] = []
        # Before the messages: a cursor that moves on meanwhile is ahead of nothing.
        cursors = await self._all(
            select(_p.conversation_id, _p.participant, _p.delivered, _p.read)
            .where(_p.conversation_id > after, _p.conversation_id <= end)
            .order_by(_p.conversation_id)
        )
        async with aclosing(self._log(after, end)) as pages:
            async for page in pages:
                faults += _orphans(page, checks, "a message")
                for row in page:
                    if (check := checks.get(row[0])) is not None:
                        check.message(row)
                if is_counted:
                    self._count(page, done=0)
        await self._related(checks, after, end, cursors, faults)
        visitors = await self._visitors(rows)
        faults += await self._ahead(list(checks.values()))
        for row in rows:
            faults += checks[row[0]].finish(
                has_site=row[1] in self._sites, has_visitor=row[2] in visitors
            )
        if is_counted:
            self._without_digest += sum(c.without_digest for c in checks.values())
            self._count([], done=len(rows))
        return list(
            {(f.conversation, f.kind, f.seq, f.text): f for f in faults}.values()
        )

    def _count(self, page: Rows, *, done: int) -> None:
        self._messages += len(page)
        self._conversations += done
        if self._on_progress is not None:
            self._on_progress(self._conversations, self._messages)

    async def _log(self, after: int, end: int) -> AsyncGenerator[Rows]:
        """Yield all messages of (after, end] in the order of the log, in pages.

        A page begins with a conversation's beginning, or goes on within one: so every
        read seeks to where it begins.
        """
        while True:
            in_order = _messages.order_by(_m.conversation_id, _m.seq).limit(_PAGE)
            page = await self._all(
                in_order.where(_m.conversation_id > after, _m.conversation_id <= end)
            )
            if page:
                yield page
            if len(page) < _PAGE:
                return
            after = page[-1][0]
            while len(page) == _PAGE:
                seq = page[-1][1]
                page = await self._all(
                    _messages.where(_m.conversation_id == after, _m.seq > seq)
                    .order_by(_m.seq)
                    .limit(_PAGE)
                )
                if page:
                    yield page

    async def _related(
        self,
        checks: dict[int, ConversationCheck],
        after: int,
        end: int,
        cursors: Rows,
        faults: list[Fault],
    ) -> None:
        """Feed keys, labels and cursors to the checks."""
        for low, high in _pieces(checks.values(), after):
            repeated = await self._all(
                select(_m.conversation_id, func.max(_m.seq))
                .where(_m.conversation_id > low, _m.conversation_id <= high)
                .group_by(_m.conversation_id, _m.sender, _m.key)
                .having(func.count() > 1)
            )
            for row in repeated:
                if row[0] in checks:
                    checks[row[0]].repeated(row[1])
        labels = await self._all(
            select(_l.conversation_id, _l.label, _l.active_at)
            .where(_l.conversation_id > after, _l.conversation_id <= end)
            .order_by(_l.conversation_id)
        )
        faults += _orphans(labels, checks, "a label")
        by_id = {number: list(group) for number, group in _grouped(labels)}
        for number, check in checks.items():
            check.labels([row[1:] for row in by_id.get(number, [])])
        late = select(t.late_delivery.c.conversation_id).where(
            t.late_delivery.c.conversation_id > after,
            t.late_delivery.c.conversation_id <= end,
        )
        faults += _orphans(await self._all(late), checks, "a late delivery")
        faults += _orphans(cursors, checks, "a cursor")
        for number, group in _grouped(cursors):
            if number in checks:
                checks[number].cursors([row[1:] for row in group])

    async def _visitors(self, rows: Rows) -> set[str]:
        ids = list(visitor_ids(rows))
        found = await self._all(select(t.visitor.c.id).where(t.visitor.c.id.in_(ids)))
        return {f"v{row[0]}" for row in found}

    async def _ahead(self, checks: Sequence[ConversationCheck]) -> list[Fault]:
        heads = await self._all(
            select(_c.id, _c.last_seq).where(_c.id.in_([check.id for check in checks]))
        )
        by_id = {row[0]: row[1] for row in heads}
        return [
            check.ahead() for check in checks if check.is_ahead(by_id.get(check.id, 0))
        ]

    # -- the rest ----------------------------------------------------------------------

    async def _people(self) -> None:
        """Look for rows that belong to something that does not exist."""
        for column, target in BELONGING:
            lost = (
                select(column.table.c.id, column)
                .outerjoin(target.table, target == column)
                .where(target.is_(None), column != 0)
                .order_by(column.table.c.id)
                .limit(_PAGE)
            )
            rows = await self._all(lost)
            if rows:
                # What was being deleted is gone by then.
                await anyio.sleep(LOOK_AGAIN_S)
                again = {row[0] for row in await self._all(lost)}
                rows = [row for row in rows if row[0] in again]
            whose, of = column.table.name, target.table.name
            for row in rows:
                text = f"{whose} {row[0]} is of {of} {row[1]}, which does not exist"
                self._found([Fault(kind=FaultKind.ORPHAN, text=text)])
        lost_logins = (
            select(t.agent_session.c.agent_id)
            .outerjoin(t.agent, t.agent.c.id == t.agent_session.c.agent_id)
            .where(t.agent.c.id.is_(None))
            .order_by(t.agent_session.c.agent_id)
        )
        for row in await self._all(lost_logins.limit(_PAGE)):
            text = f"a login is of agent {row[0]}, who does not exist"
            self._found([Fault(kind=FaultKind.ORPHAN, text=text)])

    async def _search(self) -> None:
        """Look for documents that lead nowhere; each piece is one statement."""
        after = -1
        while True:
            window = (
                select(_d.id).where(_d.id > after).order_by(_d.id).limit(_PAGE)
            ).subquery()
            end = (await self._all(select(func.max(window.c.id))))[0][0]
            if end is None:
                return
            nowhere = (
                select(_d.conversation_id, _d.seq)
                .outerjoin(
                    t.message,
                    and_(_m.conversation_id == _d.conversation_id, _m.seq == _d.seq),
                )
                .where(
                    _d.id > after,
                    _d.id <= end,
                    or_(
                        _m.seq.is_(None),
                        _m.kind.not_in([str(kind) for kind in CONTENT_KINDS]),
                    ),
                )
            )
            self._found(
                [
                    Fault(
                        kind=FaultKind.SEARCH,
                        text="is indexed and has no text",
                        conversation=ConversationId(row[0]),
                        seq=Seq(row[1]),
                    )
                    for row in await self._all(nowhere)
                ]
            )
            after = end


def _grouped(rows: Rows) -> Any:
    return groupby(rows, key=lambda row: row[0])


def _pieces(
    checks: Iterable[ConversationCheck], after: int
) -> Iterator[tuple[int, int]]:
    """Yield ranges (low, high] of ids with at most `_KEYS_MAX` messages or one log."""
    low, last, size = after, after, 0
    for check in checks:
        if size and size + check.messages > _KEYS_MAX:
            yield low, last
            low, size = last, 0
        last = check.id
        size += check.messages
    if last > low:
        yield low, last


def _orphans(
    rows: Rows, checks: dict[int, ConversationCheck], what: str
) -> list[Fault]:
    """Return a fault for each conversation that rows name and that does not exist."""
    return [
        Fault(
            kind=FaultKind.ORPHAN,
            text=f"{what} is of a conversation that does not exist",
            conversation=ConversationId(number),
        )
        for number in dict.fromkeys(row[0] for row in rows)
        if number not in checks
    ]
