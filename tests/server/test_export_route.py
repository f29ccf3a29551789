"""`GET /api/history/export`: files, one at a time, whole or visibly cut off."""

import csv
import io
import json
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from kefu_core.model import Agent, Draft, Message, MessageKind, Person, Role
from kefu_core.types import ConversationId, Seq
from kefu_server.database import open_store
from kefu_server.settings import Settings, load_settings
from tests.server.conftest import OTHER_SITE, SITE
from tests.server.history import AGENT, EMMA, LIN, History, history_on
from tests.server.process import LOGIN, PASSWORD, ServerProcess, environment

WAIT_S = 20.0


@pytest.fixture(params=["memory", "sqlite"])
async def history(
    request: pytest.FixtureRequest, tmp_path: Path, settings: Settings, agent: Agent
) -> AsyncIterator[History]:
    async with history_on(request.param, tmp_path, settings, agent) as history:
        yield history


async def _two(history: History) -> tuple[ConversationId, ConversationId]:
    lin = await history.open(LIN, "林晓")
    await history.say(lin.id, LIN, "什么时候发货")
    await history.label(lin.id, "vip")
    emma = await history.open(EMMA, "=cmd|' /C calc'!A0", OTHER_SITE.id)
    await history.say(emma.id, EMMA, "<script>alert(1)</script>")
    return lin.id, emma.id


async def _export(history: History, **parameters: Any) -> httpx.Response:
    named = {name.rstrip("_"): value for name, value in parameters.items()}
    return await history.client.get("/api/history/export", params=named)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("format", "media_type"),
    [
        ("jsonl", "application/jsonl; charset=utf-8"),
        ("csv", "text/csv; charset=utf-8"),
        ("html", "text/html; charset=utf-8"),
    ],
)
async def test_a_file_is_downloaded_never_shown(
    history: History, format: str, media_type: str
) -> None:
    await _two(history)
    response = await _export(history, format=format, status="queued", label="vip")
    assert response.status_code == 200
    assert response.headers["content-type"] == media_type
    assert re.fullmatch(
        rf'attachment; filename="kefu-[a-z0-9-]+\.{format}"',
        response.headers["content-disposition"],
    )
    assert response.headers["cache-control"] == "no-store"
    assert "什么时候发货" in response.text
    assert "script" not in response.text


@pytest.mark.anyio
async def test_the_filters_of_the_list_are_those_of_the_file(history: History) -> None:
    lin, emma = await _two(history)

    async def exported(**narrow: Any) -> list[int]:
        response = await _export(history, format="jsonl", **narrow)
        records = [json.loads(line) for line in response.text.splitlines()]
        assert records[-1]["t"] == "end"
        return [each["id"] for each in records if each["t"] == "conversation"]

    assert await exported() == [lin, emma]
    assert await exported(site=OTHER_SITE.id) == [emma]
    assert await exported(visitor=LIN) == [lin]
    assert await exported(conversation=emma) == [emma]
    assert await exported(status="closed") == []


@pytest.mark.anyio
async def test_a_table_has_the_times_of_the_zone_and_no_formulas(
    history: History,
) -> None:
    lin, _ = await _two(history)
    (said,) = await history.store.history(lin, after=Seq(0), limit=1)
    tables = {}
    for zone in ("UTC", "Asia/Shanghai"):
        text = (await _export(history, format="csv", tz=zone)).text
        tables[zone] = list(csv.reader(io.StringIO(text.lstrip("\ufeff"))))
    assert tables["UTC"] != tables["Asia/Shanghai"]
    assert any("发货" in cell for row in tables["UTC"] for cell in row)
    for row in tables["UTC"]:
        assert not any(cell.startswith(("=", "+", "@")) for cell in row)
    assert said.body in (await _export(history, format="csv", conversation=lin)).text


@pytest.mark.anyio
async def test_a_page_speaks_the_language_that_was_asked_for(history: History) -> None:
    await _two(history)
    english = await _export(history, format="html", language="en")
    chinese = await _export(history, format="html")
    assert "Conversations" in english.text
    assert "会话记录" in chinese.text
    assert "<script" not in english.text


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("parameters", "status", "words"),
    [
        ({}, 400, "'format' is missing"),
        ({"format": "pdf"}, 400, "'format' is wrong"),
        ({"format": "csv", "tz": "Mars/Base"}, 400, "'tz' is wrong"),
        ({"format": "csv", "tz": "../../../etc/passwd"}, 400, "'tz' is wrong"),
        ({"format": "csv", "tz": "/etc/localtime"}, 400, "'tz' is wrong"),
        ({"format": "csv", "language": "de"}, 400, "'language' is wrong"),
        ({"format": "csv", "conversation": "1", "site": "5"}, 400, "not both"),
        ({"format": "csv", "text": "x"}, 400, "no parameter 'text' here"),
        ({"format": "csv", "conversation": "12345"}, 404, "no conversation"),
    ],
)
async def test_what_cannot_be_exported_is_said_before_a_file_begins(
    history: History, parameters: dict[str, str], status: int, words: str
) -> None:
    response = await history.client.get("/api/history/export", params=parameters)
    assert response.status_code == status
    assert words in response.json()["error"]["text"]
    # A refusal does not stand in the way of the next.
    assert (await _export(history, format="csv")).status_code == 200


