"""What was written as nobody belongs to who is signed for afterwards."""

from typing import Any

import anyio
import msgspec
import pytest

from kefu_core.abc.streams import PeerInfo
from kefu_core.desk.merging import NUMBERS_MAX, facts_together
from kefu_core.errors import Unauthorized
from kefu_core.model import Draft, MessageKind, Person, Principal, Role
from kefu_core.records import (
    Ban,
    BanKind,
    OfflineMessage,
    VisitorAlias,
    VisitorIdentity,
    VisitorProfile,
)
from kefu_core.store.memory import MemoryStore
from kefu_core.types import ConversationId, ParticipantId, UnixMs
from kefu_server.app import KefuApp
from tests.server.conftest import OTHER_SITE, SITE
from tests.server.test_identity import OTHER, SECRET, ask, signed

pytestmark = pytest.mark.anyio

PEER = PeerInfo(transport="test")


@pytest.fixture
async def store(store: MemoryStore) -> MemoryStore:
    await store.put_site(msgspec.structs.replace(SITE, secret=SECRET))
    await store.put_site(msgspec.structs.replace(OTHER_SITE, secret=OTHER))
    return store


async def write(app: KefuApp, visitor: str, body: str = "hello") -> ConversationId:
    """Open a visitor's conversation and write into it; return which."""
    services = app.state.services
    person = Person(id=ParticipantId(visitor), name="", role=Role.VISITOR)
    row = await services.store.open_conversation(SITE.id, person)
    await services.hub.append(
        Draft(conversation=row.id, sender=person.id, key=body, body=body)
    )
    return ConversationId(row.id)


async def who_is(app: KefuApp, token: str) -> Principal:
    """Return whom a token lets in."""
    principal = await app.state.services.auth.authenticate(token, PEER)
    assert isinstance(principal, Principal)
    return principal


async def seen_by(app: KefuApp, token: str) -> list[int]:
    """Return the conversations of a token, that which goes on first."""
    desk = app.state.services.desk
    return [row.id for row in await desk.conversations(await who_is(app, token))]


async def call(app: KefuApp, token: str, method: str, **params: Any) -> Any:
    desk = app.state.services.desk
    return await desk.call(await who_is(app, token), method, params)


async def test_what_a_known_customer_wrote_as_nobody_is_in_its_history(
    app: KefuApp, store: MemoryStore
) -> None:
    computer = (await ask(app, signed())).json()
    own = await write(app, computer["visitor"], "from the computer")
    connected = await who_is(app, computer["token"])
    telephone = (await ask(app)).json()
    number = await write(app, telephone["visitor"], "as nobody")
    anonymous = await who_is(app, telephone["token"])
    merged = (await ask(app, signed(), telephone["token"])).json()
    assert merged["visitor"] == computer["visitor"]
    for token in (merged["token"], computer["token"]):
        assert set(await seen_by(app, token)) == {own, number}
    # No row that is stored has changed, and nothing was said twice.
    row = await store.find_conversation(number)
    assert row is not None
    assert row.visitor == telephone["visitor"]
    sent = {"conversation": number, "key": "as nobody", "body": "as nobody"}
    again = await call(app, merged["token"], "message.send", **sent)
    assert (again["seq"], again["duplicate"]) == (1, True)
    await call(
        app, merged["token"], "message.send", conversation=number, key="2", body="more"
    )
    assert {m.sender for m in await store.history(number)} == {telephone["visitor"]}
    assert (await store.audit()).faults == []
    # The token from before is refused, and connections from before end.
    auth = app.state.services.auth
    with pytest.raises(Unauthorized):
        await who_is(app, telephone["token"])
    assert not await auth.revalidate(anonymous)
    assert not await auth.revalidate(connected)
    assert await auth.revalidate(await who_is(app, computer["token"]))
    fresh = (await ask(app, None, telephone["token"])).json()
    assert fresh["visitor"] not in (telephone["visitor"], computer["visitor"])
    # An answer that was lost is asked for again.
    again = (await ask(app, signed(), telephone["token"])).json()
    assert again["visitor"] == computer["visitor"]
    assert len(await store.list_records(VisitorAlias)) == 1


async def test_the_open_conversation_of_the_browser_goes_on(
    app: KefuApp, store: MemoryStore
) -> None:
    known = (await ask(app, signed())).json()
    own = await write(app, known["visitor"])
    await app.state.services.hub.append(
        Draft(
            conversation=own,
            sender=ParticipantId("a7"),
            key="end",
            kind=MessageKind.CLOSE,
        )
    )
    before = (await ask(app)).json()
    number = await write(app, before["visitor"])
    token = (await ask(app, signed(), before["token"])).json()["token"]
    assert await seen_by(app, token) == [number, own]
    opened = await call(app, token, "conversation.open")
    assert opened["conversation"]["id"] == number


