"""Nobody sets more than what a call is for: a field that is not named is refused."""

from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import httpx
import msgspec
import pytest

from kefu_core.desk.calls import CALLS
from kefu_core.errors import Invalid
from kefu_core.records import VisitorIdentity, VisitorProfile
from kefu_core.site import SiteSettings
from kefu_core.store.desk_tables import metadata
from kefu_core.store.memory import MemoryStore
from kefu_server.app import KefuApp
from tests.core.desk.world import PRINCIPALS, world
from tests.security.test_route_answers import VISIT
from tests.server.conftest import SITE, agent, app, connect, settings, store

__all__ = ["agent", "app", "settings", "store"]

NOT_THEIRS = [
    "__class__",
    "sender",
    "seq",
    "role",
    "is_admin",
    "participant",
    "visitor",
]
NOT_THEIRS += ["by", "who", "state", "is_identified", "address", "trail", "expires_at"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


COLUMNS = sorted(
    {str(c.name) for table in metadata.tables.values() for c in table.columns}
)


def structs_in(kind: Any) -> Iterator[type[msgspec.Struct]]:
    """Return every struct that a type is made of."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
        for field in get_type_hints(kind, include_extras=False).values():
            yield from structs_in(field)
    for part in get_args(kind):
        yield from structs_in(part)


@pytest.mark.parametrize("method", sorted(CALLS))
def test_a_field_that_a_call_does_not_name_is_refused(method: str) -> None:
    for struct in structs_in(CALLS[method].params):
        assert struct.__struct_config__.forbid_unknown_fields, struct
        known = {field.encode_name for field in msgspec.structs.fields(struct)}
        for column in [*COLUMNS, *NOT_THEIRS]:
            if column not in known:
                with pytest.raises(msgspec.ValidationError, match="unknown field"):
                    msgspec.convert({column: 1}, struct)


def _given(known: set[str], value: Any) -> dict[str, Any]:
    return dict.fromkeys({*COLUMNS, *NOT_THEIRS} - known, value)


@pytest.mark.anyio
@pytest.mark.parametrize("value", [1, "v1", True, {"id": 1}])
async def test_what_a_page_says_beyond_its_fields_changes_nothing(
    app: KefuApp, store: MemoryStore, value: Any
) -> None:
    """Pages of before and after an upgrade both report, so it is no mistake."""
    visits = app.state.services.desk.visits
    known = {"site", "token", "identity", "page", "url", "title", "referrer", "screen"}
    known |= {"language", "is_hidden", "has_left", "is_returning", "has_refused"}
    known |= {"invitation"}
    async with connect(app) as client:

        async def told(path: str, body: dict[str, Any]) -> httpx.Response:
            answer = await client.post(path, json=body)
            assert answer.status_code == 200
            return answer

        token = (await told("/api/visitor/token", {"site": SITE.embed_key})).json()
        mine = {**VISIT, "token": token["token"]}
        plain = (await told("/api/visit", mine)).json()
        (row,) = visits.rows()
        extra = _given(known, value)
        assert (await told("/api/visit", {**extra, **mine})).json() == plain
        assert visits.rows() == [row]
        body = {**extra, "site": SITE.embed_key, "token": token["token"]}
        again = (await told("/api/visitor/token", body)).json()
        assert again["visitor"] == token["visitor"]
        assert not again["is_identified"]
    for kind in (VisitorProfile, VisitorIdentity):
        assert await store.list_records(kind, after=0) == []


@pytest.mark.anyio
async def test_attributes_are_attributes_whatever_they_are_called() -> None:
    async with world() as w:
        await w.conversation("v1")
        before = await w.store.find_record(VisitorProfile, 1)
        for at in range(0, len(COLUMNS), 20):
            named = dict.fromkeys(COLUMNS[at : at + 20], True)
            gone = dict.fromkeys(COLUMNS[max(0, at - 20) : at])
            for attributes in (gone, named):
                params = {"attributes": attributes}
                await w.desk.call(PRINCIPALS["v1"], "visitor.introduce", params)
            after = await w.store.find_record(VisitorProfile, 1)
            assert before is not None
            assert after is not None
            assert after.attributes == named
            same = msgspec.structs.replace(
                after, attributes=before.attributes, revision=before.revision
            )
            assert same == before


@pytest.mark.anyio
async def test_no_part_of_the_settings_takes_a_name_that_it_does_not_have() -> None:
    async with world() as w:
        boss = PRINCIPALS["a2"]
        for part in msgspec.structs.fields(SiteSettings):
            for name in ("secret", "id", "embed_key", "__class__", "is_admin"):
                for value in ({name: 1}, {part.name: {name: 1}}):
                    params = {"site": 1, "settings": {part.name: value}}
                    with pytest.raises(Invalid):
                        await w.desk.call(boss, "site.put", params)
        rules = [{"name": "tea", "by": "a1"}]
        params = {"site": 1, "settings": {"watching": {"rules": rules}}}
        with pytest.raises(Invalid, match="by"):
            await w.desk.call(boss, "site.put", params)
