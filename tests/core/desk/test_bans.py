"""Who is banned gets nothing any more, at once, until it ends or is lifted."""

from typing import Any

import msgspec
import pytest

from kefu_core.client import Rejected
from kefu_core.desk.bans import KEPT_MS, Bans, parse_place
from kefu_core.desk.visiting import Report
from kefu_core.errors import Banned, CloseCode, Invalid, NotFound
from kefu_core.node import monotonic, unix_ms
from kefu_core.protocol import frames as f
from kefu_core.records import AuditEntry, Ban, BanKind
from kefu_core.store.memory import MemoryStore
from kefu_core.types import ParticipantId, UnixMs
from tests.core.desk.world import PRINCIPALS, Wire, World, world

pytestmark = pytest.mark.anyio

HERE = "203.0.113.5"


async def ban(w: World, who: str = "a1", **params: Any) -> list[dict[str, Any]]:
    answer = await w.desk.call(PRINCIPALS[who], "ban.put", params)
    return list(answer["rows"])


async def is_refused(w: World, token: str, address: str) -> bool:
    """Whether a hello from an address ends with 4003."""
    wire = Wire(w.stream(address=address))
    await wire.send(f.Hello(token=token))
    answer = await wire.until(f.Welcome, f.ErrorFrame)
    if isinstance(answer, f.Welcome):
        wire.cut()
        return False
    assert answer.code == "banned"
    closed = [x for x in await wire.all_until_closed() if isinstance(x, f.Closed)]
    assert [x.code for x in closed] == [CloseCode.BANNED]
    return True


async def test_a_visitor_who_is_banned_is_cut_off_at_once_until_it_is_lifted() -> None:
    async with world() as w:
        conversation = await w.conversation()
        wire, other = await w.live("v1"), await w.live("v2")
        agent = await w.live("a1")
        (row,) = await ban(w, visitor=1, reason="spam")
        assert (row["kind"], row["value"], row["site_id"]) == ("visitor", "v1", 1)
        frames = await wire.all_until_closed()
        assert frames[-1].code == CloseCode.BANNED
        assert "spam" not in str(frames)
        for each in (other, agent):
            await each.answers(f.Ping())
            each.cut()
        assert await is_refused(w, "v1", HERE)
        # Nor by a request, whatever it is about.
        for method, params in (
            ("message.send", {"conversation": conversation, "key": "k", "body": "x"}),
            ("offline.leave", {"key": "k" * 8, "body": "x", "email": "a@b.example"}),
            ("conversation.open", {}),
        ):
            with pytest.raises(Exception, match="may not write"):
                await w.desk.call(PRINCIPALS["v1"], method, params)
        known = await w.desk.call(PRINCIPALS["a1"], "visitor.get", {"visitor": 1})
        assert (known["ban"]["id"], known["ban"]["reason"]) == (row["id"], "spam")
        row_of = await w.store.find_conversation(conversation)
        assert row_of is not None
        send = f.Send(key="k", conversation=conversation, n=1, body="x")
        with pytest.raises(Banned):
            w.desk.draft(PRINCIPALS["v1"], row_of, send)
        # On another site it is nobody.
        assert not await is_refused(w, "v1@2", HERE)
        await w.desk.call(PRINCIPALS["a1"], "ban.lift", {"ban": row["id"]})
        assert not await is_refused(w, "v1", HERE)
        written = await w.store.list_records(AuditEntry, after=0)
        assert [entry.action for entry in written] == ["ban.put", "ban.lift"]
        assert written[0].data["value"] == "v1"


async def test_a_ban_ends_by_itself_and_again_is_not_twice() -> None:
    async with world() as w:
        await w.conversation()
        (first,) = await ban(w, visitor=1)
        soon = unix_ms() + 60_000
        (again,) = await ban(w, visitor=1, expires_at=soon)
        assert (again["id"], again["expires_at"]) == (first["id"], soon)
        assert await is_refused(w, "v1", HERE)
        w.desk.bans._now_ms = lambda: soon + 1
        assert not await is_refused(w, "v1", HERE)
        w.desk.bans._now_ms = lambda: soon + KEPT_MS + 1
        await w.desk.bans.load()
        assert await w.store.list_records(Ban) == []
        with pytest.raises(Invalid, match="ended"):
            await ban(w, visitor=1, expires_at=unix_ms() - 1)


