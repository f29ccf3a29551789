"""`POST /api/visitor/erase`: all of one visitor, nothing of the others."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from kefu_core.model import Agent, MessageKind, Role
from kefu_server.settings import Settings
from tests.server.conftest import OTHER_SITE
from tests.server.history import AGENT, EMMA, LIN, History, history_on

pytestmark = pytest.mark.anyio

ERASE = "/api/visitor/erase"


@pytest.fixture(params=["memory", "sqlite"])
async def history(
    request: pytest.FixtureRequest, tmp_path: Path, settings: Settings, agent: Agent
) -> AsyncIterator[History]:
    """An admin's history."""
    admin = msgspec.structs.replace(agent, role=Role.ADMIN)
    async with history_on(request.param, tmp_path, settings, admin) as history:
        yield history


async def _said(history: History) -> None:
    for site_id in (5, OTHER_SITE.id):
        row = await history.open(LIN, "林晓", site_id)
        await history.say(row.id, LIN, "secret number 4711")
        await history.say(row.id, AGENT, "your 4711", MessageKind.NOTE)
    other = await history.open(EMMA, "Emma")
    await history.say(other.id, EMMA, "not 4711")


async def test_a_visitor_is_erased_and_nobody_else(history: History) -> None:
    await _said(history)
    response = await history.client.post(ERASE, json={"visitor": LIN})
    assert response.status_code == 200
    assert response.json() == {"conversations": 2, "messages": 4}
    listed = await history.ask("conversations")
    assert [row["last_line"] for row in listed["conversations"]].count("not 4711") == 1
    assert "林晓" not in str(listed)
    assert "secret" not in str(listed)
    for row in listed["conversations"]:
        told = await history.ask(f"conversations/{row['id']}/messages")
        kinds = {message["kind"] for message in told["messages"]}
        assert kinds == ({"text"} if row["visitor"] == EMMA else {"erased"})
    again = await history.client.post(ERASE, json={"visitor": LIN})
    assert again.json() == {"conversations": 2, "messages": 0}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"visitor": "a7"}, 400),
        ({"visitor": "v12\n"}, 400),
        ({"visitor": "v12", "site": 5}, 400),
        ({"visitor": "v404"}, 404),
    ],
)
async def test_what_names_no_visitor_erases_nothing(
    history: History, body: dict[str, object], status: int
) -> None:
    await _said(history)
    response = await history.client.post(ERASE, json=body)
    assert response.status_code == status
    assert "secret number 4711" in str(await history.ask("conversations"))
