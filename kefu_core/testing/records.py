"""The contract of the desk's records: subclass it and give it an open, empty store."""

from typing import Any, get_type_hints

import anyio
import msgspec
import pytest

from kefu_core.abc.store import Store
from kefu_core.errors import Conflict
from kefu_core.ids import visitor_participant
from kefu_core.records import (
    RECORD_KINDS,
    UNIQUE,
    Ban,
    BanKind,
    Mail,
    Record,
    Team,
    VisitorAlias,
    VisitorIdentity,
    VisitorProfile,
)
from kefu_core.testing.stores import SITE
from kefu_core.types import ParticipantId, UnixMs

TEXT = "发货 \U0001f4a6'\"%_\\"
KINDS = pytest.mark.parametrize("kind", RECORD_KINDS, ids=lambda kind: kind.__name__)


def alias(number: int, known: int) -> VisitorAlias:
    """Return that one number is another one of somebody."""
    visitor = visitor_participant(known)
    return VisitorAlias(id=number, site_id=SITE.id, visitor=visitor)


def record(kind: type[Record], number: int, **changes: Any) -> Record:
    """Return a record with every field filled, each by its type."""
    values = {
        field.name: _value(field, number) for field in msgspec.structs.fields(kind)
    }
    if "site_id" in values:
        values["site_id"] = SITE.id
    return msgspec.convert({**values, "id": number, **changes}, kind)


def _value(field: msgspec.structs.FieldInfo, number: int) -> Any:
    kind = msgspec.inspect.type_info(field.type)
    match kind:
        case msgspec.inspect.BoolType():
            return True
        case msgspec.inspect.IntType():
            return number + 2**40 if field.name.endswith(("_at", "_ms")) else number
        case msgspec.inspect.EnumType():
            return next(iter(kind.cls))
        case msgspec.inspect.StrType():
            return f"v{number}" if field.name in {"visitor"} else f"{number} {TEXT}"
        case msgspec.inspect.VarTupleType(item_type=msgspec.inspect.IntType()):
            return [1, 2**52]
        case msgspec.inspect.VarTupleType():
            return [TEXT, ""]
        case msgspec.inspect.DictType(value_type=msgspec.inspect.DictType()):
            return {"7": {"closed": number}}
        case msgspec.inspect.DictType(value_type=msgspec.inspect.StrType()):
            return {TEXT: TEXT}
        case msgspec.inspect.DictType():
            return {TEXT: [1, None, {"b": TEXT}]}
    raise AssertionError(f"no value for {field}")


