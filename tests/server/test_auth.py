"""Logins, cookies and tokens: who gets in, who does not, and what it tells them."""

import threading
from collections.abc import Callable
from typing import Any

import anyio
import argon2
import argon2.low_level
import httpx
import msgspec
import pytest

from kefu_core.abc.streams import PeerInfo
from kefu_core.errors import TooMany, Unauthorized
from kefu_core.limits import Limits
from kefu_core.model import Agent, Role
from kefu_core.store.memory import MemoryStore
from kefu_server.app import KefuApp
from kefu_server.auth import Authenticator, hash_secret
from kefu_server.passwords import HASHES_MAX
from tests.server.conftest import ORIGIN, PASSWORD, Clock, connect, log_in

pytestmark = pytest.mark.anyio

WRONG = "wrong horse battery"
HOUR_MS = 3_600_000


def peer(origin: str | None = ORIGIN, **cookies: str) -> PeerInfo:
    return PeerInfo(
        transport="websocket", address="192.0.2.1", origin=origin, cookies=cookies
    )


async def open_login(auth: Authenticator) -> str:
    return (await auth.login("ana", PASSWORD, "192.0.2.1")).secret


# -- cookies on sockets ------------------------------------------------------------


async def test_a_cookie_counts_from_the_servers_own_origin(auth: Authenticator) -> None:
    secret = await open_login(auth)
    principal = await auth.authenticate("", peer(kefu_session=secret))
    assert (principal.participant, principal.role) == ("a7", Role.AGENT)
    assert principal.session == hash_secret(secret)


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "",
        "null",
        "http://127.0.0.1",
        "http://127.0.0.1:8081",
        "https://127.0.0.1:8080",
        "http://127.0.0.1:8080.evil.example",
        "http://evil127.0.0.1:8080",
        "http://user@127.0.0.1:8080",
        "http://127.0.0.1:8080/",
        "HTTP://127.0.0.1:8080",
        "http://127.0.0.1.:8080",
        "http://127.0.0.1:08080",
        "http://127.0.0.1:8080, http://127.0.0.1:8080",
        "http://xn--127-0-0-1:8080",
        "file://",
    ],
)
async def test_a_cookie_counts_from_nowhere_else(
    auth: Authenticator, origin: str | None
) -> None:
    secret = await open_login(auth)
    with pytest.raises(Unauthorized):
        await auth.authenticate("", peer(origin, kefu_session=secret))


async def test_a_visitors_token_in_a_cookie_is_nothing(auth: Authenticator) -> None:
    token, _ = auth.visitors.issue(12, 5)
    with pytest.raises(Unauthorized):
        await auth.authenticate("", peer(kefu_session=token))


async def test_without_token_and_cookie_there_is_nobody(auth: Authenticator) -> None:
    with pytest.raises(Unauthorized):
        await auth.authenticate("", peer())


async def test_a_token_goes_before_a_cookie(auth: Authenticator) -> None:
    secret = await open_login(auth)
    token, expires_at = auth.visitors.issue(12, 5)
    principal = await auth.authenticate(token, peer(kefu_session=secret))
    assert (principal.participant, principal.role) == ("v12", Role.VISITOR)
    assert (principal.site_id, principal.expires_at_ms) == (5, expires_at)
    with pytest.raises(Unauthorized):
        await auth.authenticate("wrong", peer(kefu_session=secret))


async def test_a_program_may_hand_over_a_login_as_its_token(
    auth: Authenticator,
) -> None:
    secret = await open_login(auth)
    principal = await auth.authenticate(secret, peer(None))
    assert principal.participant == "a7"


async def test_who_is_refused_is_logged_without_what_they_showed(
    auth: Authenticator, caplog: pytest.LogCaptureFixture
) -> None:
    secret = await open_login(auth)
    caplog.clear()
    for token, cookies, origin in (
        ("a.canary.c", {}, ORIGIN),
        ("canary", {}, ORIGIN),
        ("", {"kefu_session": secret}, "https://evil.example"),
        ("", {"kefu_session": "canary"}, ORIGIN),
        ("", {}, None),
    ):
        with pytest.raises(Unauthorized):
            await auth.authenticate(token, peer(origin, **cookies))
    said = "hello_refused transport=websocket by={} address=192.0.2.1"
    assert [record.getMessage() for record in caplog.records] == [
        said.format("token"),
        said.format("token"),
        said.format("cookie") + " origin=https://evil.example",
        said.format("cookie"),
        said.format("nothing"),
    ]


