"""Every method over REST for everybody, by the same rows as over `call`.

A method needs no row here: what `call` answers, a request must answer with its status.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import anyio
import httpx
import msgspec
import pytest
from anyio.abc import TaskGroup
from jsonschema import Draft202012Validator

from kefu_core.abc.streams import PeerInfo
from kefu_core.desk.access import RIGHTS, WRITING
from kefu_core.desk.calls import CALLS
from kefu_core.desk.programs import hash_token, known_scopes, make_token
from kefu_core.errors import CloseCode
from kefu_core.limits import Limits
from kefu_core.model import Agent, AgentSession, Role, Site
from kefu_core.node import monotonic, unix_ms
from kefu_core.protocol import frames as f
from kefu_core.protocol.codec import JSON
from kefu_core.store.memory import MemoryStore
from kefu_core.transports.memory import memory_pair
from kefu_core.types import UnixMs
from kefu_server.app import KefuApp, create_app
from kefu_server.auth import hash_secret
from kefu_server.middleware import CLOSED_POLICY
from kefu_server.openapi import document
from kefu_server.routes.api import path_of
from kefu_server.sections import Secret
from kefu_server.settings import Settings
from tests.core.desk.world import Wire, World
from tests.security.test_access_matrix import (
    METHODS,
    OK,
    PRINCIPALS,
    conversation_with_rows,
)
from tests.server.conftest import connect

pytestmark = pytest.mark.anyio

STATUS = {
    OK: 200,
    "not_found": 404,
    "forbidden": 403,
    "bad_request": 400,
    "conflict": 409,
}
PEOPLE = {who: who for who in PRINCIPALS}
"""Who asks, and the column of the matrix."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Served(World):
    """A world behind the whole application."""

    def __init__(self, app: KefuApp) -> None:
        services = app.state.services
        self.store = services.store
        self.hub = services.hub
        self.desk = services.desk


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[KefuApp]:
    async with serving(tmp_path) as app:
        yield app


@asynccontextmanager
async def serving(tmp_path: Path, **more: float) -> AsyncIterator[KefuApp]:
    """Run the whole application with an agent, an admin and two sites."""
    limits = msgspec.structs.replace(
        Limits(new_conversations_per_h=10_000, new_conversations_per_address_h=10_000),
        **more,
    )
    store = MemoryStore(limits, now=monotonic, now_ms=unix_ms)
    settings = Settings(
        secret=Secret("s" * 40), data_dir=str(tmp_path / "data"), limits=limits
    )
    app = create_app(settings, store=store)
    async with app.router.lifespan_context(app):
        for number, role in ((1, Role.AGENT), (2, Role.ADMIN), (3, Role.AGENT)):
            await store.put_site(Site(id=number, name="s", embed_key=f"k{number}"))
            await store.put_agent(
                Agent(
                    id=number,
                    login=f"l{number}",
                    name="N",
                    password_hash="-",
                    role=role,
                    sites=(2,) if number == 3 else None,
                )
            )
            at = UnixMs(unix_ms())
            await store.put_agent_session(
                AgentSession(
                    token_hash=hash_secret(f"secret{number}"),
                    agent_id=number,
                    created_at=at,
                    last_used_at=at,
                )
            )
        yield app


async def token_of(app: KefuApp, number: int, *scopes: str) -> str:
    """Return a program's token for an agent."""
    services = app.state.services
    agent = await services.store.find_agent(agent_id=number)
    record, secret = make_token(
        services.ids.new(), "bot", list(scopes), agent, now_ms=unix_ms()
    )
    await services.store.put_records(record)
    return secret


def become(app: KefuApp, client: httpx.AsyncClient, who: str) -> None:
    """Give a client what this principal has."""
    auth = app.state.services.auth
    if who.startswith("v"):
        visitor, _, site = who.partition("@")
        token, _ = auth.visitors.issue(int(visitor[1:]), int(site or 1))
        client.headers["authorization"] = f"Bearer {token}"
    elif who.startswith("a"):
        client.cookies.set(auth.cookie, f"secret{who[1:]}")


