"""The page of operations: figures of the last minutes, and what is wrong."""

from typing import Any

import httpx
import msgspec
import pytest

from kefu_core.errors import CloseCode, StoreUnavailable
from kefu_core.model import Agent, Draft, Person, Role
from kefu_core.store.memory import MemoryStore
from kefu_core.types import ParticipantId
from kefu_server.app import KefuApp
from kefu_server.checks.load import Load, judge_load
from kefu_server.operations import Recent
from kefu_server.words import languages, load_words
from tests.server.conftest import SITE, log_in

pytestmark = pytest.mark.anyio


async def look(client: httpx.AsyncClient, **asked: str) -> dict[str, Any]:
    answer = await client.get("/api/operations", params=asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def troubles(figures: dict[str, Any]) -> set[str]:
    """Return what is wrong, but for what this machine may add."""
    found = {f"{each['subject']}.{each['finding']}" for each in figures["troubles"]}
    return found - {"disk.low", "descriptors.low", "database.weak"}


@pytest.fixture
async def chief(
    client: httpx.AsyncClient, store: MemoryStore, agent: Agent
) -> httpx.AsyncClient:
    """An admin's browser."""
    await store.put_agent(msgspec.structs.replace(agent, role=Role.ADMIN))
    await log_in(client)
    return client


async def test_an_admin_sees_what_happens_and_other_agents_do_not(
    app: KefuApp, chief: httpx.AsyncClient, store: MemoryStore, agent: Agent
) -> None:
    services = app.state.services
    person = Person(id=ParticipantId("v1"), name="secret-name", role=Role.VISITOR)
    row = await store.open_conversation(SITE.id, person)
    before = await look(chief)
    for number in range(3):
        draft = Draft(
            conversation=row.id, sender=person.id, key=str(number), body="secret"
        )
        await services.hub.append(draft)
    app.state.operations.recent.look(app.state.node, app.state.lag)
    after = await look(chief)
    assert len(after["samples"]) == len(before["samples"]) + 1
    assert after["minute"]["messages_per_s"] > 0
    assert after["conversations_waiting"] == 1
    # Nobody is online, and somebody waits: the one thing that is wrong here.
    assert troubles(after) == {"load.nobody"}
    assert "secret" not in str(after)
    chinese = await look(chief, language="zh-CN")
    assert "没有客服在线" in str(chinese["troubles"])
    await store.put_agent(agent)
    assert (await chief.get("/api/operations")).status_code in {401, 403}


async def test_a_database_that_is_away_is_said_and_not_waited_for(
    chief: httpx.AsyncClient, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away() -> None:
        raise StoreUnavailable

    monkeypatch.setattr(store, "ping", away)
    assert "load.away" in troubles(await look(chief))


async def test_a_minute_is_what_came_between(app: KefuApp) -> None:
    now = 0.0
    recent = Recent(lambda: now)
    hub, lag = app.state.node.hub, app.state.lag
    recent.look(app.state.node, lag)
    hub.counts.delivered += 30
    hub.counts.closes["websocket", str(int(CloseCode.SLOW))] += 2
    for _ in range(100):
        hub.counts.waits.add(0.004)
    now = 10.0
    recent.look(app.state.node, lag)
    minute, slow_readers = recent.minute()
    assert (minute.delivered_per_s, slow_readers) == (3.0, 2)
    assert 2.5 < minute.wait_ms <= 5
    for step in range(12):
        now = 20.0 + 10 * step
        recent.look(app.state.node, lag)
    minute, slow_readers = recent.minute()
    assert (minute.delivered_per_s, minute.wait_ms, slow_readers) == (0, 0, 0)
    assert len(recent.samples) == 13


WELL = Load(
    lag_ms=1,
    commit_ms=5,
    messages_waiting=3,
    is_database_away=False,
    conversations_waiting=2,
    waiting_s=30,
    agents_online=1,
    slow_readers=0,
    connections={"websocket": 30, "longpoll": 3},
)


@pytest.mark.parametrize(
    ("changes", "finding", "is_problem"),
    [
        ({"is_database_away": True, "messages_waiting": 900}, "away", True),
        ({"messages_waiting": 501}, "stands", True),
        ({"commit_ms": 501}, "slow", False),
        ({"lag_ms": 101}, "late", False),
        ({"lag_ms": 501}, "late", True),
        ({"agents_online": 0}, "nobody", True),
        ({"waiting_s": 601}, "unanswered", False),
        ({"waiting_s": 54 * 3_600}, "hours", False),
        ({"slow_readers": 1}, "readers", False),
        ({"connections": {"websocket": 10, "longpoll": 20}}, "polls", False),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(
    changes: dict[str, Any], finding: str, is_problem: bool
) -> None:
    assert judge_load(WELL) == []
    (found,) = judge_load(msgspec.structs.replace(WELL, **changes))
    assert (found.finding, found.is_problem) == (finding, is_problem)
    for language in languages():
        assert found.says(load_words(language))
        assert found.mend(load_words(language))


async def test_a_few_polls_are_no_trouble() -> None:
    few = msgspec.structs.replace(WELL, connections={"longpoll": 19})
    assert judge_load(few) == []
