"""The upkeep of a store on SQL: each method is a short read or a short transaction."""

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from kefu_core.abc.archive import ConversationFilter
from kefu_core.abc.upkeep import Extent, Upkeep, Walk
from kefu_core.store import upkeep
from kefu_core.types import ConversationId

T = TypeVar("T")
_MEASURED_AT_ONCE = 5_000


class SqlUpkeep(Upkeep):
    """Mixed into `SqlStore`, which has the two ways to the database."""

    @abstractmethod
    async def _do(self, job: Callable[[AsyncConnection], Awaitable[T]]) -> T: ...

    @abstractmethod
    async def _read(self, query: Callable[[AsyncConnection], Awaitable[T]]) -> T: ...

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


def _measuring(
    wanted: ConversationFilter, after: ConversationId
) -> Callable[[AsyncConnection], Awaitable[tuple[Extent, ConversationId | None]]]:
    return lambda c: upkeep.measure_window(c, wanted, after, _MEASURED_AT_ONCE)