@pytest.mark.anyio
async def test_asking_for_the_head_alone_reads_nothing(history: History) -> None:
    response = await history.client.head("/api/history/export?format=csv")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.content == b""


class Slow:
    """A store's `history` that waits until it may go on."""

    def __init__(self, history: History, monkeypatch: pytest.MonkeyPatch) -> None:
        self._whole = history.store.history
        self.is_asked = anyio.Event()
        self.may_answer = anyio.Event()
        monkeypatch.setattr(history.store, "history", self)

    async def __call__(self, *names: Any, **values: Any) -> list[Message]:
        self.is_asked.set()
        await self.may_answer.wait()
        return await self._whole(*names, **values)


@pytest.mark.anyio
async def test_an_agent_gets_one_file_at_a_time(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _two(history)
    slow = Slow(history, monkeypatch)
    first: list[httpx.Response] = []

    async def export() -> None:
        first.append(await _export(history, format="jsonl"))

    with anyio.fail_after(WAIT_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(export)
            await slow.is_asked.wait()
            second = await _export(history, format="jsonl")
            assert second.status_code == 429
            assert "still running" in second.json()["error"]["text"]
            slow.may_answer.set()
    assert first[0].status_code == 200
    assert (await _export(history, format="jsonl")).status_code == 200


@pytest.mark.anyio
async def test_whoever_is_logged_out_meanwhile_gets_no_more(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kefu_server.routes.export._REVALIDATE_S", 0.0)
    row = await history.open(LIN)
    for _ in range(12):
        await history.say(row.id, LIN, "x" * 5_000)
        await history.say(row.id, AGENT, "y" * 10_000, MessageKind.NOTE)
    auth = history.app.state.services.auth
    revalidate = auth.revalidate

    async def logged_out(principal: Any) -> bool:
        await auth.logout("secret of Ana")
        return bool(await revalidate(principal))

    monkeypatch.setattr(auth, "revalidate", logged_out)
    response = await _export(history, format="jsonl")
    records = response.text.splitlines()
    assert '"t":"end"' not in records[-1].replace(" ", "")
    turns = history.app.state.services.turns
    turns.begin_export(AGENT)


async def _store_much(settings: Settings) -> None:
    """Store more than the buffers of any connection hold."""
    async with open_store(settings) as store:
        await store.put_site(SITE)
        visitor = Person(id=LIN, name="林晓", role=Role.VISITOR)
        row = await store.open_conversation(SITE.id, visitor)
        async with anyio.create_task_group() as tasks:
            for number in range(1_500):
                draft = Draft(
                    conversation=row.id, sender=LIN, key=f"k{number}", body="发" * 4_000
                )
                tasks.start_soon(store.append, draft)


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_reader_who_goes_or_reads_nothing_for_too_long_ends_the_export(
    tmp_path: Path, is_gone: bool
) -> None:
    anyio.run(_store_much, load_settings(environ=environment(tmp_path)))
    stall_s = "60" if is_gone else "1"
    with (
        ServerProcess(tmp_path, KEFU_LIMITS_EXPORT_STALL_S=stall_s) as server,
        httpx.Client(
            base_url=server.url, headers={"origin": server.url}, timeout=WAIT_S
        ) as client,
    ):
        login = {"login": LOGIN, "password": PASSWORD}
        assert client.post("/api/agent/login", json=login).status_code == 200
        cookie = f"kefu_session={client.cookies['kefu_session']}"
        request = (
            "GET /api/history/export?format=jsonl HTTP/1.1\r\nHost: h\r\n"
            f"Cookie: {cookie}\r\n\r\n"
        )
        with socket.socket() as reader:
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            reader.settimeout(WAIT_S)
            reader.connect(("127.0.0.1", server.port))
            reader.sendall(request.encode())
            assert reader.recv(1_000).startswith(b"HTTP/1.1 200")
            # It reads no further, so its export cannot end.
            assert _another(client) == 429
            if not is_gone:
                anyio.run(_until_free, client)
        anyio.run(_until_free, client)
        assert server.stop() == 0
        assert "Traceback" not in server.log


def _another(client: httpx.Client) -> int:
    parameters = {"format": "csv", "status": "closed"}
    return client.get("/api/history/export", params=parameters).status_code


async def _until_free(client: httpx.Client) -> None:
    with anyio.fail_after(WAIT_S):
        while await anyio.to_thread.run_sync(_another, client) == 429:
            pass
