"""Every HTTP route for everybody, cell by cell; a route without a row fails."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from kefu_core.abc.archive import ConversationFilter
from kefu_core.model import Agent, Role
from kefu_server.app import KefuApp
from kefu_server.sections import Secret
from kefu_server.settings import Settings
from tests.server.conftest import SITE, connect
from tests.server.history import LIN, History, enter, history_on
from tests.server.test_app import concrete, http_routes

NOBODY, VISITOR, FORGED, LOGGED_OUT, GONE, AGENT, ADMIN = (
    "nobody",
    "a visitor's token",
    "a forged cookie",
    "an ended login",
    "an agent who has left",
    "an agent",
    "an admin",
)
PRINCIPALS = (NOBODY, VISITOR, FORGED, LOGGED_OUT, GONE, AGENT, ADMIN)

EVERYBODY = (200,) * 7
AGENTS_ONLY = (401, 401, 401, 401, 401, 200, 200)
BY_TOKEN = (401, 200, 401, 401, 401, 200, 200)
ABSENT = (401, 404, 401, 401, 401, 404, 404)
"""Whose a file that is there is stands in `tests/server/test_files.py`."""
OWN_BY_BODY = (401, 401, 401, 401, 401, 400, 400)
"""What agents do with their own account, said by the body."""
BY_BODY = (400,) * 7
"""Open to all and judged by what the body says: of an empty one, nothing is learnt."""

MATRIX: dict[tuple[str, str], tuple[int, ...]] = {
    ("GET", "/healthz"): EVERYBODY,
    ("GET", "/readyz"): EVERYBODY,
    # There is nothing without a token in the settings (tests/server/test_metrics.py).
    ("GET", "/metrics"): (404,) * 7,
    ("GET", "/widget.js"): EVERYBODY,
    ("GET", "/static/{version}/{name:path}"): EVERYBODY,
    ("GET", "/widget/{embed_key}"): EVERYBODY,
    ("GET", "/widget/{embed_key}/visit"): EVERYBODY,
    ("GET", "/console"): EVERYBODY,
    ("GET", "/setup"): (200,) * 6 + (404,),
    # Judged by its code; with the admin it is gone.
    ("POST", "/api/setup"): (400,) * 6 + (404,),
    ("GET", "/api/openapi.json"): EVERYBODY,
    ("POST", "/api/visit"): BY_BODY,
    ("POST", "/api/visitor/token"): BY_BODY,
    ("POST", "/api/agent/login"): BY_BODY,
    ("POST", "/api/visitor/erase"): (401, 401, 401, 401, 401, 403, 400),
    ("POST", "/kefu/poll"): BY_BODY,
    ("POST", "/api/agent/logout"): EVERYBODY,
    ("GET", "/api/agent/me"): AGENTS_ONLY,
    ("GET", "/api/agent/account"): AGENTS_ONLY,
    ("POST", "/api/agent/password"): OWN_BY_BODY,
    ("POST", "/api/agent/factor"): OWN_BY_BODY,
    ("POST", "/api/agent/factor/on"): OWN_BY_BODY,
    ("POST", "/api/agent/factor/off"): OWN_BY_BODY,
    ("POST", "/api/agent/sessions/end"): OWN_BY_BODY,
    ("GET", "/api/operations"): (401, 401, 401, 401, 401, 403, 200),
    ("GET", "/api/history/facets"): AGENTS_ONLY,
    ("GET", "/api/history/conversations"): AGENTS_ONLY,
    ("GET", "/api/history/conversations/{conversation:int}"): AGENTS_ONLY,
    ("GET", "/api/history/conversations/{conversation:int}/messages"): AGENTS_ONLY,
    ("GET", "/api/history/search"): AGENTS_ONLY,
    ("GET", "/api/history/export"): AGENTS_ONLY,
    ("PUT", "/api/conversations/{conversation:int}/files/{key}"): BY_TOKEN,
    ("GET", "/api/files/{file:int}"): ABSENT,
    ("GET", "/api/files/{file:int}/thumbnail"): ABSENT,
}
NEEDED = {
    "/api/history/search": {"q": "发货"},
    "/api/history/export": {"format": "csv"},
    "/api/conversations/{conversation:int}/files/{key}": {"name": "a.txt"},
}
"""Parameters without which a route has nothing to do."""
UPLOAD = {"content-type": "application/octet-stream"}

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def history(tmp_path: Path) -> AsyncIterator[History]:
    settings = Settings(secret=Secret("s" * 40), data_dir=str(tmp_path / "data"))
    agent = Agent(id=7, login="ana", name="Ana", password_hash="-")
    async with history_on("memory", tmp_path, settings, agent) as history:
        row = await history.open(LIN, "林晓")
        await history.say(row.id, LIN, "secret 发货")
        yield history


async def _become(who: str, history: History, client: httpx.AsyncClient) -> None:
    """Give a browser what this somebody has."""
    app, store = history.app, history.store
    auth = app.state.services.auth
    agents = {
        GONE: Agent(id=21, login="g", name="G", password_hash="-", is_active=False),
        LOGGED_OUT: Agent(id=22, login="l", name="L", password_hash="-"),
        AGENT: Agent(id=23, login="a", name="A", password_hash="-"),
        ADMIN: Agent(id=24, login="b", name="B", password_hash="-", role=Role.ADMIN),
    }
    if who in agents:
        await store.put_agent(agents[who])
        await enter(app, client, agents[who])
    if who == LOGGED_OUT:
        await auth.logout(client.cookies[auth.cookie])
    if who == FORGED:
        client.cookies.set(auth.cookie, "x" * 43)
    if who == VISITOR:
        token, _ = auth.visitors.issue(int(LIN[1:]), SITE.id)
        client.cookies.set(auth.cookie, token)
        client.headers["authorization"] = f"Bearer {token}"


async def test_every_route_has_its_row(history: History) -> None:
    assert set(MATRIX) == http_routes(history.app)


async def _conversation(app: KefuApp) -> int:
    (row,) = await app.state.services.store.find_conversations(ConversationFilter())
    return int(row.id)


@pytest.mark.parametrize("route", MATRIX, ids=" ".join)
async def test_each_principal_gets_what_the_row_says(
    history: History, route: tuple[str, str]
) -> None:
    method, path = route
    number = await _conversation(history.app)
    # Not in what is concrete: the version of the pages may begin with any digit.
    numbered = path
    for placeholder in ("{conversation:int}", "{file:int}"):
        numbered = numbered.replace(placeholder, str(number))
    there = concrete(numbered, history.app)
    for who, expected in zip(PRINCIPALS, MATRIX[route], strict=True):
        async with connect(history.app) as client:
            await _become(who, history, client)
            response = await client.request(
                method,
                there,
                params=NEEDED.get(path),
                json={} if method == "POST" else None,
                content=b"a file" if method == "PUT" else None,
                headers=UPLOAD if method == "PUT" else {},
            )
        assert response.status_code == expected, (who, response.text)
        if expected == 401:
            assert "发货" not in response.text
            assert response.json()["error"]["code"] == "unauthorized"


@pytest.mark.parametrize(
    "path", [path for (_, path), cells in MATRIX.items() if cells == AGENTS_ONLY]
)
async def test_what_is_there_and_what_is_not_are_told_alike_to_strangers(
    history: History, path: str
) -> None:
    number = await _conversation(history.app)
    async with connect(history.app) as client:
        answers = [
            await client.get(
                concrete(path, history.app).replace("/1", f"/{each}"),
                params={"conversation": str(each), "nonsense": "1"},
            )
            for each in (number, number + 1)
        ]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].content == answers[1].content