async def test_an_address_is_banned_with_the_visitor_who_is_at_it() -> None:
    async with world() as w:
        await w.conversation()
        wire = await w.live("v1", address=HERE)
        other = await w.live("v2", address=HERE)
        rows = await ban(w, visitor=1, with_address=True)
        assert [row["value"] for row in rows] == ["v1", HERE]
        for each in (wire, other):
            frames = await each.all_until_closed()
            assert frames[-1].code == CloseCode.BANNED
        assert await is_refused(w, "v2", HERE)
        assert not await is_refused(w, "v2", "203.0.113.6")
        # An agent at that address works on.
        assert not await is_refused(w, "a1", HERE)


async def test_who_only_looks_is_banned_by_who_serves_the_site() -> None:
    async with world() as w:
        w.desk.visits.report(
            1, 77, Report(page="p", url="https://shop.example/"), address=HERE
        )
        with pytest.raises(NotFound):
            await ban(w, "a3", visitor=77)
        with pytest.raises(NotFound):
            await ban(w, visitor=78)
        rows = await ban(w, visitor=77, with_address=True)
        assert [(row["kind"], row["value"], row["site_id"]) for row in rows] == [
            ("visitor", "v77", 1),
            ("address", HERE, 1),
        ]
        with pytest.raises(Banned):
            w.desk.bans.check_visitor(1, [ParticipantId("v77")], "198.51.100.1")


async def test_a_network_is_for_admins_and_holds_on_every_site() -> None:
    async with world() as w:
        await ban(w, "a2", address="203.0.113.0/24")
        for token in ("v1", "v1@2"):
            assert await is_refused(w, token, HERE)
        assert not await is_refused(w, "v1", "203.0.114.1")
        assert not await is_refused(w, "v1", "")
        for params in (
            {"address": "198.51.100.0/24", "site": 1},
            {"address": "198.51.100.1"},
        ):
            with pytest.raises(Exception, match="Only admins"):
                await ban(w, **params)
        async with w.client("a1") as agent:
            (row,) = (await agent.call("bans.list", {}))["rows"]
            with pytest.raises(Rejected, match="Only admins"):
                await agent.call("ban.lift", {"ban": row["id"]})
        # Who answers for some sites sees none of it, nor of other sites.
        await ban(w, address="198.51.100.1", site=1)
        async with w.client("a3") as limited:
            assert (await limited.call("bans.list", {}))["rows"] == []
            for params in ({"address": HERE, "site": 1}, {"visitor": 1}):
                with pytest.raises(Rejected) as refused:
                    await limited.call("ban.put", params)
                assert refused.value.wire_code == "not_found"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("203.0.113.5", ("address", "203.0.113.5")),
        (" 203.0.113.5/32 ", ("address", "203.0.113.5")),
        ("203.0.113.5/24", ("network", "203.0.113.0/24")),
        ("2001:db8:0:1::9", ("address", "2001:db8:0:1::/64")),
        ("2001:db8:0:1::/64", ("address", "2001:db8:0:1::/64")),
        ("2001:db8::/48", ("network", "2001:db8::/48")),
        ("::ffff:203.0.113.5", ("address", "203.0.113.5")),
        ("0.0.0.0/0", None),
        ("10.0.0.0/7", None),
        ("::/0", None),
        ("shop.example", None),
        ("203.0.113.5/33", None),
        ("", None),
        ("::ffff:203.0.113.0/120", (BanKind.NETWORK, "203.0.113.0/24")),
        ("::ffff:0:0/96", None),
    ],
)
def test_what_an_address_is_taken_for(text: str, expected: Any) -> None:
    if expected is None:
        with pytest.raises(Invalid):
            parse_place(text)
    else:
        assert parse_place(text) == expected


async def test_networks_of_both_kinds_are_told_apart() -> None:
    store = MemoryStore(now=monotonic, now_ms=unix_ms)
    bans = Bans(store, unix_ms)
    visitor = ParticipantId("v1")
    assert bans.find(1, [visitor], HERE) is None
    networks = ("203.0.113.0/24", "2001:db8::/48")
    await store.put_records(
        *(
            Ban(id=n, kind=BanKind.NETWORK, value=value, site_id=1)
            for n, value in enumerate(networks, 1)
        ),
        Ban(id=9, kind=BanKind.VISITOR, value="v9", expires_at=UnixMs(1)),
    )
    await bans.load()
    for address, number in (
        (HERE, 1),
        ("2001:db8:0:1::/64", 2),
        ("2001:db9::/64", None),
        ("198.51.100.1", None),
        ("nonsense", None),
    ):
        found = bans.find(1, [visitor], address)
        assert (found and found.id) == number, address
        assert bans.find(2, [visitor], address) is None
    principal = msgspec.structs.replace(PRINCIPALS["a1"], address=HERE)
    bans.check(principal)
