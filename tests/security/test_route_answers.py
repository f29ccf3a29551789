"""Whom each route that listens takes everybody for; and every route's headers.

The matrix of all routes is in `test_route_matrix.py`; here each principal says
something that counts.
"""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import httpx
import msgspec
import pytest
from starlette.routing import WebSocketRoute

from kefu_core.abc.streams import PeerInfo
from kefu_core.errors import Unauthorized
from kefu_core.model import Agent, Role
from kefu_core.store.memory import MemoryStore
from kefu_server.app import LONGPOLL_PATH, WEBSOCKET_PATH, KefuApp
from kefu_server.middleware import CLOSED_POLICY
from tests.server.conftest import (
    OTHER_SITE,
    PASSWORD,
    SHOP,
    SITE,
    agent,
    app,
    connect,
    settings,
    store,
)
from tests.server.test_app import concrete, http_routes, mutations

__all__ = ["agent", "app", "settings", "store"]

pytestmark = pytest.mark.anyio

PRINCIPALS = (
    "nobody",
    "forged",
    "ended",
    "visitor",
    "other visitor",
    "visitor of another site",
    "agent",
    "admin",
)
COOKIE = "kefu_session"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def people(app: KefuApp, store: MemoryStore, agent: Agent) -> dict[str, str]:
    """What each principal has to show: as a cookie, and where a token is asked for."""
    auth = app.state.services.auth
    await store.put_agent(
        msgspec.structs.replace(agent, id=9, login="boss", role=Role.ADMIN)
    )
    ended = (await auth.login("ana", PASSWORD, "192.0.2.9")).secret
    await auth.logout(ended)
    return {
        "nobody": "",
        "forged": "f" * 43,
        "ended": ended,
        "visitor": auth.visitors.issue(12, SITE.id)[0],
        "other visitor": auth.visitors.issue(13, SITE.id)[0],
        "visitor of another site": auth.visitors.issue(12, OTHER_SITE.id)[0],
        "agent": (await auth.login("ana", PASSWORD, "192.0.2.9")).secret,
        "admin": (await auth.login("boss", PASSWORD, "192.0.2.9")).secret,
    }


class Row:
    """A route's answer to each principal: a status, and what it says."""

    def __init__(
        self,
        *cells: Any,
        body: dict[str, Any] | None = None,
        upload: str = "",
    ) -> None:
        self.cells = dict(zip(PRINCIPALS, cells, strict=True))
        self.body = body
        self.asked: dict[str, Any] = {}
        if upload:
            headers = {"content-type": "application/octet-stream"}
            self.asked = {"params": {"name": upload}, "headers": headers}


PUBLIC = (200,) * 8
AGENTS_ONLY = (401,) * 6 + ("a7", "a9")
TOKEN = {"site": SITE.embed_key, "token": "TOKEN"}
VISIT = TOKEN | {"page": "p1", "url": f"{SHOP}/"}
LOGIN = {"login": "nobody", "password": PASSWORD}
HELLO = {"poll": 1, "hello": {"t": "hello", "v": 1, "token": "TOKEN"}}
BY_COOKIE = {"poll": 1, "hello": {"t": "hello", "v": 1}}

ROUTES: dict[tuple[str, str], list[Row]] = {
    ("GET", "/api/agent/me"): [Row(*AGENTS_ONLY)],
    ("POST", "/api/agent/login"): [Row(*(401,) * 8, body=LOGIN)],
    ("POST", "/api/agent/password"): [
        Row(*(401,) * 6, 403, 403, body={"password": "x", "new_password": "y"})
    ],
    ("POST", "/api/agent/factor"): [Row(*(401,) * 6, 403, 403, body={"password": "x"})],
    ("POST", "/api/agent/factor/on"): [Row(*(401,) * 6, 409, 409, body={"code": "0"})],
    ("POST", "/api/agent/factor/off"): [
        Row(*(401,) * 6, 404, 404, body={"password": PASSWORD, "code": "0"})
    ],
    # Whose login it is, is not said by its name.
    ("POST", "/api/agent/sessions/end"): [
        Row(*(401,) * 6, 404, 404, body={"session": "x"})
    ],
    # There has been an admin: gone for everybody.
    ("POST", "/api/setup"): [Row(*(404,) * 8, body={})],
    ("POST", "/api/visitor/erase"): [
        Row(*(401,) * 6, 403, 404, body={"visitor": "v404"})
    ],
    ("POST", "/api/agent/logout"): [Row(*PUBLIC, body={})],
    # Who shows a token in a cookie instead of the header is nobody here.
    ("PUT", "/api/conversations/{conversation:int}/files/{key}"): [
        Row(*(401,) * 6, 404, 404, upload="a.txt")
    ],
    # Only a token of this site keeps its visitor; everybody else is a new one.
    ("POST", "/api/visitor/token"): [
        Row("new", "new", "new", "v12", "v13", "new", "new", "new", body=TOKEN)
    ],
    ("POST", "/api/visit"): [
        Row("new", "new", "new", "v12", "v13", "new", "new", "new", body=VISIT)
    ],
    ("POST", LONGPOLL_PATH): [
        Row(
            "unauthorized",
            "unauthorized",
            "unauthorized",
            "v12",
            "v13",
            "v12",
            "a7",
            "a9",
            body=HELLO,
        ),
        Row(*("unauthorized",) * 6, "a7", "a9", body=BY_COOKIE),
    ],
}


