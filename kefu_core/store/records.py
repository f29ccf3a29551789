"""The desk's records on SQL: every kind by the same few statements."""

from abc import abstractmethod
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Integer,
    Row,
    Select,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from kefu_core.abc.records import PAGE_MAX, R, Records, Value, Wanted
from kefu_core.errors import Conflict
from kefu_core.records import Record, VisitorAlias, VisitorIdentity
from kefu_core.store import claiming
from kefu_core.store.desk_tables import TABLES
from kefu_core.store.putting import put_row
from kefu_core.types import UnixMs

if TYPE_CHECKING:
    from kefu_core.store.together import ReadTogether

T = TypeVar("T")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_PLAIN = (str, int, bool)


class SqlRecords(Records):
    """Mixed into `SqlStore`, which has the two ways to the database."""

    _now_ms: Callable[[], int]

    @abstractmethod
    async def _do(self, job: Callable[[AsyncConnection], Awaitable[T]]) -> T: ...

    @abstractmethod
    async def _read(self, query: Callable[[AsyncConnection], Awaitable[T]]) -> T: ...

    @property
    @abstractmethod
    def _gathered(self) -> "ReadTogether": ...

    async def find_record(self, kind: type[R], record_id: int) -> R | None:
        wanted = (kind, record_id)
        found: Any = (await self._gathered.records.find([wanted])).get(wanted)
        return found  # type: ignore[no-any-return]

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
        table = TABLES[kind]
        conditions = _conditions(kind, where or {})
        conditions += [table.c[f] <= v for f, v in (at_most or {}).items()]
        conditions += [table.c[f] >= v for f, v in (at_least or {}).items()]
        if after is not None:
            conditions.append(table.c.id > after)
        if before is not None:
            conditions.append(table.c.id < before)
        order = table.c.id if after is not None else table.c.id.desc()
        query = (
            select(*(table.c[name] for name in _fields(kind)))
            .where(*conditions)
            .order_by(order)
            .limit(min(limit, PAGE_MAX))
        )

        async def read(connection: AsyncConnection) -> list[R]:
            rows = (await connection.execute(query)).all()
            return [_record(kind, row) for row in rows]

        return await self._read(read)

    async def sum_records(
        self,
        kind: type[Record],
        field: str,
        *,
        where: Wanted | None = None,
        at_least: Mapping[str, int] | None = None,
    ) -> int:
        table = TABLES[kind]
        conditions = _conditions(kind, where or {})
        conditions += [table.c[f] >= v for f, v in (at_least or {}).items()]
        query = select(func.sum(table.c[field])).where(*conditions)

        async def read(connection: AsyncConnection) -> int:
            # Some engines sum numbers to decimals, and nothing to nothing.
            return int((await connection.execute(query)).scalar() or 0)

        return await self._read(read)

    async def put_records(self, *records: Record) -> None:
        async def put(connection: AsyncConnection) -> None:
            for record in records:
                try:
                    await put_row(connection, TABLES[type(record)], _values(record))
                except IntegrityError as error:
                    raise _conflict(record) from error

        if records:
            await self._do(put)

    async def add_records(self, kind: type[R], records: Sequence[R]) -> None:
        rows = [_values(record) for record in records]

        async def add(connection: AsyncConnection) -> None:
            try:
                await connection.execute(insert(TABLES[kind]), rows)
            except IntegrityError as error:
                raise _conflict(records[0]) from error

        if rows:
            await self._do(add)

    async def change_record(self, record: Record, *, when: Mapping[str, Value]) -> bool:
        kind, values = type(record), _values(record)
        statement = (
            update(TABLES[kind])
            .where(*_conditions(kind, {**when, "id": values.pop("id")}))
            .values(**values)
        )

        async def change(connection: AsyncConnection) -> bool:
            try:
                return bool((await connection.execute(statement)).rowcount)
            except IntegrityError as error:
                raise _conflict(record) from error

        return await self._do(change)

    async def claim_number(self, claim: VisitorIdentity | VisitorAlias) -> bool:
        now = UnixMs(self._now_ms())
        return await self._do(lambda c: claiming.claim_number(c, claim, now))

    async def delete_records(self, kind: type[Record], ids: Collection[int]) -> None:
        table, numbers = TABLES[kind], sorted(set(ids))

        async def remove(connection: AsyncConnection) -> None:
            for start in range(0, len(numbers), PAGE_MAX):
                some = numbers[start : start + PAGE_MAX]
                await connection.execute(delete(table).where(table.c.id.in_(some)))

        if numbers:
            await self._do(remove)


async def records_by_id(
    connection: AsyncConnection, wanted: Sequence[tuple[type[Record], int]]
) -> dict[tuple[type[Record], int], Record]:
    """Return those of these that exist, each kind by one statement."""
    ids: dict[type[Record], list[int]] = {}
    for kind, number in wanted:
        ids.setdefault(kind, []).append(number)
    found: dict[tuple[type[Record], int], Record] = {}
    for kind, numbers in ids.items():
        rows = (await connection.execute(_by_id(kind), {"ids": numbers})).all()
        for record in (_record(kind, row) for row in rows):
            found[kind, record.id] = record
    return found


@cache
def _by_id(kind: type[Record]) -> Select[Any]:
    columns = TABLES[kind].c
    return select(*(columns[name] for name in _fields(kind))).where(
        columns.id.in_(bindparam("ids", expanding=True))
    )


@cache
def _fields(kind: type[Record]) -> dict[str, bool]:
    """Return a kind's fields, and of each whether it is kept as JSON."""
    columns = TABLES[kind].c
    named = msgspec.structs.fields(kind)
    return {field.name: _is_json(field, columns[field.name].type) for field in named}


def _is_json(field: msgspec.structs.FieldInfo, column: Any) -> bool:
    if isinstance(column, BigInteger | Integer | Boolean):
        return False
    # An enumeration of texts is kept as its text; so is what is a text by another name.
    base = getattr(field.type, "__supertype__", field.type)
    return not (isinstance(base, type) and issubclass(base, str))


def _values(record: Record) -> dict[str, Any]:
    return {
        name: _encode(value).decode() if is_json else _plain(value)
        for name, is_json in _fields(type(record)).items()
        for value in (getattr(record, name),)
    }


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def _record(kind: type[R], row: Row[Any]) -> R:
    values = {
        name: _decode(value) if is_json else value
        for (name, is_json), value in zip(_fields(kind).items(), row, strict=True)
        # Columns that were added to older rows are empty: the default holds.
        if value is not None
    }
    return msgspec.convert(values, kind, strict=False)


def _conditions(kind: type[Record], wanted: Wanted) -> list[ColumnElement[bool]]:
    columns = TABLES[kind].c
    return [
        columns[name] == _plain(value)
        if isinstance(value, _PLAIN)
        else columns[name].in_([_plain(each) for each in value][:PAGE_MAX])
        for name, value in wanted.items()
    ]


def _conflict(record: Record) -> Conflict:
    return Conflict(f"Another {type(record).__name__} has this already.")
