"""Pages report visits over HTTP; nothing of it is stored."""

from typing import Any

import httpx
import msgspec
import pytest

from kefu_core.model import Site
from kefu_core.site import InvitationRule, SiteSettings, Watching
from kefu_core.store.memory import MemoryStore
from kefu_server.app import KefuApp
from tests.server.conftest import OTHER_SITE, SHOP, SITE, connect

pytestmark = pytest.mark.anyio
PAGE = {"site": SITE.embed_key, "page": "p1", "url": f"{SHOP}/tea?token=secret#x"}


async def visit(client: httpx.AsyncClient, **more: Any) -> httpx.Response:
    return await client.post("/api/visit", json=PAGE | more)


def rows(app: KefuApp) -> list[dict[str, Any]]:
    return app.state.services.desk.visits.rows()


async def test_a_first_report_gets_a_token_and_the_next_is_of_the_same_visitor(
    app: KefuApp, client: httpx.AsyncClient, store: MemoryStore
) -> None:
    client.headers["user-agent"] = "Mozilla/5.0 (Windows) Chrome/126 Safari/1"
    first = (await visit(client, title="<b>茶")).json()
    assert first["every_s"] == 15
    again = (await visit(client, token=first["token"], title="Tea")).json()
    assert again == {"every_s": 15, "visitor": first["visitor"]}
    (row,) = rows(app)
    assert (row["visitor"], row["title"]) == (first["visitor"], "Tea")
    assert row["url"] == f"{SHOP}/tea?token=***"
    assert row["browser"] == "Chrome · Windows"
    assert await store.people([first["visitor"]]) == []
    # It is the visitor's token of the chat.
    body = {"site": SITE.embed_key, "token": first["token"]}
    chat = (await client.post("/api/visitor/token", json=body)).json()
    assert chat["visitor"] == first["visitor"]
    assert "set-cookie" not in first


async def test_a_token_of_another_site_is_another_visitor(
    client: httpx.AsyncClient,
) -> None:
    first = (await visit(client)).json()
    body = PAGE | {"site": OTHER_SITE.embed_key, "token": first["token"]}
    assert (await client.post("/api/visit", json=body)).status_code == 403
    for token in (first["token"] + "x", "", None):
        assert (await visit(client, token=token)).json()["visitor"] != first["visitor"]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"url": "https://evil.example/tea"}, 403),
        ({"url": "javascript:alert(1)"}, 403),
        ({"url": f"{SHOP}.evil.example/"}, 403),
        ({"url": f"{SHOP}@evil.example/"}, 403),
        ({"site": "none"}, 404),
        ({"site": "\u2028"}, 404),
        ({"page": "x" * 41}, 400),
        ({"url": f"{SHOP}/" + "x" * 4_000}, 400),
        ({"title": "x" * 2_001}, 400),
        ({"is_hidden": "yes"}, 400),
    ],
)
async def test_what_is_no_report_of_the_sites_own_page_is_refused(
    app: KefuApp, client: httpx.AsyncClient, changes: dict[str, Any], status: int
) -> None:
    assert (await visit(client, **changes)).status_code == status
    assert rows(app) == []


async def test_a_site_that_does_not_want_to_know_is_told_nothing(
    app: KefuApp, client: httpx.AsyncClient, store: MemoryStore
) -> None:
    settings = SiteSettings(watching=Watching(is_on=False))
    off: Site = msgspec.structs.replace(SITE, settings=settings)
    await store.put_site(off)
    assert (await visit(client)).json() == {"every_s": 0}
    assert rows(app) == []


async def test_an_address_has_a_pace(app: KefuApp) -> None:
    statuses: list[int] = []
    async with connect(app) as client:
        # A slow machine gives time in which more are allowed.
        while 429 not in statuses and len(statuses) < 2_000:
            statuses.append((await visit(client)).status_code)
    # A first report needs a token, of which an address may have 200 at once.
    assert len(statuses) > 200
    assert set(statuses) == {200, 429}


async def test_a_rule_of_the_site_invites_once_while_somebody_is_there(
    app: KefuApp, client: httpx.AsyncClient, store: MemoryStore
) -> None:
    rules = (
        InvitationRule(name="tea", url="/tea", after_s=0, text="Tea?"),
        InvitationRule(name="later", after_s=3),
    )
    watching = Watching(rules=rules)
    for site, only_staffed in ((SITE, True), (OTHER_SITE, False)):
        ruled = msgspec.structs.replace(watching, only_staffed=only_staffed)
        settings = SiteSettings(watching=ruled)
        await store.put_site(
            msgspec.structs.replace(site, settings=settings, allowed_origins=(SHOP,))
        )
    assert "invitation" not in (await visit(client)).json()
    there = {"site": OTHER_SITE.embed_key}
    elsewhere = (await visit(client, **there, url=f"{SHOP}/other")).json()
    # The page is to report just when a rule may apply.
    assert 2 < elsewhere["every_s"] <= 3
    there["token"] = elsewhere["token"]
    told = (await visit(client, **there)).json()
    assert told["invitation"] == {"id": 1, "text": "Tea?", "name": OTHER_SITE.name}
    reply = {"id": 1, "state": "refused"}
    assert "invitation" not in (await visit(client, **there, invitation=reply)).json()
    row = rows(app)[-1]
    assert (row["invitation"], row["invited_by"]) == ("refused", "tea")
    del there["token"]
    new = (await visit(client, **there, has_refused=True)).json()
    assert "invitation" not in new
