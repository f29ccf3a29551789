"""A shop's page on one origin, kefu on another, and a network that can be cut."""

import base64
import contextlib
import hashlib
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import IO, ClassVar, Literal, Self, TypeVar

from benchmarks.ports import free_port
from kefu_server import accounts
from kefu_server.settings import Settings, load_settings

T = TypeVar("T")
LOGIN = "ana"
PASSWORD = "correct horse battery"
START_S = 30.0
_UPGRADE = re.compile(rb"^GET /kefu/ws.*?\r\n\r\n", re.DOTALL)
_KEY = re.compile(rb"sec-websocket-key: *(\S+)", re.IGNORECASE)
_KEY_END = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455
_FORBIDDEN = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Network:
    """A TCP relay in front of the server, in which every connection can be cut."""

    def __init__(self, target_port: int) -> None:
        self._target = ("127.0.0.1", target_port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._is_cut = False
        self.websockets: Literal["pass", "refuse", "swallow"] = "pass"
        """Swallow: the upgrade is answered, and then nothing ever again."""
        self.upgrade_count = 0
        """WebSockets that somebody has asked for."""
        self._said = bytearray()
        self._changed = threading.Condition()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End every connection and refuse new ones."""
        with self._lock:
            self._is_cut = True
            ending = list(self._open)
        for end in ending:
            _shut(end)

    def mend(self) -> None:
        """Let connections through again."""
        with self._lock:
            self._is_cut = False

    def wait_for_upgrade(self, count: int) -> None:
        """Wait until more WebSockets than this were asked for."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.upgrade_count > count, START_S)

    def said(self, words: bytes) -> int:
        """Return how often browsers have said this to the server."""
        with self._changed:
            return self._said.count(words)

    @property
    def heard(self) -> bytes:
        """All that browsers have said to the server, bytes as they came."""
        with self._changed:
            return bytes(self._said)

    def wait_until_said(self, words: bytes, more_than: int = 0) -> None:
        """Wait until browsers have said this to the server more often."""
        with self._changed:
            assert self._changed.wait_for(
                lambda: self._said.count(words) > more_than, START_S
            ), words

    def _heard(self, data: bytes, *, is_upgrade: bool) -> None:
        with self._changed:
            self._said += data
            self.upgrade_count += is_upgrade
            self._changed.notify_all()

    def close(self) -> None:
        self.cut()
        _shut(self._listener)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                if self._is_cut:
                    raise OSError("cut")
                far = socket.create_connection(self._target, timeout=5)
                far.settimeout(None)
            except OSError:
                near.close()
                continue
            with self._lock:
                self._open |= {near, far}
            for pair in ((near, far), (far, near)):
                threading.Thread(target=self._relay, args=pair, daemon=True).start()

    def _relay(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                asked = _UPGRADE.match(data)
                if target.getpeername() == self._target:
                    self._heard(data, is_upgrade=asked is not None)
                if asked:
                    if self.websockets == "refuse":
                        source.sendall(_FORBIDDEN)
                        break
                    if self.websockets == "swallow":
                        source.sendall(_accepting(asked.group()))
                        while source.recv(65_536):
                            pass
                        break
                target.sendall(data)
        for end in (source, target):
            _shut(end)
        with self._lock:
            both_done = source not in self._open
            self._open -= {source, target}
        if both_done:
            source.close()
            target.close()


def _accepting(upgrade: bytes) -> bytes:
    found = _KEY.search(upgrade)
    assert found is not None, upgrade
    digest = hashlib.sha1(found.group(1) + _KEY_END, usedforsecurity=False).digest()
    lines = (
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Protocol: kefu.v1.json",
        f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _shut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


class Shop:
    """Another origin, with a strict policy of its own that allows kefu."""

    def __init__(self, server_url: str) -> None:
        self.pages: dict[str, str] = {}
        self.asked: list[str] = []
        """Paths and headers of all requests."""
        asked = self.asked
        policy = (
            f"default-src 'none'; script-src {server_url}; frame-src {server_url}; "
            "style-src 'none'; require-trusted-types-for 'script'"
        )
        pages = self.pages

        class Handler(BaseHTTPRequestHandler):
            strict: ClassVar[str] = policy

            def do_GET(self) -> None:
                asked.append(f"{self.path} {self.headers}")
                page = pages.get(self.path.partition("?")[0])
                self.send_response(404 if page is None else 200)
                self.send_header("content-type", "text/html; charset=utf-8")
                if page and "<style>" not in page and "<script>" not in page:
                    self.send_header("content-security-policy", self.strict)
                self.end_headers()
                self.wfile.write((page or "").encode())

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class World:
    """One installation and one shop; `with World(folder) as world:`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self.network = Network(self._port)
        self.url = f"http://127.0.0.1:{self.network.port}"
        self.shop = Shop(self.url)
        self._process: subprocess.Popen[bytes] | None = None
        self.log = ""
        self.more: dict[str, str] = {}
        """Settings of one test, from the next start on."""

    def __enter__(self) -> Self:
        self.add_agent(LOGIN, "小茶")
        site = _apart(
            accounts.add_site, self._settings, "Tea & <b>Co</b>", [self.shop.url], "en"
        )
        self.site = site.embed_key
        script = f'<script async src="{self.url}/widget.js" data-site="{self.site}">'
        self.embed = f"{script}</script>"
        self.shop.pages["/"] = self.page(self.embed)
        try:
            self.start()
        except BaseException:
            self.shop.close()
            self.network.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()
        self.shop.close()
        self.network.close()

    @staticmethod
    def page(body: str, head: str = "") -> str:
        """Return a page of the shop."""
        return (
            '<!doctype html><html lang="en"><head><title>Shop</title><meta '
            'name="viewport" content="width=device-width, initial-scale=1">'
            f"{head}</head><body><h1>Shop</h1><a href='#'>Tea</a>{body}</body></html>"
        )

    def add_agent(self, login: str, name: str, *, is_admin: bool = False) -> None:
        """Create an account; every one has the same password."""
        _apart(
            accounts.add_agent, self._settings, login, name, PASSWORD, is_admin=is_admin
        )

    @property
    def _settings(self) -> Settings:
        return load_settings(environ=self.environment())

    def start(self) -> None:
        """Start the server and wait until it listens."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "kefu_server", "serve"],
            stderr=subprocess.PIPE,
            cwd=self._folder,
            env=self.environment(),
        )
        pipe = self._process.stderr
        assert pipe is not None
        seen = b""
        while b"listening" not in seen:
            ready, _, _ = select.select([pipe], [], [], START_S)
            chunk = os.read(pipe.fileno(), 65_536) if ready else b""
            if not chunk:
                self._process.kill()
                self._process.communicate()
                self._process = None
                raise AssertionError(f"the server did not start: {seen.decode()}")
            seen += chunk
        # The pipe is read to its end, or a full one would stop the server.
        self._reader = threading.Thread(target=self._keep_log, args=(pipe,))
        self._reader.start()

    def kill(self) -> None:
        """Kill -9: no chance to say or to save anything."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._reader.join()
            self._process = None

    def _keep_log(self, pipe: IO[bytes]) -> None:
        with pipe:
            for line in pipe:
                self.log += line.decode(errors="replace")

    def environment(self) -> dict[str, str]:
        """Return what the server and its commands run with."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("KEFU_")}
        root = str(Path(__file__).parents[2])
        return kept | {
            "KEFU_DATA_DIR": str(self._folder / "data"),
            "KEFU_BIND": f"127.0.0.1:{self._port}",
            "KEFU_PUBLIC_URL": self.url,
            # Whoever goes is gone soon.
            "KEFU_LIMITS_AGENT_LEASE_S": "6",
            "KEFU_LIMITS_VISIT_LEASE_S": "6",
            "PYTHONPATH": os.pathsep.join(filter(None, (root, kept.get("PYTHONPATH")))),
            **self.more,
        }


def _apart(act: Callable[..., T], *values: object, **named: object) -> T:
    """Run in a thread: in this one the browser's event loop runs."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(act, *values, **named).result()