async def ask(
    app: KefuApp, client: httpx.AsyncClient, name: str, params: dict[str, Any]
) -> httpx.Response:
    """Ask for a method over REST as its `http` says."""
    verb, path = path_of(CALLS[name])
    rest = dict(params)
    for key in list(rest):
        if f"{{{key}}}" in path:
            path = path.replace(f"{{{key}}}", str(rest.pop(key)))
    if verb == "GET":
        answer = await client.get(path, params=rest)
    else:
        answer = await client.request(verb, path, json=rest)
    assert_as_documented(name, answer)
    return answer


DOCUMENT = document()


@cache
def _validator(name: str, status: int) -> Draft202012Validator:
    """Return what checks a method's answer with this status."""
    verb, path = path_of(CALLS[name])
    response = DOCUMENT["paths"][path][verb.lower()]["responses"][str(status)]
    if "$ref" in response:
        response = DOCUMENT["components"]["responses"]["Error"]
    schema = response["content"]["application/json"]["schema"]
    return Draft202012Validator(
        {**schema, "components": DOCUMENT["components"]},
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )


def assert_as_documented(name: str, answer: httpx.Response) -> None:
    """Hold an answer to the OpenAPI document, and to what holds for every answer."""
    assert answer.status_code < 500, answer.text
    _validator(name, answer.status_code).validate(answer.json())
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-security-policy"] == CLOSED_POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


async def _params(app: KefuApp, name: str, who: str) -> dict[str, Any]:
    conversation = await conversation_with_rows(Served(app))
    (call,) = METHODS[name].build(conversation, who)
    assert isinstance(call, f.Call)
    return call.params


@pytest.mark.parametrize("name", sorted(CALLS))
async def test_a_request_answers_what_a_call_answers(tmp_path: Path, name: str) -> None:
    for who, column in PEOPLE.items():
        async with serving(tmp_path) as app, connect(app) as client:
            params = await _params(app, name, who)
            become(app, client, who)
            answer = await ask(app, client, name, params)
        expected = STATUS[METHODS[name].cells[column]]
        assert answer.status_code == expected, (who, answer.text)
        if expected != 200:
            assert set(answer.json()) == {"error"}
            assert "canary" not in answer.text


@pytest.mark.parametrize("name", sorted(CALLS))
async def test_nobody_and_a_forged_token_get_nothing(app: KefuApp, name: str) -> None:
    params = await _params(app, name, "a1")
    for shown in (None, "Bearer x", "Bearer kefu_" + "x" * 43, "Basic a1", "Bearer "):
        async with connect(app) as client:
            if shown is not None:
                # A credential that fails is not made good by a cookie beside it.
                become(app, client, "a2")
                client.headers["authorization"] = shown
            answer = await ask(app, client, name, params)
        assert answer.status_code == 401, (shown, answer.text)


@pytest.mark.parametrize("name", sorted(CALLS))
async def test_a_token_may_do_what_its_scope_and_its_agent_allow(
    tmp_path: Path, name: str
) -> None:
    scope, cells = CALLS[name].scope, METHODS[name].cells
    others = [each for each in known_scopes() if each != scope]
    for number in (1, 2):
        allowed = STATUS[cells[f"a{number}"]]
        # What the role may not call at all is not there; the target may be another's.
        role = Role.AGENT if number == 1 else Role.ADMIN
        refused = 403 if name in RIGHTS[role].calls else 404
        cases = [(others, refused)]
        if scope:
            cases.append(([scope], allowed))
        for scopes, expected in cases:
            async with serving(tmp_path) as app, connect(app) as client:
                params = await _params(app, name, f"a{number}")
                secret = await token_of(app, number, *scopes)
                # A program has no origin.
                del client.headers["origin"]
                client.headers["authorization"] = f"Bearer {secret}"
                answer = await ask(app, client, name, params)
            assert answer.status_code == expected, (number, scopes, answer.text)


async def test_a_page_of_another_origin_cannot_use_an_agents_cookie(
    app: KefuApp,
) -> None:
    for name, method in CALLS.items():
        if method.http.startswith("GET"):
            continue
        params = await _params(app, name, "a2")
        async with connect(app) as client:
            become(app, client, "a2")
            client.headers["origin"] = "https://evil.example"
            answer = await ask(app, client, name, params)
        assert answer.status_code == 403, (name, answer.text)


