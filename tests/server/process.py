"""A real `kefu serve` in its own process, and raw bytes to send it."""

import os
import re
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from kefu_server import accounts
from kefu_server.settings import load_settings

START_S = 20.0
PASSWORD = "correct horse battery"
LOGIN = "ana"
SERVER = os.environ.get("KEFU_TESTS_SERVER", "hypercorn")
"""Every test of a real server can run on another ASGI server."""
HANDSHAKE = (
    b"GET /kefu/ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Protocol: kefu.v1.json\r\n"
)


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Return an environment in which the server keeps to one folder."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("KEFU_")}
    return kept | {
        "KEFU_SERVER": SERVER,
        "KEFU_DATA_DIR": str(folder / "data"),
        "KEFU_BIND": "127.0.0.1:0",
        **more,
    }


def kefu(
    folder: Path, *arguments: str, text: str = "", **more: str
) -> "subprocess.CompletedProcess[str]":
    """Run one command to its end, with `text` on its standard input."""
    return subprocess.run(
        [sys.executable, "-m", "kefu_server", *arguments],
        input=text,
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment(folder, **more),
        timeout=60,
        check=False,
    )


class ServerProcess:
    """A running server; killed at the end of the block if it still runs."""

    def __init__(self, folder: Path, **more: str) -> None:
        self.folder = folder
        self._more = more
        self.url = ""
        self.port = 0
        self.log = ""

    def __enter__(self) -> Self:
        settings = load_settings(environ=environment(self.folder, **self._more))
        accounts.add_agent(settings, LOGIN, "Ana", PASSWORD, is_admin=False)
        try:
            self._start()
        except BaseException:
            self.kill()
            raise
        return self

    def start_again(self) -> None:
        """Kill it, and start it on the same port."""
        self.kill()
        self._more["KEFU_BIND"] = f"127.0.0.1:{self.port}"
        self.log = ""
        self._start()

    def kill(self) -> None:
        """Kill it if it still runs: no chance to say or to save anything."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()

    def _start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kefu_server", "serve"],
            stderr=subprocess.PIPE,
            cwd=self.folder,
            env=environment(self.folder, **self._more),
        )
        found = re.search(r"listening url=(\S+)", self._read_until("listening"))
        assert found, self.log
        self.url = found.group(1)
        self.port = int(self.url.rpartition(":")[2])

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()

    def stop(self, number: int = signal.SIGTERM, timeout_s: float = 15) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        _, log = self.process.communicate(timeout=timeout_s)
        self.log += log.decode()
        return self.process.returncode

    def _read_until(self, word: str) -> str:
        pipe = self.process.stderr
        assert pipe is not None
        while word not in self.log or not self.log.endswith("\n"):
            ready, _, _ = select.select([pipe], [], [], START_S)
            chunk = os.read(pipe.fileno(), 65_536) if ready else b""
            assert chunk, f"the server did not start: {self.log}"
            self.log += chunk.decode()
        return self.log

    def exchange(self, request: bytes, enough: bytes = b"\r\n\r\n") -> bytes:
        """Send raw bytes and return what comes until `enough` or the end."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as raw:
            raw.sendall(request)
            received = b""
            while enough not in received:
                try:
                    chunk = raw.recv(65_536)
                except ConnectionResetError:
                    break
                if not chunk:
                    break
                received += chunk
            return received