class RecordsContract:
    """Tests that take a fixture `store`."""

    pytestmark = pytest.mark.anyio

    @KINDS
    async def test_a_record_comes_back_as_it_was_put(
        self, store: Store, kind: type[Record]
    ) -> None:
        await store.put_site(SITE)
        one, two = record(kind, 1), record(kind, 2)
        short = _short(kind, one)
        await store.add_records(kind, [one, two])
        await store.add_records(kind, [])
        assert await store.find_record(kind, 1) == one
        assert await store.find_record(kind, 3) is None
        await store.put_records(short)
        assert await store.list_records(kind) == [two, short]
        await store.delete_records(kind, [1, 2, 3])
        assert await store.list_records(kind) == []

    @pytest.mark.parametrize(
        ("kind", "fields"),
        [(k, fields) for k, all_of in UNIQUE.items() for fields in all_of],
    )
    async def test_what_must_be_unique_is_refused_and_nothing_of_the_batch_is_put(
        self, store: Store, kind: type[Record], fields: tuple[str, ...]
    ) -> None:
        await store.put_site(SITE)
        one = record(kind, 1)
        same = {field: getattr(one, field) for field in fields}
        await store.put_records(one, record(kind, 2))
        for wrong in (record(kind, 3, **same), record(kind, 2, **same)):
            with pytest.raises(Conflict):
                await store.put_records(record(kind, 4), wrong)
            with pytest.raises(Conflict):
                await store.add_records(kind, [record(kind, 4), wrong])
        with pytest.raises(Conflict):
            await store.change_record(record(kind, 2, **same), when={})
        assert [r.id for r in await store.list_records(kind)] == [2, 1]

    async def test_pages_go_up_and_down(self, store: Store) -> None:
        await store.put_records(*(record(Team, n) for n in range(1, 8)))

        async def ids(**asked: Any) -> list[int]:
            return [one.id for one in await store.list_records(Team, **asked)]

        assert await ids(limit=3) == [7, 6, 5]
        assert await ids(before=5, limit=3) == [4, 3, 2]
        assert await ids(after=0, limit=3) == [1, 2, 3]
        assert await ids(after=3, limit=9) == [4, 5, 6, 7]
        assert await ids(where={"id": [2, 3, 99]}) == [3, 2]
        assert await ids(where={"id": []}) == []

    async def test_fields_narrow_a_list(self, store: Store) -> None:
        kinds = [BanKind.VISITOR, BanKind.NETWORK]
        await store.put_records(
            *(
                Ban(id=n, kind=kinds[n % 2], value=f"v{n}", expires_at=n * 10)  # type: ignore[arg-type]
                for n in range(1, 7)
            )
        )
        found = await store.list_records(
            Ban,
            where={"kind": BanKind.NETWORK, "value": ("v1", "v3", "v5", "v4")},
            at_most={"expires_at": 30},
        )
        assert [ban.id for ban in found] == [3, 1]
        late = await store.list_records(Ban, at_least={"expires_at": 50})
        assert [ban.id for ban in late] == [6, 5]
        assert await store.list_records(Ban, where={"value": "V1"}) == []
        asked = {"where": {"kind": [BanKind.NETWORK]}, "at_least": {"expires_at": 30}}
        assert await store.sum_records(Ban, "expires_at", **asked) == 30 + 50  # type: ignore[arg-type]
        assert await store.sum_records(Ban, "id") == 21
        assert await store.sum_records(Ban, "id", where={"value": "V1"}) == 0

    async def test_of_many_who_change_a_record_at_once_one_does(
        self, store: Store
    ) -> None:
        await store.put_records(Mail(id=1, recipient="a@example.org"))
        won: list[int] = []

        async def claim(number: int) -> None:
            mine = Mail(id=1, recipient="a@example.org", attempts=number)
            if await store.change_record(mine, when={"attempts": 0}):
                won.append(number)

        async with anyio.create_task_group() as tasks:
            for number in range(1, 6):
                tasks.start_soon(claim, number)
        mail = await store.find_record(Mail, 1)
        assert mail is not None
        assert won == [mail.attempts]
        assert not await store.change_record(Mail(id=2, recipient="b"), when={})

    async def test_a_number_is_claimed_once_whoever_asks(self, store: Store) -> None:
        await store.put_site(SITE)
        one = VisitorIdentity(id=1, site_id=SITE.id, external_id="one")
        two = VisitorIdentity(id=2, site_id=SITE.id, external_id="two")
        assert await store.claim_number(one)
        assert await store.claim_number(two)
        assert not await store.claim_number(
            VisitorIdentity(id=1, site_id=SITE.id, external_id="three")
        )
        with pytest.raises(Conflict):
            await store.claim_number(
                VisitorIdentity(id=3, site_id=SITE.id, external_id="one")
            )
        # An alias is of somebody who is known, of a number that is nobody's.
        assert await store.claim_number(alias(5, 1))
        assert await store.claim_number(alias(5, 1))
        for wrong in (alias(5, 2), alias(2, 1), alias(6, 4), alias(6, 5), alias(1, 1)):
            assert not await store.claim_number(wrong)
        assert not await store.claim_number(
            VisitorIdentity(id=5, site_id=SITE.id, external_id="five")
        )
        assert await store.claim_number(alias(4, 1))
        assert await store.numbers_of(ParticipantId("v5")) == ("v1", "v4", "v5")
        assert await store.numbers_of(ParticipantId("v1")) == ("v1", "v4", "v5")
        assert await store.numbers_of(ParticipantId("v2")) == ("v2",)
        # Erased, it is no stranger's to take: its other numbers would come along.
        await store.forget_visitor(ParticipantId("v1"))
        assert not await store.claim_number(alias(1, 2))
        assert await store.numbers_of(ParticipantId("v4")) == ("v1", "v4", "v5")

    async def test_of_many_who_claim_a_number_at_once_one_has_it(
        self, store: Store
    ) -> None:
        await store.put_site(SITE)
        for number in (1, 2, 3):
            known = VisitorIdentity(id=number, site_id=SITE.id, external_id=f"{number}")
            assert await store.claim_number(known)
        won: list[Record] = []

        async def claim(wanted: VisitorIdentity | VisitorAlias) -> None:
            if await store.claim_number(wanted):
                won.append(wanted)

        async with anyio.create_task_group() as tasks:
            for number in (1, 2, 3):
                tasks.start_soon(claim, alias(9, number))
            own = VisitorIdentity(id=9, site_id=SITE.id, external_id="9")
            tasks.start_soon(claim, own)
        found: list[Record | None] = [
            await store.find_record(VisitorIdentity, 9),
            await store.find_record(VisitorAlias, 9),
        ]
        assert [each for each in found if each is not None] == won
        assert len(won) == 1

    async def test_a_visitor_who_opens_a_conversation_has_a_profile(
        self, store: Store
    ) -> None:
        from kefu_core.testing.stores import VISITOR

        await store.put_site(SITE)
        number = int(VISITOR.id[1:])
        await store.open_conversation(SITE.id, VISITOR)
        profile = await store.find_record(VisitorProfile, number)
        assert profile is not None
        assert (profile.site_id, profile.name) == (SITE.id, VISITOR.name)
        renamed = msgspec.structs.replace(
            profile,
            name="林晓",
            email="lin@example.org",
            phone="123456",
            notes="likes tea",
            attributes={"plan": "pro"},
            language="pt",
            chosen_language="pt-BR",
            is_verified=True,
            last_seen_at=UnixMs(5),
        )
        await store.put_records(renamed)
        assert [p.name for p in await store.people([VISITOR.id])] == ["林晓"]
        await store.forget_visitor(VISITOR.id)
        forgotten = await store.find_record(VisitorProfile, number)
        assert forgotten == VisitorProfile(
            id=number,
            site_id=SITE.id,
            created_at=profile.created_at,
            revision=profile.revision + 1,
        )
        stale = msgspec.structs.replace(renamed, revision=renamed.revision + 1)
        assert not await store.change_record(stale, when={"revision": renamed.revision})


def _short(kind: type[Record], one: Record) -> Record:
    """Return the record with everything at its default that has one."""
    hints = get_type_hints(kind)
    required = {
        field.name: getattr(one, field.name)
        for field in msgspec.structs.fields(kind)
        if field.required or (field.name in hints and field.name == "site_id")
    }
    return kind(**required)