async def test_a_token_that_ended_or_whose_agent_left_is_nobodys(app: KefuApp) -> None:
    services = app.state.services
    store = services.store
    agent = await store.find_agent(agent_id=1)
    ended, secret = make_token(
        5, "bot", ["conversations:read"], agent, now_ms=unix_ms()
    )
    await store.put_records(msgspec.structs.replace(ended, expires_at=UnixMs(1)))
    async with connect(app) as client:
        client.headers["authorization"] = f"Bearer {secret}"
        assert (await ask(app, client, "people.get", {"ids": []})).status_code == 401
        live = await token_of(app, 1, "conversations:read")
        client.headers["authorization"] = f"Bearer {live}"
        assert (await ask(app, client, "people.get", {"ids": []})).status_code == 200
        await store.put_agent(msgspec.structs.replace(agent, is_active=False))
        assert (await ask(app, client, "people.get", {"ids": []})).status_code == 401


async def test_a_token_says_hello_follows_by_scope_and_ends_within_a_second(
    app: KefuApp,
) -> None:
    services = app.state.services
    served = Served(app)
    conversation = await conversation_with_rows(served)
    reader, blind = [
        await token_of(app, 1, scope) for scope in ("conversations:read", WRITING)
    ]

    async def live(token: str, tasks: TaskGroup) -> Wire:
        ours, theirs = memory_pair(JSON, services.limits)
        theirs.peer = PeerInfo(transport="memory")
        tasks.start_soon(services.hub.serve, theirs)
        wire = Wire(ours)
        await wire.send(f.Hello(token=token))
        await wire.until(f.Welcome)
        return wire

    follow = f.Follow(conversation=conversation)
    send = f.Send(key="k", conversation=conversation, n=1, body="x")
    async with anyio.create_task_group() as tasks:
        wire = await live(reader, tasks)
        assert any(isinstance(x, f.Head) for x in await wire.answers(follow))
        answers = await wire.answers(send, f.Watch(topic="offline"))
        codes = {x.code for x in answers if isinstance(x, f.ErrorFrame)}
        assert codes == {"forbidden", "not_found"}
        other = await live(blind, tasks)
        refused = await other.answers(follow)
        assert [x.code for x in refused] == ["forbidden"]
        async with connect(app) as client:
            become(app, client, "a1")
            listed = (await client.get("/api/v1/tokens")).json()["rows"]
            assert {row["agent"] for row in listed} == {"a1"}
            for row in listed:
                answer = await client.request(
                    "DELETE", f"/api/v1/tokens/{row['id']}", json={}
                )
                assert answer.status_code == 200
        assert (await wire.until(f.Closed)).code == CloseCode.UNAUTHORIZED
        assert (await other.until(f.Closed)).code == CloseCode.UNAUTHORIZED
        for each in (wire, other):
            each.cut()


async def test_a_message_is_appended_once_by_its_key_and_hidden_notes_stay_hidden(
    app: KefuApp,
) -> None:
    conversation = await conversation_with_rows(Served(app))
    path = f"/api/v1/conversations/{conversation}/messages"
    async with connect(app) as client:
        become(app, client, "v1")
        first, again, other = [
            (await client.post(path, json={"key": "once", "body": body}))
            for body in ("hello", "hello", "other")
        ]
        assert first.json()["seq"] == again.json()["seq"] == 4
        assert (first.json()["duplicate"], again.json()["duplicate"]) == (False, True)
        assert other.status_code == 409
        page = (await client.get(path, params={"after": 1, "limit": 2})).json()
        assert [m["kind"] for m in page["messages"]] == ["placeholder", "text"]
        assert page["more"]
        assert page["head"] == 4
        assert "secret" not in str(page)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("conversations/x/take", {}),
        ("conversations/0/take", {}),
        ("conversations/99999999999999999999/take", {}),
        ("conversations/1/take", {"conversation": 2}),
        ("conversations/1/take", {"force": True}),
        ("conversations/1/take?force=1", {}),
        ("conversations/1/take", []),
        ("conversations/1/messages", {"key": "k" * 65, "body": "x"}),
        ("conversations/1/messages", {"key": "k", "body": "x", "ref": 2**60}),
        ("conversations/1/messages", {"key": "k", "data": {"a": 2**60}}),
        ("conversations/1/messages", b'{"data": ' + b'{"a":' * 20 + b"1" + b"}" * 21),
        ("conversations/1/messages", b'{"data": ' + b"[" * 9_000),
        ("conversations/1/messages", b"\xff"),
    ],
)
async def test_what_is_malformed_is_refused_in_a_sentence(
    app: KefuApp, path: str, body: Any
) -> None:
    async with connect(app) as client:
        become(app, client, "a1")
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        client.headers["content-type"] = "application/json"
        answer = await client.post(f"/api/v1/{path}", content=content)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["text"].endswith(".")


