"""What a store promises about the desk's records (`kefu_core.records`)."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import TypeVar

from kefu_core.records import Record

R = TypeVar("R", bound=Record)
Value = str | int
Wanted = Mapping[str, Value | Collection[Value]]
"""Fields and what they equal; of several values, any."""

PAGE_MAX = 500


class Records(ABC):
    """Rows by kind and id. Every method is one short read or one transaction.

    All raise `StoreUnavailable`, and `StorageFull` where they write.
    """

    @abstractmethod
    async def find_record(self, kind: type[R], record_id: int) -> R | None:
        """Return one record."""

    @abstractmethod
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
        """Return a page by keyset.

        With `after`: ids above it, ascending. Else newest first, below `before` if it
        is given. At most `PAGE_MAX` of them and of the values in `where`.
        """

    @abstractmethod
    async def sum_records(
        self,
        kind: type[Record],
        field: str,
        *,
        where: Wanted | None = None,
        at_least: Mapping[str, int] | None = None,
    ) -> int:
        """Return the sum of a numeric field over all that match; 0 for none."""

    @abstractmethod
    async def put_records(self, *records: Record) -> None:
        """Create or replace these, all or none.

        Raises:
            Conflict: A unique field (`records.UNIQUE`) is another record's already.
        """

    @abstractmethod
    async def change_record(self, record: Record, *, when: Mapping[str, Value]) -> bool:
        """Replace a record if the stored one has these values now; whether it had."""

    @abstractmethod
    async def delete_records(self, kind: type[Record], ids: Collection[int]) -> None:
        """Delete those of these that exist."""
