"""The routes of the history, on both stores: lists, messages, facets, refusals."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kefu_core.abc.archive import SearchQuery
from kefu_core.errors import Busy
from kefu_core.ids import ID_MAX
from kefu_core.model import Agent, Conversation, MessageKind
from kefu_server.settings import Settings
from tests.server.conftest import OTHER_SITE, SITE
from tests.server.history import (
    AGENT,
    EMMA,
    HOUR_MS,
    LIN,
    NAMELESS,
    START_MS,
    History,
    history_on,
)

pytestmark = pytest.mark.anyio

LONGEST = 200


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


async def _three(history: History) -> list[Conversation]:
    """Three conversations, the newest last, an hour and a few seconds apart."""
    lin = await history.open(LIN, "林晓")
    await history.say(lin.id, LIN, "什么时候发货")
    await history.assign(lin.id)
    await history.say(lin.id, AGENT, "今天发货")
    await history.label(lin.id, "发货", "vip")
    await history.say(lin.id, AGENT, kind=MessageKind.CLOSE)
    emma = await history.open(EMMA, "Emma", OTHER_SITE.id)
    await history.say(emma.id, EMMA, "Where is my refund?")
    await history.assign(emma.id)
    await history.say(emma.id, AGENT, "the refund is stuck", MessageKind.NOTE)
    nameless = await history.open(NAMELESS)
    await history.say(nameless.id, NAMELESS, "发货了没有")
    await history.index()
    return [lin, emma, nameless]


# -- lists -----------------------------------------------------------------------------


async def test_a_list_has_rows_with_names_the_newest_first(history: History) -> None:
    lin, emma, nameless = await _three(history)
    answer = await history.ask("conversations")
    assert [row["id"] for row in answer["conversations"]] == [
        nameless.id,
        emma.id,
        lin.id,
    ]
    assert answer["next"] is None
    assert answer["is_complete"] is True
    assert answer["names"] == {
        LIN: "林晓",
        EMMA: "Emma",
        NAMELESS: "访客 1033",
        AGENT: "Ana 安",
    }
    row = answer["conversations"][2]
    assert row == {
        "id": lin.id,
        "site_id": SITE.id,
        "visitor": LIN,
        "visitor_name": "林晓",
        "status": "closed",
        "assignee": AGENT,
        "last_seq": 5,
        "last_at": START_MS + HOUR_MS + 5_000,
        "last_sender": AGENT,
        "last_line": "今天发货",
        "waiting_since": None,
        "opened_at": START_MS + HOUR_MS,
        "labels": ["发货", "vip"],
        "team_id": 0,
        "queued_at": 0,
        "is_translated": True,
        "visitor_reads_translations": True,
    }


NARROW: list[tuple[dict[str, Any], str]] = [
    ({"site": OTHER_SITE.id}, "e"),
    ({"agent": AGENT}, "el"),
    ({"agent": "a9"}, ""),
    ({"visitor": LIN}, "l"),
    ({"status": "queued"}, "n"),
    ({"status": "closed", "agent": AGENT}, "l"),
    ({"label": "发货"}, "l"),
    ({"label": "发"}, ""),
    ({"from_": START_MS + 2 * HOUR_MS}, "ne"),
    ({"before": START_MS + 2 * HOUR_MS}, "l"),
    ({"from_": START_MS + 2 * HOUR_MS, "before": START_MS + 3 * HOUR_MS}, "e"),
    ({"text": "发货"}, "nl"),
    ({"text": "发货", "status": "queued"}, "n"),
    ({"text": "refund"}, "e"),
    ({"text": "nothing"}, ""),
]


async def test_every_filter_narrows(history: History) -> None:
    rows = await _three(history)
    letters = dict(zip([row.id for row in rows], "len", strict=True))
    for narrow, expected in NARROW:
        answer = await history.ask("conversations", **narrow)
        found = "".join(letters[row["id"]] for row in answer["conversations"])
        assert found == expected, narrow


@pytest.mark.parametrize("text", [{}, {"text": "发货"}])
async def test_pages_bring_every_conversation_once(
    history: History, text: dict[str, str]
) -> None:
    opened = []
    for number in range(7):
        row = await history.open(LIN.__class__(f"v{number}"))
        await history.say(row.id, row.visitor, "何时发货")
        opened.append(row.id)
    await history.index()
    seen: list[int] = []
    cursor: dict[str, str] = {}
    for _ in range(8):
        answer = await history.ask("conversations", limit=3, **text, **cursor)
        assert len(answer["conversations"]) <= 3
        seen += [row["id"] for row in answer["conversations"]]
        if answer["next"] is None:
            break
        cursor = {"cursor": answer["next"]}
    assert seen == opened[::-1]


async def test_what_contains_a_text_comes_with_the_piece_that_does(
    history: History,
) -> None:
    lin, *_ = await _three(history)
    answer = await history.ask("conversations", text="今天发货")
    (row,) = answer["conversations"]
    assert (row["id"], row["seq"], row["snippet"]) == (lin.id, 3, "今天发货")
    assert row["marks"] == [[0, 4]]


# -- one conversation ------------------------------------------------------------------


async def test_one_conversation_is_found_by_its_id(history: History) -> None:
    lin, *_ = await _three(history)
    answer = await history.ask(f"conversations/{lin.id}")
    assert answer["conversation"]["last_line"] == "今天发货"
    assert answer["names"] == {LIN: "林晓", AGENT: "Ana 安"}


@pytest.mark.parametrize("number", [0, 12_345, ID_MAX, ID_MAX + 1, 10**30])
@pytest.mark.parametrize("below", ["", "/messages"])
async def test_what_does_not_exist_is_not_found(
    history: History, number: int, below: str
) -> None:
    assert (await history.refusal(f"conversations/{number}{below}"))[0] == 404


async def test_messages_are_told_whole_but_for_their_keys(history: History) -> None:
    _, emma, _ = await _three(history)
    answer = await history.ask(f"conversations/{emma.id}/messages")
    assert answer["conversation"]["id"] == emma.id
    assert answer["messages"][1:] == [
        {
            "seq": 2,
            "sender": AGENT,
            "kind": "assignment",
            "at": answer["messages"][1]["at"],
            "body": "",
            "data": {"assignee": AGENT},
            "ref": None,
        },
        {
            "seq": 3,
            "sender": AGENT,
            "kind": "note",
            "at": answer["messages"][1]["at"] + 1_000,
            "body": "the refund is stuck",
            "data": None,
            "ref": None,
        },
    ]
    assert answer["names"] == {EMMA: "Emma", AGENT: "Ana 安"}


async def test_whoever_is_spoken_of_has_a_name(history: History) -> None:
    lin = await history.open(LIN, "林晓")
    await history.say(lin.id, AGENT, kind=MessageKind.ASSIGNMENT, assignee="a9")
    await history.say(lin.id, AGENT, kind=MessageKind.ASSIGNMENT, assignee=AGENT)
    await history.say(lin.id, AGENT, kind=MessageKind.ASSIGNMENT, assignee=[1])
    answer = await history.ask(f"conversations/{lin.id}/messages")
    assert answer["names"]["a9"] == "Ben <i>"


SECOND = START_MS + HOUR_MS


PAGES: list[tuple[dict[str, int], list[int], bool, bool]] = [
    ({}, [8, 9, 10], True, False),
    ({"after": 0}, [1, 2, 3], False, True),
    ({"after": 8}, [9, 10], True, False),
    ({"after": 10}, [], False, False),
    ({"before": 4}, [1, 2, 3], False, True),
    ({"before": 99}, [8, 9, 10], True, False),
    ({"around": 5}, [4, 5, 6], True, True),
    ({"around": 1}, [1, 2, 3], False, True),
    ({"around": 10}, [9, 10], True, False),
    ({"at": SECOND + 4_000}, [4, 5, 6], True, True),
    ({"at": SECOND + 4_001}, [5, 6, 7], True, True),
    ({"at": 0}, [1, 2, 3], False, True),
    ({"at": SECOND + 99_000}, [], False, False),
]


async def test_a_page_of_messages_is_where_it_was_asked_for(history: History) -> None:
    row = await history.open(LIN)
    for number in range(10):
        await history.say(row.id, LIN, f"message {number}")
    for where, seqs, has_older, has_newer in PAGES:
        answer = await history.ask(f"conversations/{row.id}/messages", limit=3, **where)
        assert [message["seq"] for message in answer["messages"]] == seqs, where
        ends = answer["has_older"], answer["has_newer"]
        assert ends == (has_older, has_newer), where


async def test_an_empty_conversation_has_no_messages(history: History) -> None:
    row = await history.open(LIN)
    answer = await history.ask(f"conversations/{row.id}/messages")
    assert answer["messages"] == []
    assert not answer["has_older"]
    assert not answer["has_newer"]


# -- what lists can be narrowed by -----------------------------------------------------


async def test_facets_are_sites_agents_and_the_labels_in_use(history: History) -> None:
    lin, emma, _ = await _three(history)
    await history.label(emma.id, "退款", "vip")
    await history.label(lin.id, "vip")
    answer = await history.ask("facets")
    assert answer["sites"] == [
        {"id": SITE.id, "name": SITE.name},
        {"id": OTHER_SITE.id, "name": OTHER_SITE.name},
    ]
    assert answer["agents"] == [
        {"id": AGENT, "name": "Ana 安", "is_active": True},
        {"id": "a9", "name": "Ben <i>", "is_active": True},
    ]
    assert sorted(answer["labels"]) == ["vip", "退款"]


# -- what is refused -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "parameters", "words"),
    [
        ("conversations", {"unread": "1"}, "no parameter 'unread' here"),
        ("conversations", {"x" * 99: "1"}, f"'{'x' * 40}'"),
        ("conversations", {"site": "all"}, "'site' is wrong"),
        ("conversations", {"site": ""}, "'site' is wrong"),
        ("conversations", {"site": "null"}, "'site' is wrong"),
        ("conversations", {"site": str(ID_MAX + 1)}, "'site' is wrong"),
        ("conversations", {"agent": "v1"}, "'agent' is wrong"),
        ("conversations", {"agent": "a7\n"}, "'agent' is wrong"),
        ("conversations", {"visitor": "101"}, "'visitor' is wrong"),
        ("conversations", {"status": "open"}, "'status' is wrong"),
        ("conversations", {"label": "x" * 41}, "'label' is wrong"),
        ("conversations", {"label": "a\0"}, "'label' is wrong"),
        ("conversations", {"from": "2026-11-25"}, "'from' is wrong"),
        ("conversations", {"from": "-1"}, "'from' is wrong"),
        ("conversations", {"from": "5", "before": "5"}, "'before' must be later"),
        ("conversations", {"text": ""}, "'text' is wrong"),
        ("conversations", {"text": "x" * (LONGEST + 1)}, "'text' is wrong"),
        ("conversations", {"limit": "0"}, "'limit' is wrong"),
        ("conversations", {"limit": "101"}, "'limit' is wrong"),
        ("conversations", {"limit": "1.5"}, "'limit' is wrong"),
        ("conversations", {"cursor": "x"}, "'cursor' is not one"),
        ("conversations", {"cursor": "1-"}, "'cursor' is not one"),
        ("conversations", {"cursor": "1-2-3"}, "'cursor' is not one"),
        ("conversations", {"cursor": f"1-{ID_MAX + 1}"}, "'cursor' is not one"),
        ("conversations", {"cursor": "١-٢"}, "'cursor' is not one"),
        ("conversations", {"cursor": "1-2", "text": "发货"}, "'cursor' is not one"),
        ("conversations/1", {"limit": "5"}, "no parameter 'limit' here"),
        ("conversations/1/messages", {"after": "-1"}, "'after' is wrong"),
        ("conversations/1/messages", {"after": "1", "at": "1"}, "Give one of"),
        ("conversations/1/messages", {"text": "x"}, "no parameter 'text' here"),
        ("facets", {"site": "5"}, "no parameter 'site' here"),
    ],
)
async def test_a_wrong_value_is_refused_by_its_name(
    any_history: History, path: str, parameters: dict[str, str], words: str
) -> None:
    response = await any_history.client.get(f"/api/history/{path}", params=parameters)
    assert response.status_code == 400
    assert words in response.json()["error"]["text"]


async def test_a_parameter_that_is_given_twice_is_refused(any_history: History) -> None:
    response = await any_history.client.get("/api/history/conversations?site=5&site=6")
    assert response.status_code == 400
    assert "'site' is given twice" in response.json()["error"]["text"]


async def test_what_cannot_be_looked_for_is_said_in_a_sentence(
    history: History,
) -> None:
    status, text = await history.refusal("conversations", text="货")
    assert status == 400
    assert text.endswith(".")


async def test_a_store_that_searches_enough_is_busy_not_broken(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def search(query: SearchQuery) -> Any:
        raise Busy("Too many searches.", retry_after_s=3)

    monkeypatch.setattr(history.store, "search", search)
    response = await history.client.get("/api/history/search", params={"q": "发货"})
    assert response.status_code == 503
    assert response.headers["retry-after"] == "4"


async def test_a_page_with_a_hole_is_refused_and_counted(
    tmp_path: Path, settings: Settings, agent: Agent
) -> None:
    async with history_on("sqlite", tmp_path, settings, agent) as history:
        lin = (await _three(history))[0]
        file = tmp_path / "kefu.db"
        with closing(sqlite3.connect(file)) as database, database:
            where = "conversation_id = ? AND seq ="
            database.execute(
                f"UPDATE message SET body = 'forged' WHERE {where} 1", (lin.id,)
            )
            database.execute(f"DELETE FROM message WHERE {where} 3", (lin.id,))
        url = f"/api/history/conversations/{lin.id}/messages"
        refused = await history.client.get(url)
        assert refused.status_code == 500
        assert refused.json()["error"]["code"] == "damaged"
        whole = await history.client.get(url, params={"before": 3})
        assert [m["seq"] for m in whole.json()["messages"]] == [1, 2]
        first = whole.json()["messages"][0]
        assert (first["kind"], first["body"]) == ("placeholder", "")
        assert first["data"] == {"damaged": True}
        assert history.app.state.services.hub.statistics().damaged == 2