async def test_a_browser_of_one_customer_is_never_merged_into_another(
    app: KefuApp, store: MemoryStore
) -> None:
    other = (await ask(app, signed(sub="43"))).json()
    unsigned = (await ask(app)).json()
    theirs = await write(app, unsigned["visitor"], "canary of 42")
    first = (await ask(app, signed(), unsigned["token"])).json()
    assert first["visitor"] == unsigned["visitor"]
    for token in (first["token"], unsigned["token"]):
        second = (await ask(app, signed(sub="43"), token)).json()
        assert second["visitor"] == other["visitor"]
        assert theirs not in await seen_by(app, second["token"])
    assert await store.list_records(VisitorAlias) == []
    assert await seen_by(app, first["token"]) == [theirs]


async def test_nor_is_one_of_a_customer_who_was_erased_since(
    app: KefuApp, store: MemoryStore
) -> None:
    assert (await ask(app, signed(sub="43"))).status_code == 200
    first = (await ask(app, signed())).json()
    await store.forget_visitor(ParticipantId(first["visitor"]))
    later = await write(app, first["visitor"], "canary of 42, later")
    second = (await ask(app, signed(sub="43"), first["token"])).json()
    assert later not in await seen_by(app, second["token"])
    assert await seen_by(app, first["token"]) == [later]
    assert await store.list_records(VisitorAlias) == []


async def test_after_a_merge_the_next_customer_gets_nothing_of_it(
    app: KefuApp, store: MemoryStore
) -> None:
    for sub in ("42", "43"):
        assert (await ask(app, signed(sub=sub))).status_code == 200
    before = (await ask(app)).json()
    number = await write(app, before["visitor"], "canary of 42")
    first = (await ask(app, signed(), before["token"])).json()
    for token in (first["token"], before["token"]):
        second = (await ask(app, signed(sub="43"), token)).json()
        assert number not in await seen_by(app, second["token"])
    assert number in await seen_by(app, first["token"])


@pytest.mark.parametrize("shown", ["forged", "cut", "elsewhere", "nobody's"])
async def test_only_a_good_token_of_this_site_brings_anything_along(
    app: KefuApp, store: MemoryStore, shown: str
) -> None:
    victim = (await ask(app)).json()
    number = await write(app, victim["visitor"], "canary")
    assert (await ask(app, signed())).status_code == 200
    auth = app.state.services.auth
    theirs = int(victim["visitor"][1:])
    token = {
        "forged": victim["token"][:-4] + "AAAA",
        "cut": victim["token"].rpartition(".")[0],
        "elsewhere": auth.visitors.issue(theirs, OTHER_SITE.id)[0],
        "nobody's": None,
    }[shown]
    merged = (await ask(app, signed(), token)).json()
    assert number not in await seen_by(app, merged["token"])
    assert await store.list_records(VisitorAlias) == []
    assert await seen_by(app, victim["token"]) == [number]


async def test_a_signature_that_is_not_good_merges_nothing(
    app: KefuApp, store: MemoryStore
) -> None:
    assert (await ask(app, signed())).status_code == 200
    before = (await ask(app)).json()
    number = await write(app, before["visitor"])
    for identity in (signed(OTHER), signed(exp=1), {"id": "42", "hash": "0" * 64}):
        assert (await ask(app, identity, before["token"])).status_code == 401
    assert await store.list_records(VisitorAlias) == []
    assert await seen_by(app, before["token"]) == [number]


async def test_a_browser_in_which_nothing_was_written_leaves_nothing_behind(
    app: KefuApp, store: MemoryStore
) -> None:
    known = (await ask(app, signed())).json()
    for _ in range(3):
        fresh = (await ask(app)).json()
        again = (await ask(app, signed(), fresh["token"])).json()
        assert again["visitor"] == known["visitor"]
    assert await store.list_records(VisitorAlias) == []


async def test_what_was_left_comes_along_and_so_does_a_ban(
    app: KefuApp, store: MemoryStore
) -> None:
    known = (await ask(app, signed())).json()
    left = (await ask(app)).json()
    await store.put_records(
        OfflineMessage(
            id=9, site_id=SITE.id, visitor=ParticipantId(left["visitor"]), body="?"
        )
    )
    await ask(app, signed(), left["token"])
    assert await store.numbers_of(ParticipantId(left["visitor"])) == (
        known["visitor"],
        left["visitor"],
    )
    banned = (await ask(app)).json()
    ban = Ban(id=1, kind=BanKind.VISITOR, value=banned["visitor"], site_id=SITE.id)
    await store.put_records(ban)
    await app.state.services.desk.bans.load()
    assert (await ask(app, signed(), banned["token"])).status_code == 403
    assert (await ask(app, None, known["token"])).status_code == 403


