"""The commands and bytes of docs/protocol.md, against a real server."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from kefu_core.protocol import frames as f
from kefu_core.protocol.codec import MSGPACK
from kefu_core.protocol.framing import preface, with_length
from kefu_core.protocol.longpoll import PollAnswer, PollRefusal, PollRequest
from tests.docs.test_protocol_page import PAGE, first_column, section
from tests.server.process import LOGIN, PASSWORD, ServerProcess, kefu


@pytest.mark.skipif(
    shutil.which("curl") is None,
    reason="curl is missing, so the page's commands were not run",
)
def test_the_curl_commands_open_a_conversation_and_send(tmp_path: Path) -> None:
    added = kefu(
        tmp_path, "site", "add", "Tea House", "--origin", "http://shop.example"
    )
    site = re.search(r'data-site="([^"]+)"', added.stdout + added.stderr)
    assert site, added
    commands = re.findall(r"^curl .+$", section("Long poll", 3), re.MULTILINE)
    assert len(commands) == 5
    with ServerProcess(tmp_path) as server:
        known = {"URL": server.url, "SITE": site[1]}

        def run(command: str) -> str:
            assert shlex.split(command)[0] == "curl"
            return subprocess.run(
                ["sh", "-c", command],
                env={"PATH": "/usr/bin:/bin", **known},
                capture_output=True,
                text=True,
                timeout=20,
                check=True,
            ).stdout

        known["TOKEN"] = json.loads(run(commands[0]))["token"]
        opened = run(commands[1])
        session = re.search(r"(?i)^kefu-session: (\S+)", opened, re.MULTILINE)
        assert session, opened
        assert '"t":"welcome"' in opened
        known["SESSION"] = session[1]
        reply = json.loads(run(commands[2]))["batches"][-1]["frames"]
        row = next(x for x in reply if x["t"] == "reply")["result"]["conversation"]
        known["CONVERSATION"] = str(row["id"])
        sent = json.loads(run(commands[3]))["batches"][-1]["frames"]
        assert [x["seq"] for x in sent if x["t"] == "sent"] == [1]
        assert json.loads(run(commands[4])).get("batches", []) == []


@pytest.mark.skipif(
    shutil.which("websocat") is None,
    reason="websocat is missing; test_stranger speaks what the page's line would",
)
def test_what_is_typed_into_websocat_is_answered(tmp_path: Path) -> None:
    block = re.search(r"```sh\n(websocat .+)\n((?:\{.+\n)+)", section("WebSocket", 3))
    assert block
    with ServerProcess(tmp_path) as server:
        login = {"login": LOGIN, "password": PASSWORD}
        headers = {"Origin": server.url, "Content-Type": "application/json"}
        answer = httpx.post(
            f"{server.url}/api/agent/login", json=login, headers=headers
        )
        token = answer.cookies["kefu_session"]
        command = block[1].replace("8080", str(server.port))
        typed = block[2].partition("\n")[0].replace("…", token) + '\n{"t":"bye"}\n'
        said = subprocess.run(
            shlex.split(command),
            input=typed,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        ).stdout
    assert '"t":"welcome"' in said


def test_the_bytes_of_tcp_are_those_on_the_page() -> None:
    text = section("TCP", 3)
    assert preface(MSGPACK).hex() in text.replace(" ", "")
    ping = with_length(MSGPACK.join([MSGPACK.encode(f.Ping())]))
    assert ping.hex() in text.replace(" ", "")


def test_every_field_of_a_poll_is_described() -> None:
    described = set(first_column(section("Long poll", 3)))
    fields = {*PollRequest.__struct_fields__, *PollAnswer.__struct_fields__}
    assert described == fields
    for field in PollRefusal.__struct_fields__:
        assert f'"{field}' in section("Long poll", 3)


@pytest.mark.parametrize("name", ["websocket", "tcp", "longpoll"])
def test_every_transport_has_a_section(name: str) -> None:
    titles = {"websocket": "WebSocket", "tcp": "TCP", "longpoll": "Long poll"}
    assert len(section(titles[name], 3)) > 300
    assert "kefu/" in PAGE
