"""The upkeep of a store on SQL: each method is a short read or a short transaction."""

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from kefu_core.abc.archive import ConversationFilter
from kefu_core.abc.audit import AuditReport, Late, LateDelivery, OnAudited
from kefu_core.abc.upkeep import Erased, Extent, Imported, LogPiece, Upkeep, Walk
from kefu_core.store import erasing, imports, late, upkeep
from kefu_core.store.audit import Audit
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs

T = TypeVar("T")
_MEASURED_AT_ONCE = 5_000


class SqlUpkeep(Upkeep):
    """Mixed into `SqlStore`, which has the clock and the two ways to the database."""

    _now_ms: Callable[[], int]

    @abstractmethod
    async def _do(self, job: Callable[[AsyncConnection], Awaitable[T]]) -> T: ...

    @abstractmethod
    async def _read(self, query: Callable[[AsyncConnection], Awaitable[T]]) -> T: ...

    @abstractmethod
    async def _damage(self) -> list[str]: ...

    async def walk_conversations(
        self,
        wanted: ConversationFilter,
        *,
        after: ConversationId = ConversationId(0),
        limit: int = 500,
    ) -> Walk:
        return await self._read(lambda c: upkeep.walk(c, wanted, after, limit))

    async def measure(self, wanted: ConversationFilter) -> Extent:
        conversations = messages = 0
        after: ConversationId | None = ConversationId(0)
        while after is not None:
            found, after = await self._read(_measuring(wanted, after))
            conversations += found.conversations
            messages += found.messages
        return Extent(conversations=conversations, messages=messages)

    # -- erasure -----------------------------------------------------------------------

    async def erase_old(self, site_id: int, before: UnixMs, *, limit: int = 100) -> int:
        now = UnixMs(self._now_ms())
        return await self._do(
            lambda c: erasing.erase_old(c, site_id, before, now, limit)
        )

    async def erase_conversation(
        self,
        conversation: ConversationId,
        *,
        after: Seq = Seq(0),
        limit: int = 100,
        upto: Seq | None = None,
    ) -> Erased:
        return await self._do(
            lambda c: erasing.erase_conversation(c, conversation, after, limit, upto)
        )

    async def forget_visitor(self, visitor: ParticipantId) -> None:
        await self._do(lambda c: erasing.forget_visitor(c, visitor))

    async def erasure_mark(self) -> int:
        return await self._read(erasing.mark)

    async def last_lines(
        self, conversations: Sequence[ConversationId]
    ) -> dict[ConversationId, tuple[Seq, str]]:
        return await self._read(lambda c: erasing.last_lines(c, conversations))

    # -- import ------------------------------------------------------------------------

    async def import_logs(self, pieces: Sequence[LogPiece]) -> list[Imported]:
        return await self._do(lambda c: imports.import_logs(c, pieces))

    # -- audit -------------------------------------------------------------------------

    async def audit(
        self, *, faults_max: int = 100, on_progress: OnAudited | None = None
    ) -> AuditReport:
        return await Audit(
            self._read, on_progress, faults_max, damage=self._damage
        ).run()

    async def late(self, before: UnixMs) -> list[Late]:
        return await late.find(self._read, before)

    async def late_deliveries(
        self, longer_than_ms: int, since: UnixMs
    ) -> list[LateDelivery]:
        return await late.find_delivered(self._read, longer_than_ms, since)


def _measuring(
    wanted: ConversationFilter, after: ConversationId
) -> Callable[[AsyncConnection], Awaitable[tuple[Extent, ConversationId | None]]]:
    return lambda c: upkeep.measure_window(c, wanted, after, _MEASURED_AT_ONCE)