async def test_an_address_that_is_refused_all_the_time_does_not_fill_the_log(
    auth: Authenticator, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(1_000):
        clock.s += 0.01
        with pytest.raises(Unauthorized):
            await auth.authenticate("nobody's", peer())
    assert 10 < len(caplog.records) < 30


# -- how long a login lives --------------------------------------------------------


async def test_a_login_ends_after_hours_without_use(
    auth: Authenticator, clock: Clock
) -> None:
    secret = await open_login(auth)
    clock.s += 11 * 3600
    principal = await auth.authenticate(secret, peer())
    clock.s += 11 * 3600
    assert await auth.revalidate(principal)
    clock.s += 13 * 3600
    assert not await auth.revalidate(principal)
    with pytest.raises(Unauthorized):
        await auth.authenticate(secret, peer())


async def test_a_login_ends_after_a_week_however_much_it_is_used(
    auth: Authenticator, clock: Clock
) -> None:
    secret = await open_login(auth)
    for _ in range(16):
        clock.s += 10 * 3600
        await auth.authenticate(secret, peer())
    clock.s += 9 * 3600
    with pytest.raises(Unauthorized):
        await auth.authenticate(secret, peer())


@pytest.mark.parametrize(
    "change",
    [
        lambda agent: msgspec.structs.replace(agent, is_active=False),
        lambda agent: msgspec.structs.replace(agent, role=Role.ADMIN),
    ],
)
async def test_a_live_connection_ends_with_the_right_to_it(
    auth: Authenticator,
    store: MemoryStore,
    agent: Agent,
    change: Callable[[Agent], Agent],
) -> None:
    principal = await auth.authenticate(await open_login(auth), peer())
    await store.put_agent(change(agent))
    assert not await auth.revalidate(principal)


async def test_a_new_password_ends_every_login(
    auth: Authenticator, store: MemoryStore
) -> None:
    secrets = [await open_login(auth) for _ in range(3)]
    await store.delete_agent_sessions(agent_id=7)
    for secret in secrets:
        with pytest.raises(Unauthorized):
            await auth.authenticate(secret, peer())


async def test_a_visitors_connection_ends_with_its_token(
    auth: Authenticator, clock: Clock
) -> None:
    token, _ = auth.visitors.issue(12, 5)
    principal = await auth.authenticate(token, peer())
    clock.s += Limits().visitor_token_s - 60
    assert await auth.revalidate(principal)
    clock.s += 120
    assert not await auth.revalidate(principal)


async def test_the_database_never_sees_the_secret(
    auth: Authenticator, store: MemoryStore
) -> None:
    secret = await open_login(auth)
    assert len(secret) >= 43
    assert await store.find_agent_session(secret) is None
    assert await store.find_agent_session(hash_secret(secret)) is not None


# -- over HTTP ---------------------------------------------------------------------


async def test_login_me_logout(client: httpx.AsyncClient) -> None:
    me = {"me": {"id": "a7", "name": "Ana 安", "role": "agent", "language": ""}}
    response = await log_in(client)
    assert response.json() == me
    assert PASSWORD not in response.text
    session = response.headers.get_list("set-cookie")[0]
    assert session.startswith("kefu_session=")
    assert {"HttpOnly", "Path=/", "SameSite=strict"} <= set(session.split("; "))
    assert (await client.get("/api/agent/me")).json() == me
    kept = client.cookies["kefu_session"]
    assert (await client.post("/api/agent/logout", json={})).status_code == 200
    assert "kefu_session" not in client.cookies
    client.cookies.set("kefu_session", kept)
    assert (await client.get("/api/agent/me")).status_code == 401


async def test_a_cookie_that_was_planted_is_never_adopted(
    client: httpx.AsyncClient,
) -> None:
    planted = "p" * 43
    client.cookies.set("kefu_session", planted, domain="127.0.0.1")
    response = await log_in(client)
    assert planted not in response.headers.get_list("set-cookie")[0]
    client.cookies.clear()
    client.cookies.set("kefu_session", planted)
    assert (await client.get("/api/agent/me")).status_code == 401


async def test_the_answer_does_not_tell_whether_an_account_exists(
    app: KefuApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = count_verifications(monkeypatch)
    answers, work = [], []
    for number, login in enumerate(("ana", "nobody", "gone", "ANA", "茶")):
        async with connect(app, f"192.0.2.{number}") as client:
            before = len(checked)
            body = {"login": login, "password": WRONG}
            response = await client.post("/api/agent/login", json=body)
            answers.append((response.status_code, response.content))
            work.append(len(checked) - before)
    assert len(set(answers)) == 1
    assert answers[0][0] == 401
    assert set(work) == {1}


async def test_an_account_that_was_closed_does_not_get_in(
    client: httpx.AsyncClient,
) -> None:
    body = {"login": "gone", "password": PASSWORD}
    assert (await client.post("/api/agent/login", json=body)).status_code == 401


async def test_a_thousand_guesses_get_twenty_tries_and_the_owner_still_gets_in(
    auth: Authenticator, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = (await auth.login("ana", PASSWORD, "192.0.2.1")).device
    checked = count_verifications(monkeypatch)
    outcomes: list[type[Exception]] = []

    async def guess(number: int) -> None:
        try:
            address = f"198.51.100.{number % 250}"
            await auth.login("ana", f"{WRONG}{number}", address)
        except (Unauthorized, TooMany) as error:
            outcomes.append(type(error))

    async with anyio.create_task_group() as tasks:
        for number in range(1000):
            tasks.start_soon(guess, number)
    assert len(outcomes) == 1000
    assert outcomes.count(Unauthorized) == len(checked) <= 20
    # From a browser never seen, the owner has to wait like everybody.
    with pytest.raises(TooMany) as raised:
        await auth.login("ana", PASSWORD, "203.0.113.9")
    assert raised.value.retry_after_s > 0
    # The owner's own browser has been here before.
    assert (await auth.login("ana", PASSWORD, "192.0.2.1", device)).agent.id == 7
    clock.s += raised.value.retry_after_s
    assert (await auth.login("ana", PASSWORD, "203.0.113.9")).agent.id == 7


async def test_one_address_gets_few_tries_over_all_accounts(
    auth: Authenticator,
) -> None:
    outcomes: list[type[Exception]] = []
    for number in range(40):
        try:
            await auth.login(f"guess{number}", WRONG, f"2001:db8::{number}")
        except (Unauthorized, TooMany) as error:
            outcomes.append(type(error))
    assert outcomes == [Unauthorized] * 20 + [TooMany] * 20


async def test_a_login_that_has_to_wait_is_told_how_long(app: KefuApp) -> None:
    for _ in range(5):
        app.state.services.auth._accounts.charge("l:ana", 1e12)
    async with connect(app) as client:
        response = await log_in(client)
    assert response.status_code == 429
    assert int(response.headers["retry-after"]) > 1
    assert response.json()["error"]["code"] == "rate_limited"


# -- passwords ---------------------------------------------------------------------


def count_verifications(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the argon2 checks; each entry is how many ran at once."""
    real = argon2.low_level.verify_secret
    lock = threading.Lock()
    running = 0
    counts: list[int] = []

    def verify_secret(*arguments: Any) -> bool:
        nonlocal running
        with lock:
            running += 1
            counts.append(running)
        try:
            return bool(real(*arguments))
        finally:
            with lock:
                running -= 1

    monkeypatch.setattr("argon2._password_hasher.verify_secret", verify_secret)
    return counts


def test_a_stored_hash_is_as_strong_as_owasp_asks(agent: Agent) -> None:
    found = argon2.extract_parameters(agent.password_hash)
    assert found.type is argon2.Type.ID
    assert found.memory_cost >= 19 * 1024
    assert (found.time_cost, found.parallelism) == (2, 1)


async def test_two_hundred_logins_hash_two_at_a_time(
    app: KefuApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = count_verifications(monkeypatch)
    statuses: list[int] = []

    async def attempt(number: int) -> None:
        async with connect(app, f"198.51.{number}.1") as client:
            body = {"login": f"x{number}", "password": WRONG}
            response = await client.post("/api/agent/login", json=body)
            statuses.append(response.status_code)

    async with anyio.create_task_group() as tasks:
        for number in range(200):
            tasks.start_soon(attempt, number)
    assert max(counts) <= HASHES_MAX
    assert set(statuses) <= {401, 503}
    assert statuses.count(401) >= 64


async def test_a_weaker_hash_is_replaced_at_the_next_login(
    auth: Authenticator, store: MemoryStore, agent: Agent
) -> None:
    weak = argon2.PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1)
    await store.put_agent(
        msgspec.structs.replace(agent, password_hash=weak.hash(PASSWORD))
    )
    await open_login(auth)
    stored = await store.find_agent(login="ana")
    assert stored is not None
    assert argon2.extract_parameters(stored.password_hash).memory_cost >= 19_456
    await open_login(auth)
