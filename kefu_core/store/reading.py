"""How the parts of a store that read are given the database."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

T = TypeVar("T")


class Read(Protocol):
    """The store's way to run a short read on a connection of its own."""

    async def __call__(self, query: Callable[[AsyncConnection], Awaitable[T]], /) -> T:
        """Run it. Raises `StoreUnavailable`."""