async def test_of_two_customers_who_show_one_browser_at_once_one_has_it(
    app: KefuApp, store: MemoryStore
) -> None:
    for sub in ("42", "43"):
        assert (await ask(app, signed(sub=sub))).status_code == 200
    before = (await ask(app)).json()
    number = await write(app, before["visitor"])
    tokens: list[str] = []

    async def show(sub: str) -> None:
        answer = await ask(app, signed(sub=sub), before["token"])
        tokens.append(answer.json()["token"])

    async with anyio.create_task_group() as tasks:
        for sub in ("42", "43", "42", "43"):
            tasks.start_soon(show, sub)
    seeing = {
        (await who_is(app, t)).participant for t in tokens if await seen_by(app, t)
    }
    assert len(seeing) == 1
    assert len(await store.list_records(VisitorAlias)) == 1
    (alias,) = await store.list_records(VisitorAlias)
    assert {alias.visitor} == seeing
    assert (await store.find_conversation(number)) is not None


async def test_what_was_known_of_nobody_fills_in_what_the_site_does_not_say(
    app: KefuApp, store: MemoryStore
) -> None:
    known = (await ask(app, signed(name="林晓"))).json()
    before = (await ask(app)).json()
    await write(app, before["visitor"])
    profile = await store.find_record(VisitorProfile, int(before["visitor"][1:]))
    assert profile is not None
    told = {"name": "nobody", "email": "lin@example.cn", "notes": "asks for tea"}
    await store.put_records(msgspec.structs.replace(profile, **told))
    await ask(app, signed(name="林晓"), before["token"])
    kept = await store.find_record(VisitorProfile, int(known["visitor"][1:]))
    assert kept is not None
    assert (kept.name, kept.email, kept.notes) == (
        "林晓",
        "lin@example.cn",
        "asks for tea",
    )
    (person,) = await store.people([ParticipantId(before["visitor"])])
    assert person.name == "林晓"


def test_nothing_takes_the_place_of_what_is_known() -> None:
    known = VisitorProfile(id=1, site_id=1, name="a", notes="n", attributes={"x": 1})
    before = VisitorProfile(
        id=2, site_id=1, name="b", phone="1", notes="m", attributes={"x": 2, "y": 3}
    )
    assert facts_together(known, before) == {
        "phone": "1",
        "notes": "n\nm",
        "attributes": {"x": 1, "y": 3},
    }
    assert facts_together(known, VisitorProfile(id=2, site_id=1)) == {}
    many = {f"n{i}": i for i in range(20)}
    full = msgspec.structs.replace(before, notes="", phone="", attributes=many)
    assert facts_together(known, full) == {}


async def test_a_visitor_with_very_many_numbers_gets_no_more(
    app: KefuApp, store: MemoryStore
) -> None:
    known = (await ask(app, signed())).json()
    who = ParticipantId(known["visitor"])
    for number in range(1, NUMBERS_MAX):
        alias = VisitorAlias(
            id=number, site_id=SITE.id, visitor=who, created_at=UnixMs(1)
        )
        assert await store.claim_number(alias)
    before = (await ask(app)).json()
    number = await write(app, before["visitor"])
    await ask(app, signed(), before["token"])
    assert len(await store.numbers_of(who)) == NUMBERS_MAX
    assert await seen_by(app, before["token"]) == [number]


async def test_nobody_gets_in_by_a_number_that_is_another_one_of_somebody(
    app: KefuApp, store: MemoryStore
) -> None:
    """Not even by a token that was good for a signed visitor, who was erased since."""
    auth = app.state.services.auth
    known = (await ask(app, signed())).json()
    identity = VisitorIdentity(id=77, site_id=SITE.id, external_id="77")
    assert await store.claim_number(identity)
    token, _ = auth.visitors.issue(77, SITE.id, is_identified=True)
    await store.forget_visitor(ParticipantId("v77"))
    assert (await who_is(app, token)).aliases == ()
    alias = VisitorAlias(
        id=77, site_id=SITE.id, visitor=ParticipantId(known["visitor"])
    )
    assert await store.claim_number(alias)
    with pytest.raises(Unauthorized):
        await who_is(app, token)
