"""What a site's own pages have in their addresses is kept nowhere, and told nobody."""

import logging

import anyio
import anyio.lowlevel
import pytest

from kefu_core.model import Principal, Role
from kefu_core.store.memory import MemoryStore
from kefu_core.types import ParticipantId
from kefu_server.app import KefuApp
from kefu_server.logs import LineFormatter
from tests.server.conftest import SHOP, SITE, agent, app, connect, settings, store

__all__ = ["agent", "app", "settings", "store"]

pytestmark = pytest.mark.anyio

SECRETS = (
    "pw1canary",
    "tk2canary",
    "ml3canary",
    "fr4canary",
    "pt5canary",
    "js6canary",
    "nx7canary",
    "rf8canary",
)
USERINFO, TOKEN, MAIL, FRAGMENT, PATH, SESSION, NEXT, REFERRER = SECRETS
PAGE = (
    f"{SHOP.replace('//', f'//lin:{USERINFO}@')}/reset/{PATH};jsessionid={SESSION}"
    f"?token={TOKEN}&email={MAIL}@shop.example&next=%2Fgo%3Fcode%3D{NEXT}&colour=green"
    f"#access_token={FRAGMENT}"
)
FROM = f"https://mail.example/verify/{REFERRER}?token={REFERRER}#{REFERRER}"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_secrets_of_a_page_are_in_no_list_no_record_and_no_log(
    app: KefuApp, store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    desk = app.state.services.desk
    body = {"site": SITE.embed_key, "page": "p", "url": PAGE, "referrer": FROM}
    async with connect(app) as client:
        told = await client.post("/api/visit", json=body)
        assert told.status_code == 200
        # Refused, malformed and unheard of: none of it is repeated.
        again = body | {"token": told.json()["token"]}
        for changes in ({"page": 1}, {"url": f"x{PAGE}"}, {"site": PAGE}, {PAGE: PAGE}):
            answer = await client.post("/api/visit", json=again | changes)
            assert not any(secret in answer.text for secret in SECRETS), changes
    visitor = Principal(
        participant=ParticipantId(told.json()["visitor"]),
        role=Role.VISITOR,
        site_id=SITE.id,
        name="",
    )
    boss = Principal(
        participant=ParticipantId("a7"), role=Role.ADMIN, site_id=0, name="Ana"
    )
    await desk.call(visitor, "conversation.open", {"answers": {"name": "Lin"}})
    params = {
        "conversation": (await desk.conversations(visitor))[0].id,
        "key": "first",
        "body": "hello",
    }
    await desk.call(visitor, "message.send", params)
    left = {"key": "k" * 8, "body": "x", "phone": "12345", "page": PAGE}
    await desk.call(visitor, "offline.leave", left)
    with anyio.fail_after(10):
        while not any(row["conversation"] for row in desk.visits.rows()):
            desk.visits.tell()
            await anyio.lowlevel.checkpoint()
    await desk.trails.keep()
    number = int(visitor.participant[1:])
    seen = await desk.call(boss, "visit.get", {"visitor": number})
    kept = f"{SHOP}/reset/***;jsessionid=***?token=***&email=***&next=***&colour=green"
    assert [page["url"] for page in seen["pages"]] == [kept]
    assert desk.visits.rows()[0]["source"] == "mail.example/verify/***"
    listed = await desk.call(boss, "offline.list", {})
    assert listed["rows"][0]["page"] == f"{SHOP}/reset/***;jsessionid=***"
    log = "\n".join(map(LineFormatter().format, caplog.records))
    everything = repr(vars(store)) + repr(desk.visits.rows()) + repr(seen) + log
    assert "colour=green" in everything
    assert [secret for secret in SECRETS if secret in everything] == []
