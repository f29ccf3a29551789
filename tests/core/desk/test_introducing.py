"""What a page tells of its visitor fills in, replaces nothing, stays within limits."""

from typing import Any

import pytest

from kefu_core.client import Client, Rejected
from kefu_core.desk.introducing import INTRODUCTIONS_PER_H
from kefu_core.protocol import frames as f
from kefu_core.records import VisitorProfile
from tests.core.desk.world import World, world

pytestmark = pytest.mark.anyio

METHOD = "visitor.introduce"


async def profile(w: World) -> VisitorProfile:
    found = await w.store.find_record(VisitorProfile, 1)
    assert found is not None
    return found


async def tell(visitor: Client, **params: Any) -> bool:
    return bool((await visitor.call(METHOD, params))["is_kept"])


async def test_it_fills_in_what_is_not_known_and_attributes_change() -> None:
    async with world() as w, w.client("v1") as visitor, w.client("a1") as agent:
        # Nothing is stored of whoever has opened nothing.
        assert not await tell(visitor, name="Lin")
        assert await w.store.find_record(VisitorProfile, 1) is None
        conversation = await w.conversation()
        await w.say(conversation, "v1", "hello")
        plan = {"plan": " pro ", "orders": 3, "vip": True, "gone": "x"}
        assert await tell(visitor, name="Lin", attributes=plan)
        assert w.rows[conversation]["visitor_name"] == "Lin"
        seen = await profile(w)
        assert seen.attributes == {"plan": "pro", "orders": 3, "vip": True, "gone": "x"}
        put = {"visitor": 1, "revision": seen.revision, "email": "lin@example.cn"}
        await agent.call("visitor.put", put)
        told = {"plan": "free", "gone": None, "orders": 3.5}
        assert await tell(
            visitor, name="Boss", email="b@example.cn", phone="123456", attributes=told
        )
        now = await profile(w)
        assert (now.name, now.email, now.phone) == ("Lin", "lin@example.cn", "123456")
        assert now.attributes == {"plan": "free", "orders": 3.5, "vip": True}
        assert not now.is_verified
        # The same again changes nothing.
        assert await tell(visitor, name="Lin", attributes={"plan": "free"})
        assert (await profile(w)).revision == now.revision


async def test_another_sites_visitor_of_the_same_number_is_not_it() -> None:
    async with world() as w, w.client("v1@2") as other:
        await w.conversation()
        assert not await tell(other, name="Lin")
        assert (await profile(w)).name == ""


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({"name": "x" * 101}, "100"),
        ({"name": "a\nb"}, "line break"),
        ({"email": "nobody"}, "e-mail"),
        ({"phone": "x"}, "telephone"),
        ({"notes": "x"}, "notes"),
        ({"is_verified": True}, "is_verified"),
        ({"attributes": {f"a{n}": n for n in range(21)}}, "20"),
        ({"attributes": {f"b{n}": n for n in range(20)}}, "At most 20"),
        ({"attributes": {"": 1}}, "1 to 40"),
        ({"attributes": {"x" * 41: 1}}, "1 to 40"),
        ({"attributes": {"a\0": 1}}, "NUL"),
        ({"attributes": {"a": "x" * 201}}, "200"),
        ({"attributes": {"a": "x\u2028y"}}, "line break"),
        ({"attributes": {"a": 2**53}}, "not JSON"),
        ({"attributes": {"a": {"b": 1}}}, "attributes"),
        ({"attributes": {"a": [1]}}, "attributes"),
        ({"attributes": [1]}, "attributes"),
    ],
)
async def test_what_is_too_much_is_refused_with_a_reason(
    params: dict[str, Any], why: str
) -> None:
    async with world() as w, w.client("v1") as visitor:
        await w.conversation()
        await tell(visitor, attributes={"kept": "x"})
        before = await profile(w)
        with pytest.raises(Rejected, match=why):
            await visitor.call(METHOD, params)
        assert await profile(w) == before


async def test_a_page_cannot_change_it_all_the_time() -> None:
    async with world() as w:
        await w.conversation()
        wire = await w.live("v1")
        calls = [
            f.Call(id=f"{n}", method=METHOD, params={"attributes": {"n": n}})
            for n in range(INTRODUCTIONS_PER_H + 1)
        ]
        for call in calls:
            (answer,) = await wire.answers(call)
        assert answer.code == "rate_limited"
        assert (await profile(w)).attributes == {"n": INTRODUCTIONS_PER_H - 1}
        wire.cut()
