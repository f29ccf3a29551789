"""Names that a client chooses: the host that it asks for, and the origin it is of."""

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from kefu_server.app import LONGPOLL_PATH, KefuApp
from tests.security.test_route_answers import ROUTES, VISIT
from tests.server.conftest import (
    ORIGIN,
    PASSWORD,
    SHOP,
    SITE,
    agent,
    app,
    connect,
    settings,
    store,
)
from tests.server.test_app import concrete, http_routes

__all__ = ["agent", "app", "settings", "store"]

pytestmark = pytest.mark.anyio

EVIL = "evil.example"
HOSTS = (
    EVIL,
    f"{EVIL}:8080",
    f"127.0.0.1:8080.{EVIL}",
    f"127.0.0.1:8080@{EVIL}",
    f"{EVIL}#127.0.0.1:8080",
    f"{EVIL}/?x=",
    f"{EVIL}\\",
    f"{EVIL}:8080:8080",
    f"{EVIL}.",
    f"{EVIL},127.0.0.1:8080",
    f"{EVIL} 127.0.0.1:8080",
    f"{EVIL}\t",
    f"x' onload='{EVIL}",
    f'"><script src=//{EVIL}>',
    f"xn--evil-{EVIL}",
    f"[::1]{EVIL}",
    f"{EVIL}:99999",
    f"{EVIL};default-src *",
    f"EVIL.example.{EVIL}".upper().replace("EVIL", "evil"),
    "",
)
FORWARDED = (
    "forwarded",
    "x-forwarded-host",
    "x-forwarded-server",
    "x-host",
    "x-original-url",
    "x-rewrite-url",
)
ORIGINS = (
    None,
    "null",
    ORIGIN,
    SHOP,
    "https://evil.example",
    f"{SHOP}.evil.example",
    "file://",
)
PATHS = (
    "/console/",
    "/widget/key5/",
    "//evil.example/",
    "/api/agent/me/",
    "/console//",
)
"""Written almost as they should be: nobody is sent elsewhere."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def client(app: KefuApp) -> AsyncIterator[httpx.AsyncClient]:
    async with connect(app) as client:
        yield client


def _asked(method: str, path: str, app: KefuApp) -> dict[str, Any]:
    rows = ROUTES.get((method, path))
    asked = {} if rows is None else {**rows[0].asked}
    if rows is not None and rows[0].body is not None:
        asked["json"] = rows[0].body
    return {"method": method, "url": concrete(path, app), **asked}


def _told(response: httpx.Response) -> tuple[Any, ...]:
    """Return all of an answer that is the same each time that it is given."""
    own = {"kefu-session", "x-request-id"}
    headers = {k: v for k, v in response.headers.items() if k not in own}
    is_same = response.request.method == "GET" or response.status_code >= 400
    if not is_same:
        headers.pop("content-length", None)
    return response.status_code, headers, response.content if is_same else b""


async def test_no_answer_depends_on_the_host_that_is_asked_for(
    app: KefuApp, client: httpx.AsyncClient
) -> None:
    routes = [_asked(*route, app) for route in sorted(http_routes(app))]
    routes += [{"method": "GET", "url": f"{ORIGIN}{path}"} for path in PATHS]
    # Paces and failed logins are counted, and are no answer to a name.
    routes = [asked for asked in routes if not asked["url"].endswith("/login")]
    for asked in routes:
        expected = _told(await client.request(**asked))
        assert not 300 <= expected[0] < 400, asked["url"]
        more = asked.get("headers", {})
        named = [{"host": host} for host in HOSTS]
        named += [{name: f"host={EVIL}"} for name in FORWARDED]
        for headers in named:
            asked["headers"] = more | headers
            response = await client.request(**asked)
            assert _told(response) == expected, (asked["url"], headers)
            assert b"evil" not in response.content.lower()


async def test_a_login_under_another_host_sets_the_same_cookie(
    app: KefuApp,
) -> None:
    cookies = []
    for host in (None, *HOSTS[:3]):
        async with connect(app) as client:
            answer = await client.post(
                "/api/agent/login",
                json={"login": "ana", "password": PASSWORD},
                headers={} if host is None else {"host": host},
            )
        assert answer.status_code == 200
        set_cookies = answer.headers.get_list("set-cookie")
        # Without their values, which are new each time.
        cookies.append([re.sub("=[^;]*", "", each, count=1) for each in set_cookies])
    assert [cookies[0]] * len(cookies) == cookies
    assert len(cookies[0]) == 2
    assert "domain" not in str(cookies[0]).lower()


async def test_no_route_lets_a_page_of_another_origin_read_an_answer(
    app: KefuApp, client: httpx.AsyncClient
) -> None:
    del client.headers["origin"]
    for method, path in sorted(http_routes(app)):
        asked = _asked(method, path, app)
        for origin in ORIGINS:
            given = {} if origin is None else {"origin": origin}
            for verb in (method, "OPTIONS"):
                preflight = {
                    "access-control-request-method": method,
                    "access-control-request-headers": "content-type",
                    "access-control-request-private-network": "true",
                }
                headers = asked.get("headers", {}) | given
                response = await client.request(
                    **asked
                    | {"method": verb}
                    | {"headers": headers | (preflight if verb == "OPTIONS" else {})},
                )
                allowed = [
                    name
                    for name in response.headers
                    if name.startswith("access-control-")
                ]
                assert allowed == [], (verb, path, origin)
                if verb == "OPTIONS":
                    assert response.status_code in (404, 405), path
                elif method != "GET" and origin != ORIGIN and path != LONGPOLL_PATH:
                    assert response.status_code == 403, (path, origin)


@pytest.mark.parametrize("origin", [SHOP, "null", "https://evil.example"])
async def test_what_a_page_of_the_site_says_by_itself_is_no_visit(
    app: KefuApp, client: httpx.AsyncClient, origin: str
) -> None:
    """Only the frame reports: it alone is of our origin, and hears the page."""
    client.headers["origin"] = origin
    assert (await client.post("/api/visit", json=VISIT)).status_code == 403
    body = {"site": SITE.embed_key}
    assert (await client.post("/api/visitor/token", json=body)).status_code == 403
    assert app.state.services.desk.visits.rows() == []
