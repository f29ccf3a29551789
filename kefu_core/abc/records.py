"""What a store promises about the desk's records (`kefu_core.records`)."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

from kefu_core.ids import visitor_participant
from kefu_core.records import Record, VisitorAlias, VisitorIdentity
from kefu_core.types import ParticipantId

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
    async def add_records(self, kind: type[R], records: Sequence[R]) -> None:
        """Create these, all or none, in one statement: for many at once.

        Raises:
            Conflict: A unique field (`records.UNIQUE`) or an id is there already.
        """

    @abstractmethod
    async def change_record(self, record: Record, *, when: Mapping[str, Value]) -> bool:
        """Replace a record if the stored one has these values now; whether it had."""

    @abstractmethod
    async def claim_number(self, claim: VisitorIdentity | VisitorAlias) -> bool:
        """Write whose a visitor's number is, once and for all.

        Not where it has an identity or is an alias already; and an alias only of a
        visitor who has an identity, for a number that is nobody's known one. Of many
        who ask at once, on whatever nodes, one succeeds.

        Returns:
            Whether it is so now; asking again changes nothing.

        Raises:
            Conflict: Another visitor has this identity.
        """

    async def numbers_of(self, visitor: ParticipantId) -> tuple[ParticipantId, ...]:
        """Return all numbers of the person who has this one, the known one first.

        Of nobody in particular: this number alone.
        """
        alias = await self.find_record(VisitorAlias, int(visitor[1:]))
        known = alias.visitor if alias is not None else visitor
        others = await self.list_records(
            VisitorAlias, where={"visitor": known}, after=0, limit=PAGE_MAX
        )
        return (known, *(visitor_participant(other.id) for other in others))

    @abstractmethod
    async def delete_records(self, kind: type[Record], ids: Collection[int]) -> None:
        """Delete those of these that exist."""