async def test_every_route_that_listens_has_a_row(app: KefuApp) -> None:
    assert {route for route in ROUTES if route[0] != "GET"} == set(mutations(app))
    paths = {route.path for route in app.routes if isinstance(route, WebSocketRoute)}
    # What is said over it is in the matrix of frames.
    assert paths == {WEBSOCKET_PATH}


@pytest.fixture
async def client(app: KefuApp) -> AsyncIterator[httpx.AsyncClient]:
    async with connect(app) as client:
        yield client


def _said(response: httpx.Response) -> Any:
    """Return what an answer says of whoever asked, else its status."""
    if response.status_code != 200:
        return response.status_code
    if not response.headers["content-type"].startswith("application/json"):
        return 200
    body = response.json()
    if "batches" in body:
        frame = body["batches"][0]["frames"][0]
        return frame["me"]["id"] if frame["t"] == "welcome" else frame["code"]
    if "visitor" in body:
        return body["visitor"] if body["visitor"] in ("v12", "v13") else "new"
    return body["me"]["id"] if "me" in body else 200


@pytest.mark.parametrize("who", PRINCIPALS)
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route[1])
async def test_each_principal_gets_what_the_row_says(
    app: KefuApp,
    client: httpx.AsyncClient,
    people: dict[str, str],
    route: tuple[str, str],
    who: str,
) -> None:
    method, path = route
    if people[who]:
        client.cookies.set(COOKIE, people[who])
    for row in ROUTES[route]:
        body = row.body and msgspec.json.decode(
            msgspec.json.encode(row.body).replace(b"TOKEN", people[who].encode())
        )
        response = await client.request(
            method,
            concrete(path, app),
            **row.asked,
            **({} if body is None else {"json": body}),
        )
        assert _said(response) == row.cells[who]
        for name, secret in people.items():
            if secret and (name != who or path != "/api/visitor/token"):
                assert secret not in response.text, name


@pytest.mark.parametrize("who", PRINCIPALS)
async def test_a_logout_ends_the_own_login_and_nobody_elses(
    app: KefuApp, client: httpx.AsyncClient, people: dict[str, str], who: str
) -> None:
    auth = app.state.services.auth
    if people[who]:
        client.cookies.set(COOKIE, people[who])
    assert (await client.post("/api/agent/logout", json={})).status_code == 200
    peer = PeerInfo(transport="tcp", address="192.0.2.1")
    left = []
    for name, token in people.items():
        with suppress(Unauthorized):
            await auth.authenticate(token, peer)
            left.append(name)
    expected = {"visitor", "other visitor", "visitor of another site", "agent", "admin"}
    assert set(left) == expected - ({who} & {"agent", "admin"})


COMMON = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": (
        "accelerometer=(), browsing-topics=(), camera=(), display-capture=(), "
        "geolocation=(), gyroscope=(), magnetometer=(), microphone=(), payment=(), "
        "usb=()"
    ),
    "content-security-policy": CLOSED_POLICY,
    "cache-control": "no-store",
}
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; font-src 'self'; media-src 'self'; "
    "connect-src 'self' ws://127.0.0.1:8080 ws://localhost:8080; "
    "manifest-src 'self'; base-uri 'none'; form-action 'self'; "
    "require-trusted-types-for 'script'; frame-ancestors {}"
)
DIFFERENT: dict[str, dict[str, str]] = {
    "/widget.js": {
        "cache-control": "public, max-age=300",
        "cross-origin-resource-policy": "cross-origin",
    },
    "/static/{version}/{name:path}": {
        "cache-control": "public, max-age=31536000, immutable",
        "cross-origin-resource-policy": "cross-origin",
    },
    "/widget/{embed_key}/visit": {
        "content-security-policy": PAGE_POLICY.format(SHOP),
        "cross-origin-resource-policy": "cross-origin",
    },
    "/widget/{embed_key}": {
        "content-security-policy": PAGE_POLICY.format(SHOP),
        "cross-origin-resource-policy": "cross-origin",
    },
    "/console": {
        "content-security-policy": PAGE_POLICY.format("'none'"),
        "x-frame-options": "DENY",
    },
    LONGPOLL_PATH: {"x-accel-buffering": "no"},
}
"""Headers of each route that are not as everywhere."""
IRRELEVANT = {"content-length", "content-type", "etag", "vary", "set-cookie"}
IRRELEVANT |= {"content-encoding", "kefu-session", "x-request-id"}


async def test_the_headers_of_every_route_are_these(
    app: KefuApp, client: httpx.AsyncClient
) -> None:
    for method, path in http_routes(app):
        rows = ROUTES.get((method, path))
        body = rows[0].body if rows else None
        response = await client.request(method, concrete(path, app), json=body)
        headers = {k: v for k, v in response.headers.items() if k not in IRRELEVANT}
        assert headers == COMMON | DIFFERENT.get(path, {}), path
