"""Nobody takes a conversation along but with a good token of it and a signature."""

from typing import Any

import httpx
import msgspec
import pytest

from kefu_core.model import Draft, Person, Role
from kefu_core.records import VisitorAlias
from kefu_core.store.memory import MemoryStore
from kefu_core.types import ParticipantId
from kefu_server.app import KefuApp
from tests.server.conftest import (
    OTHER_SITE,
    SITE,
    agent,
    anyio_backend,
    app,
    connect,
    settings,
)
from tests.server.conftest import store as plain_store
from tests.server.test_identity import OTHER, SECRET, hashed, signed

__all__ = ["agent", "anyio_backend", "app", "plain_store", "settings"]

pytestmark = pytest.mark.anyio

CANARY = "canary of the victim"


@pytest.fixture
async def store(plain_store: MemoryStore) -> MemoryStore:
    await plain_store.put_site(msgspec.structs.replace(SITE, secret=SECRET))
    await plain_store.put_site(msgspec.structs.replace(OTHER_SITE, secret=OTHER))
    return plain_store


class Outsider:
    """Somebody with a browser of its own, and what a victim has."""

    def __init__(self, app: KefuApp, client: httpx.AsyncClient) -> None:
        self.app = app
        self.client = client
        self.number = 0
        self.victim: dict[str, Any] = {}

    async def begin(self) -> None:
        """Let the victim write, as nobody, what is not for others."""
        services = self.app.state.services
        self.victim = await self.ask()
        person = Person(
            id=ParticipantId(self.victim["visitor"]), name="", role=Role.VISITOR
        )
        row = await services.store.open_conversation(SITE.id, person)
        self.number = row.id
        await services.hub.append(
            Draft(conversation=row.id, sender=person.id, key="k", body=CANARY)
        )

    async def ask(self, **body: Any) -> dict[str, Any]:
        """Ask for a token; return the answer, of whatever kind."""
        asked = {"site": SITE.embed_key, **body}
        answer = await self.client.post("/api/visitor/token", json=asked)
        return dict(answer.json())

    async def reads(self, token: str) -> bool:
        """Whether a token reads what the victim wrote."""
        answer = await self.client.get(
            f"/api/v1/conversations/{self.number}/messages",
            headers={"authorization": f"Bearer {token}"},
        )
        assert (CANARY in answer.text) == (answer.status_code == 200)
        return answer.status_code == 200


@pytest.fixture
async def outsider(app: KefuApp) -> Any:
    async with connect(app) as client:
        found = Outsider(app, client)
        await found.begin()
        yield found


async def test_naming_a_number_brings_nothing_along(
    outsider: Outsider, store: MemoryStore
) -> None:
    mine = (await outsider.ask(identity=signed(sub="outsider")))["token"]
    victim = outsider.victim["visitor"]
    number = int(victim[1:])
    for token in (None, mine, (await outsider.ask())["token"]):
        for said in (
            {"visitor": victim, "aliases": [victim], "numbers": [victim]},
            {"alias": victim, "visitor_id": number, "sub": str(number), "id": number},
        ):
            for identity in (
                None,
                signed(**said | {"sub": "outsider"}),
                {**hashed("outsider"), **{"visitor": victim, "aliases": [victim]}},
            ):
                body = {**said, "token": token}
                if identity is not None:
                    body["identity"] = identity
                got = await outsider.ask(**body)
                assert got["visitor"] != victim
                assert not await outsider.reads(got["token"])
    assert await store.list_records(VisitorAlias) == []
    assert await outsider.reads(outsider.victim["token"])


async def test_who_is_somebody_by_the_victims_number_is_not_somebody_else(
    outsider: Outsider, store: MemoryStore
) -> None:
    await outsider.ask(identity=signed(sub="victim"))
    got = await outsider.ask(
        identity=signed(sub="victim"), token=outsider.victim["token"]
    )
    assert await outsider.reads(got["token"])
    # With every token of the victim, and with a signature of one's own.
    for token in (outsider.victim["token"], got["token"]):
        other = await outsider.ask(identity=signed(sub="outsider"), token=token)
        assert not await outsider.reads(other["token"])
        assert not await outsider.reads(outsider.victim["token"])
    # Nor is an unsigned browser the victim, whatever it has been.
    fresh = await outsider.ask(token=outsider.victim["token"])
    assert not await outsider.reads(fresh["token"])
    (alias,) = await store.list_records(VisitorAlias)
    assert alias.visitor == got["visitor"]


async def test_another_site_signs_for_nobody_here(
    outsider: Outsider, store: MemoryStore
) -> None:
    await outsider.ask(site=OTHER_SITE.embed_key, identity=signed(OTHER, sub="x"))
    got = await outsider.ask(
        site=OTHER_SITE.embed_key,
        identity=signed(OTHER, sub="x"),
        token=outsider.victim["token"],
    )
    assert not await outsider.reads(got["token"])
    refused = await outsider.ask(
        identity=signed(OTHER, sub="x"), token=outsider.victim["token"]
    )
    assert refused["error"]["code"] == "unauthorized"
    assert await store.list_records(VisitorAlias) == []
    assert await outsider.reads(outsider.victim["token"])


async def test_a_call_of_a_visitor_changes_no_number(
    outsider: Outsider, store: MemoryStore
) -> None:
    mine = await outsider.ask()
    victim = outsider.victim["visitor"]
    headers = {"authorization": f"Bearer {mine['token']}"}
    for path, body in (
        ("visitors/introduce", {"name": "x", "attributes": {"visitor": victim}}),
        ("visitors/introduce", {"name": "x", "aliases": [victim]}),
        ("conversations", {"visitor": victim}),
        ("conversations", {"answers": {"name": "x", "aliases": [victim]}}),
    ):
        await outsider.client.post(f"/api/v1/{path}", json=body, headers=headers)
        assert not await outsider.reads(mine["token"])
    assert await store.list_records(VisitorAlias) == []
