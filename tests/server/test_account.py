"""What agents do with their own accounts over HTTP."""

import base64
import time
from typing import Any

import httpx
import msgspec
import pytest

from kefu_core.records import AuditEntry
from kefu_core.store.memory import MemoryStore
from kefu_server.app import KefuApp
from kefu_server.factors import STEP_S, code_at
from tests.server.conftest import PASSWORD, connect, log_in

pytestmark = pytest.mark.anyio

OTHER = f"another {PASSWORD}"


async def account(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.get("/api/agent/account")
    assert answer.status_code == 200
    return dict(answer.json())


async def post(client: httpx.AsyncClient, name: str, **body: str) -> httpx.Response:
    return await client.post(f"/api/agent/{name}", json=body)


async def test_logins_are_listed_and_ended_one_or_all_others(
    app: KefuApp, client: httpx.AsyncClient
) -> None:
    await log_in(client)
    async with connect(app, "198.51.100.7") as phone, connect(app) as third:
        phone.headers["user-agent"] = "Telephone <b>/1"
        for each in (phone, third):
            await log_in(each)
        logins = (await account(client))["sessions"]
        assert [each["is_current"] for each in logins] == [False, False, True]
        assert (logins[1]["address"], logins[1]["user_agent"]) == (
            "198.51.100.7",
            "Telephone <b>/1",
        )
        # A name in a list opens nothing.
        assert client.cookies["kefu_session"] not in str(logins)
        ended = await post(client, "sessions/end", session=logins[1]["id"])
        assert ended.json() == {"count": 1}
        assert (await phone.get("/api/agent/me")).status_code == 401
        assert (await third.get("/api/agent/me")).status_code == 200
        again = await post(client, "sessions/end", session=logins[1]["id"])
        assert again.status_code == 404
        assert (await post(client, "sessions/end", session="")).json() == {"count": 1}
        assert (await third.get("/api/agent/me")).status_code == 401
    (left,) = (await account(client))["sessions"]
    assert left["is_current"]


async def test_nobody_ends_a_login_of_somebody_else(
    app: KefuApp, client: httpx.AsyncClient, store: MemoryStore
) -> None:
    gone = await store.find_agent(login="gone")
    assert gone is not None
    await store.put_agent(msgspec.structs.replace(gone, is_active=True))
    await log_in(client)
    async with connect(app) as other:
        body = {"login": "gone", "password": PASSWORD}
        await other.post("/api/agent/login", json=body)
        (theirs,) = (await account(other))["sessions"]
        answer = await post(client, "sessions/end", session=theirs["id"])
        assert answer.status_code == 404
        assert (await post(client, "sessions/end", session="")).json() == {"count": 0}
        assert (await other.get("/api/agent/me")).status_code == 200


async def test_a_changed_password_renews_the_cookie(client: httpx.AsyncClient) -> None:
    await log_in(client)
    before = client.cookies["kefu_session"]
    wrong = await post(client, "password", password=OTHER, new_password=OTHER)
    assert wrong.status_code == 403
    answer = await post(client, "password", password=PASSWORD, new_password=OTHER)
    assert answer.status_code == 200
    assert client.cookies["kefu_session"] != before
    assert (await client.get("/api/agent/me")).status_code == 200
    assert (await log_in(client)).status_code == 401
    assert (await log_in(client, OTHER)).status_code == 200


async def test_a_second_factor_from_on_to_off_leaves_no_secret_in_the_log(
    client: httpx.AsyncClient, store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "kefu")
    await log_in(client)
    offer = (await post(client, "factor", password=PASSWORD)).json()["offer"]
    key = base64.b32decode(offer["secret"].replace(" ", ""))
    step = int(time.time()) // STEP_S
    wrong = await post(client, "factor/on", code="000000x")
    assert wrong.status_code == 403
    # The one before: the next one is left for the login.
    codes = (await post(client, "factor/on", code=code_at(key, step - 1))).json()[
        "codes"
    ]
    factor = (await account(client))["factor"]
    assert factor == {"is_on": True, "is_required": False, "codes_left": 10}
    needed = (await log_in(client)).json()
    assert needed == {"needs": "code", "offer": None}
    body = {"login": "ana", "password": PASSWORD, "code": code_at(key, step + 1)}
    assert (await client.post("/api/agent/login", json=body)).json()["me"]["id"] == "a7"
    off = await post(client, "factor/off", password=PASSWORD, code=codes[0])
    assert off.status_code == 200
    assert not (await account(client))["factor"]["is_on"]
    written = [e.action for e in await store.list_records(AuditEntry, after=0)]
    assert written == ["login", "factor.on", "login", "factor.off"]
    for secret in (PASSWORD, offer["secret"], body["code"], *codes):
        assert secret not in caplog.text
