"""What an agent invited with begins the conversation on any node, for nobody else."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import jwt
import msgspec
import pytest

from kefu_core.desk.visiting import QuotedWord
from kefu_core.model import MessageKind, Principal, Role
from kefu_core.node import monotonic, unix_ms
from kefu_core.store.sql import SqlStore
from kefu_core.types import ConversationId, ParticipantId, UnixMs
from kefu_server.app import KefuApp, create_app
from kefu_server.settings import Secret, Settings
from kefu_server.tokens import InvitationTokens, VisitorTokens
from tests.server.conftest import OTHER_SITE, SHOP, SITE, connect

pytestmark = pytest.mark.anyio
SECRET = "s" * 40
PAGE = {"site": SITE.embed_key, "page": "p1", "url": f"{SHOP}/tea"}
AGENT = Principal(
    participant=ParticipantId("a7"), role=Role.AGENT, site_id=0, name="Ana"
)
WORD = QuotedWord(
    visitor=1,
    site_id=SITE.id,
    since=UnixMs(5),
    id=1,
    agent=ParticipantId("a7"),
    text="May I help?",
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def apps(tmp_path: Path) -> AsyncIterator[tuple[KefuApp, KefuApp]]:
    """Two nodes over one database, which know nothing else of each other."""
    async with AsyncExitStack() as stack:
        found = []
        for number in range(2):
            store = SqlStore(
                f"sqlite+aiosqlite:///{tmp_path}/kefu.db", now=monotonic, now_ms=unix_ms
            )
            data = str(tmp_path / f"data{number}")
            app = create_app(
                Settings(secret=Secret(SECRET), data_dir=data), store=store
            )
            await stack.enter_async_context(app.router.lifespan_context(app))
            if not number:
                for site in (SITE, OTHER_SITE):
                    await store.put_site(site)
            found.append(app)
        yield found[0], found[1]


async def opened(
    app: KefuApp, invitation: str, visitor: int = 1, site: int = SITE.id
) -> list[tuple[str, Any]]:
    """Open a visitor's conversation on a node; return what the site says in it."""
    services = app.state.services
    token, _ = services.auth.visitors.issue(visitor, site)
    async with connect(app) as client:
        client.headers["authorization"] = f"Bearer {token}"
        body = {"invitation": invitation}
        answer = await client.post("/api/v1/conversations", json=body)
    assert answer.status_code == 200, answer.text
    number = ConversationId(answer.json()["conversation"]["id"])
    log = await services.store.history(number)
    return [(m.body, m.data) for m in log if m.kind is MessageKind.AUTO]


async def test_another_node_begins_with_the_words_of_an_invitation_once(
    apps: tuple[KefuApp, KefuApp],
) -> None:
    one, two = apps
    async with connect(one) as client:
        first = (await client.post("/api/visit", json=PAGE)).json()
        visitor = int(first["visitor"][1:])
        asked = {"visitor": visitor, "text": "May <b>I</b> help?"}
        await one.state.services.desk.call(AGENT, "visit.invite", asked)
        told = await client.post("/api/visit", json=PAGE | {"token": first["token"]})
        token = told.json()["invitation"]["token"]
        # The node that the page reports to knows that it was shown.
        reply = {"id": told.json()["invitation"]["id"], "state": "accepted"}
        page = PAGE | {"token": first["token"], "invitation": reply}
        assert (await client.post("/api/visit", json=page)).status_code == 200
    line = ("May <b>I</b> help?", {"about": "invitation", "agent": "a7"})
    assert await opened(two, token, visitor) == [line]
    assert await opened(two, token, visitor) == [line]
    assert await opened(one, token, visitor) == [line]


async def test_who_declined_is_not_quoted_where_that_is_known(
    apps: tuple[KefuApp, KefuApp],
) -> None:
    async with connect(apps[0]) as client:
        first = (await client.post("/api/visit", json=PAGE)).json()
        visitor = int(first["visitor"][1:])
        token = apps[0].state.services.auth.invitations.issue(
            msgspec.structs.replace(WORD, visitor=visitor)
        )
        page = PAGE | {"token": first["token"], "has_refused": True}
        assert (await client.post("/api/visit", json=page)).status_code == 200
    assert await opened(apps[0], token, visitor) == []


def shifted(ms: int) -> InvitationTokens:
    return InvitationTokens(SECRET.encode(), lambda: unix_ms() + ms)


def forged() -> dict[str, str]:
    """Return tokens that are not good for the first visitor of the site."""
    good = shifted(0).issue(WORD)
    head, body, signature = good.split(".")
    claims = msgspec.to_builtins(WORD) | {"aud": "invitation", "exp": 2**40}
    other_body = shifted(0).issue(msgspec.structs.replace(WORD, text="Pay me"))
    visitor = VisitorTokens(SECRET.encode(), 3600, unix_ms).issue(1, SITE.id)[0]
    return {
        "rubbish": "x",
        "unsigned": jwt.encode(claims, "", algorithm="none"),
        "cut": f"{head}.{body}.",
        "other words": f"{head}.{other_body.split('.')[1]}.{signature}",
        "the bare secret": jwt.encode(claims, SECRET, algorithm="HS256"),
        "another installation": InvitationTokens(b"t" * 40, unix_ms).issue(WORD),
        "another purpose": visitor,
        "too old": shifted(-3_601_000).issue(WORD),
        "another visitor's": shifted(0).issue(msgspec.structs.replace(WORD, visitor=2)),
        "another site's": shifted(0).issue(
            msgspec.structs.replace(WORD, site_id=OTHER_SITE.id)
        ),
    }


@pytest.mark.parametrize("name", [*forged()])
async def test_a_token_that_is_not_good_opens_a_conversation_without_words(
    apps: tuple[KefuApp, KefuApp], name: str
) -> None:
    assert await opened(apps[0], forged()[name]) == []


async def test_the_good_one_beside_them_is_taken(
    apps: tuple[KefuApp, KefuApp],
) -> None:
    (line,) = await opened(apps[0], shifted(-3_500_000).issue(WORD))
    assert line[0] == "May I help?"
