"""Who is banned gets no token, reports no visit and asks nothing."""

import pytest

from kefu_core.records import Ban, BanKind
from kefu_core.store.memory import MemoryStore
from kefu_server.app import KefuApp
from tests.server.conftest import SHOP, SITE, connect

pytestmark = pytest.mark.anyio

HERE, ELSEWHERE = "203.0.113.5", "198.51.100.1"


async def test_who_is_banned_gets_no_token_by_any_way(
    app: KefuApp, store: MemoryStore
) -> None:
    body = {"site": SITE.embed_key}
    visit = {**body, "page": "p", "url": f"{SHOP}/"}
    async with connect(app, ELSEWHERE) as client:
        token = (await client.post("/api/visitor/token", json=body)).json()
    visitor = token["visitor"]
    await store.put_records(
        Ban(id=1, kind=BanKind.NETWORK, value="203.0.113.0/24"),
        Ban(id=2, kind=BanKind.VISITOR, value=visitor, site_id=SITE.id, reason="why"),
    )
    await app.state.services.desk.bans.load()
    shown = {"authorization": f"Bearer {token['token']}"}
    for address, is_shown in ((HERE, False), (ELSEWHERE, True)):
        async with connect(app, address) as client:
            more = {"token": token["token"]} if is_shown else {}
            answers = [
                await client.post("/api/visitor/token", json=body | more),
                await client.post("/api/visit", json=visit | more),
                await client.post(
                    "/api/v1/people/get", json={"ids": []}, headers=shown
                ),
                await client.put(
                    "/api/conversations/1/files/key?name=a.txt",
                    content=b"x",
                    headers={**shown, "content-type": "application/octet-stream"},
                ),
            ]
        for answer in answers:
            assert answer.status_code == 403, answer.text
            assert answer.json()["error"]["code"] == "banned"
            assert "why" not in answer.text
    async with connect(app, ELSEWHERE) as client:
        assert (await client.post("/api/visitor/token", json=body)).status_code == 200
