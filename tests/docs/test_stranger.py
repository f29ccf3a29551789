"""A client written from docs/protocol.md alone: nothing of kefu is imported for it."""

import http.client
import json
import re
import socket
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.docs.test_protocol_page import PAGE, section
from tests.server.process import LOGIN, PASSWORD, ServerProcess, kefu

Frame = dict[str, Any]
WAIT_S = 20.0


class Tcp:
    """The section "TCP", in JSON."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)
        self._file = self._socket.makefile("rb")
        self._socket.sendall(b"KEFU\x01\x01\x00\x00")
        assert self._file.read(8) == b"KEFU\x01\x01\x00\x00"

    def say(self, *frames: Frame) -> None:
        batch = "\n".join(json.dumps(frame) for frame in frames).encode()
        self._socket.sendall(len(batch).to_bytes(4, "big") + batch)

    def hear(self) -> list[Frame]:
        size = int.from_bytes(self._file.read(4), "big")
        lines = self._file.read(size).decode().split("\n")
        return [json.loads(line) for line in lines if line]

    def drop(self) -> None:
        self._file.close()
        self._socket.close()


class Poll:
    """The section "Long poll", in JSON; requests and polls take turns."""

    def __init__(self, url: str) -> None:
        self._http = http.client.HTTPConnection(urlsplit(url).netloc, timeout=WAIT_S)
        self._headers = {"Content-Type": "application/json"}
        self._poll = self._rid = self._ack = 0
        self._heard: list[Frame] = []

    def say(self, *frames: Frame) -> None:
        if frames[0]["t"] == "hello":
            self._poll += 1
            self._ask({"poll": self._poll, "hello": frames[0]})
        else:
            self._rid += 1
            self._ask({"rid": self._rid, "ack": self._ack, "frames": list(frames)})

    def hear(self) -> list[Frame]:
        if not self._heard:
            self._poll += 1
            self._ask({"poll": self._poll, "ack": self._ack, "wait": 5})
        heard, self._heard = self._heard, []
        return heard

    def _ask(self, body: Frame) -> None:
        self._http.request("POST", "/kefu/poll", json.dumps(body), self._headers)
        answer = self._http.getresponse()
        said = json.loads(answer.read())
        assert answer.status == 200, said
        self._headers["Kefu-Session"] = answer.headers["Kefu-Session"]
        for batch in said.get("batches", []):
            if batch["n"] == self._ack + 1:
                self._ack += 1
                self._heard += batch["frames"]

    def drop(self) -> None:
        self._http.close()


class WebSocket:
    """The section "WebSocket", as its line for websocat says."""

    def __init__(self, url: str) -> None:
        line = re.search(r"^websocat --protocol (\S+) (ws\S+)$", PAGE, re.MULTILINE)
        assert line
        address = line[2].replace("127.0.0.1:8080", urlsplit(url).netloc)
        subprotocol = Subprotocol(line[1])
        self._stack = ExitStack()
        self._socket = self._stack.enter_context(
            connect(address, subprotocols=[subprotocol], compression=None)
        )

    def say(self, *frames: Frame) -> None:
        self._socket.send("\n".join(json.dumps(frame) for frame in frames))

    def hear(self) -> list[Frame]:
        lines = str(self._socket.recv(WAIT_S)).split("\n")
        return [json.loads(line) for line in lines if line]

    def drop(self) -> None:
        self._stack.close()


Way = Tcp | Poll | WebSocket


class Stranger:
    """A client on any transport: what it holds outlives its connections."""

    def __init__(self, token: str) -> None:
        self.token, self.epoch = token, ""
        self.log: list[Frame] = []
        self.conversation = 0
        self._way: Way | None = None
        self._unseen: list[Frame] = []

    def connect(self, way: Way) -> Frame:
        self._way, self._unseen = way, []
        hello: Frame = {"t": "hello", "token": self.token, "epoch": self.epoch}
        if self.conversation:
            hello["cursors"] = {str(self.conversation): len(self.log)}
        way.say(hello)
        welcome = self.until("welcome")
        self.epoch = welcome["epoch"]
        return welcome

    def say(self, t: str, **fields: Any) -> None:
        assert self._way is not None
        self._way.say({"t": t, **fields})

    def until(self, t: str, **fields: Any) -> Frame:
        assert self._way is not None
        while True:
            while not self._unseen:
                self._unseen = self._way.hear()
            frame = self._unseen.pop(0)
            if frame["t"] == "message" and frame["seq"] == len(self.log) + 1:
                self.log.append(frame)
            if frame["t"] == t and fields.items() <= frame.items():
                return frame

    def call(self, method: str, **params: Any) -> Frame:
        self.say("call", id=method, method=method, params=params)
        row: Frame = self.until("reply", id=method)["result"]["conversation"]
        self.conversation = row["id"]
        return row

    def send(self, key: str, n: int, body: str) -> None:
        number = self.conversation
        self.say("send", key=key, conversation=number, n=n, body=body)

    def drop(self) -> None:
        assert self._way is not None
        self._way.drop()


def ask(url: str, path: str, body: Frame) -> tuple[Frame, str]:
    """The section "Where tokens come from"."""
    headers = {"Content-Type": "application/json", "Origin": url}
    request = urllib.request.Request(url + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
        cookies = "\n".join(answer.headers.get_all("Set-Cookie") or [])
        found = re.search(r"^kefu_session=([^;]+)", cookies, re.MULTILINE)
        return json.loads(answer.read()), found[1] if found else ""


@pytest.fixture
def site(tmp_path: Path) -> str:
    line = kefu(tmp_path, "site", "add", "Tea", "--origin", "http://shop.example")
    found = re.search(r'data-site="([^"]+)"', line.stdout)
    assert found, line
    return found[1]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path, KEFU_TCP_BIND="127.0.0.1:0") as process:
        yield process


def tcp_port(server: ServerProcess) -> int:
    found = re.search(r"tcp=tcp://127\.0\.0\.1:(\d+)", server.log)
    assert found, server.log
    return int(found[1])


@pytest.mark.parametrize(
    ("first", "then"), [("tcp", "poll"), ("poll", "websocket"), ("websocket", "tcp")]
)
def test_a_stranger_talks_breaks_off_and_goes_on_over_another_transport(
    site: str, server: ServerProcess, first: str, then: str
) -> None:
    ways: dict[str, Callable[[], Way]] = {
        "tcp": lambda: Tcp(tcp_port(server)),
        "poll": lambda: Poll(server.url),
        "websocket": lambda: WebSocket(server.url),
    }
    given, _ = ask(server.url, "/api/visitor/token", {"site": site})
    login = {"login": LOGIN, "password": PASSWORD}
    me, secret = ask(server.url, "/api/agent/login", login)
    visitor, agent = Stranger(given["token"]), Stranger(secret)
    assert visitor.connect(ways[first]())["me"]["id"] == given["visitor"]
    assert agent.connect(ways[then]())["me"]["id"] == me["me"]["id"]

    visitor.call("conversation.open")
    visitor.say("follow", conversation=visitor.conversation)
    visitor.send("m-1", 1, "什么时候发货？")
    assert visitor.until("sent", key="m-1")["seq"] == 1
    visitor.drop()

    agent.call("conversation.take", conversation=visitor.conversation)
    agent.say("follow", conversation=agent.conversation)
    agent.until("message", seq=2)
    agent.send("a-1", 1, "今天下午。")
    agent.until("sent", key="a-1")

    # The answer to this one is never heard: it is sent again, first of all.
    visitor.connect(ways[first]())
    visitor.send("m-2", 1, "谢谢")
    agent.until("message", seq=4)
    visitor.drop()
    welcome = visitor.connect(ways[then]())
    assert welcome["resumed"]
    visitor.send("m-2", 1, "谢谢")
    assert visitor.until("sent", key="m-2") == {
        "t": "sent",
        "key": "m-2",
        "conversation": visitor.conversation,
        "seq": 4,
        "at": agent.log[3]["at"],
        "duplicate": True,
    }
    while len(visitor.log) < 4:
        visitor.until("message")
    bodies = [message.get("body", "") for message in visitor.log]
    assert bodies == ["什么时候发货？", "", "今天下午。", "谢谢"]
    assert [m["seq"] for m in agent.log] == [m["seq"] for m in visitor.log]
    for stranger in (visitor, agent):
        stranger.say("bye")
        assert stranger.until("closed")["code"] == 1000
        stranger.drop()


EXCHANGES = [
    block
    for block in re.findall(r"```text\n(.*?)```", section("TCP", 3), re.DOTALL)
    if block.startswith("→")
]


@pytest.mark.parametrize("block", EXCHANGES, ids=["msgpack", "json"])
def test_the_bytes_on_the_page_are_what_a_server_answers(
    server: ServerProcess, block: str
) -> None:
    said = {"→": b"", "←": b""}
    for arrow, digits in re.findall(r"^([→←]) ((?:[0-9a-f]{2} ?)+)", block, re.M):
        said[arrow] += bytes.fromhex(digits)
    with socket.create_connection(("127.0.0.1", tcp_port(server)), WAIT_S) as raw:
        raw.sendall(said["→"])
        heard = raw.makefile("rb").read(len(said["←"]))
    assert heard == said["←"]


def test_the_printf_of_the_page_says_the_bytes_of_the_page() -> None:
    command = re.search(r"^printf '(.+)' \|", section("TCP", 3), re.MULTILINE)
    assert command
    octal = re.sub(r"\\(\d{1,3})", lambda m: chr(int(m[1], 8)), command[1])
    digits = re.findall(r"^→ ((?:[0-9a-f]{2} ?)+)", EXCHANGES[1], re.MULTILINE)
    assert octal.encode() == bytes.fromhex("".join(digits))


def test_the_answers_shown_are_bodies_of_that_length_with_those_fields() -> None:
    blocks = re.findall(r"```text\n(HTTP.*?)```", section("Long poll", 3), re.DOTALL)
    assert len(blocks) == 1
    head, welcome, sent = blocks[0].strip().split("\n\n")
    assert f"content-length: {len(welcome)}" in head
    for number, (body, t) in enumerate(((welcome, "welcome"), (sent, "sent"))):
        (batch,) = json.loads(body)["batches"]
        assert batch["n"] == (1, 3)[number]
        assert batch["frames"][0]["t"] == t