async def test_requests_have_the_pace_of_a_connection(tmp_path: Path) -> None:
    burst = 5
    # So slow that no machine sends a request as slowly.
    limits = {"frames_per_s": 0.001, "frames_burst": burst}
    async with serving(tmp_path, **limits) as app, connect(app) as client:
        become(app, client, "a1")
        asked = [await client.get("/api/v1/tokens") for _ in range(burst + 1)]
        assert [answer.status_code for answer in asked] == [200] * burst + [429]
        assert int(asked[-1].headers["retry-after"]) >= 1
        become(app, client, "a2")
        assert (await client.get("/api/v1/tokens")).status_code == 200


async def test_a_token_tells_its_secret_once_and_is_asked_for_within_limits(
    app: KefuApp,
) -> None:
    async with connect(app) as client:
        become(app, client, "a1")
        asked = {"name": "bot", "scopes": ["reports:read"]}
        made = (await client.post("/api/v1/tokens", json=asked)).json()
        secret = made["secret"]
        assert secret.startswith("kefu_")
        assert len(secret) == 48
        listed = await client.get("/api/v1/tokens")
        assert secret not in listed.text
        assert hash_token(secret) not in listed.text
        for wrong in (
            asked | {"scopes": ["all"]},
            asked | {"name": "a\u2028b"},
            asked | {"name": " "},
            asked | {"expires_at": 1},
            asked | {"scopes": []},
        ):
            answer = await client.post("/api/v1/tokens", json=wrong)
            assert answer.status_code == 400, wrong
        of_other = await client.post("/api/v1/tokens", json=asked | {"agent": 2})
        assert of_other.status_code == 404


_WRONG: tuple[Any, ...] = (None, -1, 2**53, 1.5, "", "\0", "\u202e" * 300, [], {}, True)


@pytest.mark.parametrize("name", sorted(CALLS))
async def test_hostile_values_are_answered_as_documented(
    tmp_path: Path, name: str
) -> None:
    fields = [each.encode_name for each in msgspec.structs.fields(CALLS[name].params)]
    async with serving(tmp_path) as app:
        good = await _params(app, name, "a2")
        for number, value in enumerate(_WRONG):
            field = fields[number % len(fields)] if fields else "nothing"
            in_path = f"{{{field}}}" in CALLS[name].http
            sent = "x" if in_path and not str(value).isalnum() else value
            async with connect(app) as client:
                become(app, client, "v1" if number % 2 else "a2")
                await ask(app, client, name, good | {field: sent})


async def test_history_is_read_with_a_token_of_the_right_scope_only(
    app: KefuApp,
) -> None:
    reader = await token_of(app, 1, "conversations:read")
    other = await token_of(app, 1, "reports:read")
    for path in ("facets", "conversations", "search?q=a", "export?format=csv"):
        for secret, status in ((reader, 200), (other, 403), ("kefu_x", 401)):
            async with connect(app) as client:
                become(app, client, "a2")
                client.headers["authorization"] = f"Bearer {secret}"
                answer = await client.get(f"/api/history/{path}")
            assert answer.status_code == status, (path, answer.text)
