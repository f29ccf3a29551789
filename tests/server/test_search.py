"""`GET /api/history/search`, on both stores."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from kefu_core.abc.archive import SearchPage, SearchQuery
from kefu_core.model import Agent, MessageKind
from kefu_server.settings import Settings
from tests.server.conftest import OTHER_SITE
from tests.server.history import (
    AGENT,
    EMMA,
    HOUR_MS,
    LIN,
    START_MS,
    History,
    history_on,
)

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["memory", "sqlite"])
async def history(
    request: pytest.FixtureRequest, tmp_path: Path, settings: Settings, agent: Agent
) -> AsyncIterator[History]:
    async with history_on(request.param, tmp_path, settings, agent) as history:
        yield history


@pytest.fixture
async def any_history(
    tmp_path: Path, settings: Settings, agent: Agent
) -> AsyncIterator[History]:
    """For what no store comes into."""
    async with history_on("memory", tmp_path, settings, agent) as history:
        yield history


async def _texts(history: History, count: int = 5) -> int:
    """One conversation with as many texts about sending; return its id."""
    row = await history.open(LIN, "林晓")
    for number in range(count):
        await history.say(row.id, LIN, f"😀 第{number}次问：何时发货？")
    return row.id


async def test_a_hit_is_the_message_its_conversation_and_the_marked_piece(
    history: History,
) -> None:
    conversation = await _texts(history, 1)
    await history.index()
    answer = await history.ask("search", q="发货")
    (hit,) = answer["hits"]
    assert hit["conversation"]["id"] == conversation
    assert hit["conversation"]["visitor_name"] == "林晓"
    assert (hit["seq"], hit["sender"], hit["kind"]) == (1, LIN, "text")
    assert hit["at"] == START_MS + HOUR_MS + 1_000
    ((start, end),) = hit["marks"]
    assert hit["snippet"][start:end] == "发货"
    assert answer["is_complete"] is True
    assert answer["next"] is None
    assert answer["behind"] == {"messages": 0, "oldest_at": None}
    assert answer["names"] == {LIN: "林晓"}


async def test_pages_bring_every_hit_once_the_newest_first(history: History) -> None:
    await _texts(history, 7)
    await history.index()
    seen: list[int] = []
    cursor: dict[str, str] = {}
    for _ in range(8):
        answer = await history.ask("search", q="发货", limit=3, **cursor)
        seen += [hit["seq"] for hit in answer["hits"]]
        if answer["next"] is None:
            break
        cursor = {"cursor": answer["next"]}
    assert seen == [7, 6, 5, 4, 3, 2, 1]


async def test_filters_narrow_and_dates_are_the_messages(history: History) -> None:
    conversation = await _texts(history, 2)
    other = await history.open(EMMA, "Emma", OTHER_SITE.id)
    await history.say(other.id, EMMA, "发货 please")
    await history.say(other.id, AGENT, "发货 later", MessageKind.NOTE)
    await history.label(other.id, "vip")
    await history.say(conversation, AGENT, "已经发货")
    await history.index()

    async def found(**narrow: object) -> list[tuple[int, int]]:
        hits = (await history.ask("search", q="发货", **narrow))["hits"]
        return [(hit["conversation"]["id"], hit["seq"]) for hit in hits]

    assert await found(site=OTHER_SITE.id) == [(other.id, 2), (other.id, 1)]
    assert await found(label="vip", sender=EMMA) == [(other.id, 1)]
    assert await found(conversation=conversation, sender=AGENT) == [(conversation, 3)]
    assert await found(visitor=LIN, before=START_MS + 2 * HOUR_MS) == [
        (conversation, 2),
        (conversation, 1),
    ]
    assert await found(from_=START_MS + 2 * HOUR_MS, visitor=LIN) == [(conversation, 3)]


async def test_what_is_not_indexed_yet_is_told(history: History) -> None:
    await _texts(history, 4)
    state = await history.store.index_state()
    answer = await history.ask("search", q="发货")
    # The node's own indexer may have come before us.
    assert answer["behind"]["messages"] <= state.messages_behind
    await history.index()
    assert (await history.ask("search", q="发货"))["behind"]["messages"] == 0


async def test_a_search_whose_time_was_up_says_so(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _texts(history, 3)
    await history.index()
    whole = history.store.search

    async def search(query: SearchQuery) -> SearchPage:
        page = await whole(msgspec.structs.replace(query, limit=1))
        return msgspec.structs.replace(page, is_complete=False)

    monkeypatch.setattr(history.store, "search", search)
    answer = await history.ask("search", q="发货")
    assert answer["is_complete"] is False
    assert len(answer["hits"]) == 1
    assert answer["next"] is not None


async def test_the_best_match_comes_first_where_it_is_asked_for(
    history: History,
) -> None:
    row = await history.open(LIN)
    await history.say(row.id, LIN, "refund refund")
    await history.say(row.id, LIN, "is there a refund for all of these many things")
    await history.index()
    orders = {
        order: [
            h["seq"]
            for h in (await history.ask("search", q="refund", order=order))["hits"]
        ]
        for order in ("newest", "relevance")
    }
    assert orders == {"newest": [2, 1], "relevance": [1, 2]}


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({}, "'q' is missing"),
        ({"q": ""}, "'q' is wrong"),
        ({"q": "x" * 201}, "'q' is wrong"),
        ({"q": "\0"}, "'q' is wrong"),
        ({"q": "发货", "order": "oldest"}, "'order' is wrong"),
        ({"q": "发货", "sender": "x1"}, "'sender' is wrong"),
        ({"q": "发货", "conversation": "0"}, "'conversation' is wrong"),
        ({"q": "发货", "cursor": "-1"}, "'cursor' is not one"),
        ({"q": "发货", "cursor": "9" * 30}, "'cursor' is not one"),
        ({"q": "发货", "cursor": "1", "order": "relevance"}, "order 'newest' only"),
        ({"q": "发货", "is_grouped": "1"}, "no parameter 'is_grouped' here"),
        ({"q": "发货", "timeout_s": "99"}, "no parameter 'timeout_s' here"),
    ],
)
async def test_a_wrong_value_is_refused_by_its_name(
    any_history: History, parameters: dict[str, str], words: str
) -> None:
    response = await any_history.client.get("/api/history/search", params=parameters)
    assert response.status_code == 400
    assert words in response.json()["error"]["text"]
