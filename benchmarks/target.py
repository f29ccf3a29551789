"""Real server processes on this machine: started, watched, killed."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from urllib.response import addinfourl

import psutil

from benchmarks.ports import HOST, free_port
from kefu_server import accounts, database
from kefu_server.settings import Settings, load_settings

TRANSPORTS = ("websocket", "longpoll", "tcp")
ADDRESSES = 49
"""Clients come from 127.0.0.2 to 127.0.0.50: what one address may do is limited."""
READY_S = 30.0
PY_SPY = Path(sys.executable).with_name("py-spy")
PASSWORD = "correct horse battery staple"
RAISED_LIMITS: dict[str, str] = {
    "KEFU_LIMITS_VISITOR_MESSAGES_PER_S": "100000",
    "KEFU_LIMITS_VISITOR_MESSAGES_BURST": "100000",
    "KEFU_LIMITS_AGENT_MESSAGES_PER_S": "100000",
    "KEFU_LIMITS_AGENT_MESSAGES_BURST": "100000",
    "KEFU_LIMITS_FRAMES_PER_S": "100000",
    "KEFU_LIMITS_FRAMES_BURST": "100000",
}
"""The pace of one connection only: a generator is faster than people. Limits of
addresses stay as they are; clients dial from many."""


def has_py_spy() -> bool:
    """Whether py-spy can be run."""
    return PY_SPY.exists()


class TargetError(Exception):
    """A server process did not do what was asked; says what it printed."""


class Process:
    """One server process that this program started."""

    def __init__(
        self, arguments: list[str], port: int, log: Path, environ: dict[str, str]
    ) -> None:
        """Prepare; `start` runs it. Its output goes to `log`."""
        self.port = port
        self.log = log
        self._arguments = arguments
        self.environ = environ
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._process is not None, "started"
        return self._process.pid

    def start(self) -> float:
        """Start and wait until it accepts; returns the seconds it took."""
        started = time.monotonic()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._arguments, env=self.environ, stdout=log, stderr=log
            )
        while not self._is_ready():
            code = self._process.poll()
            if code is not None or time.monotonic() - started > READY_S:
                self.kill()
                tail = self.log.read_text("utf-8", "replace")[-2_000:]
                raise TargetError(f"The server did not start ({code}):\n{tail}")
            time.sleep(0.02)
        return time.monotonic() - started

    def _is_ready(self) -> bool:
        try:
            socket.create_connection((HOST, self.port), timeout=1.0).close()
        except OSError:
            return False
        return True

    @property
    def exit_status(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll() if self._process is not None else None

    def kill(self) -> int:
        """End it at once (SIGKILL); returns its exit status."""
        assert self._process is not None, "started"
        self._process.kill()
        return self._process.wait()

    def stop(self, timeout_s: float = 15.0) -> int:
        """Ask it to stop (SIGTERM); returns its exit status."""
        assert self._process is not None, "started"
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return self.kill()

    def cpu_s(self) -> float:
        """Return the CPU seconds used so far, by all its threads."""
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)

    def exact_cpu_s(self) -> float:
        """Return the same to the nanosecond, where the kernel counts it so.

        The other is counted in ticks of 10 ms, which is a lot of a short time.
        """
        try:
            tasks = list(Path(f"/proc/{self.pid}/task").glob("*/schedstat"))
            return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9
        except (OSError, ValueError, IndexError):
            return self.cpu_s()

    def main_thread_cpu_s(self) -> float:
        """Return the CPU seconds of the thread that runs the event loop."""
        return self.threads_cpu_s().get(self.pid, 0.0)

    def threads_cpu_s(self) -> dict[int, float]:
        """Return the CPU seconds of each thread, by the system's number of it."""
        threads = psutil.Process(self.pid).threads()
        return {each.id: float(each.user_time + each.system_time) for each in threads}

    @contextmanager
    def profiled(
        self, path: str, seconds: float, more: Sequence[str] = ("--gil",)
    ) -> Iterator[None]:
        """Let py-spy watch it for so many seconds; does nothing without a path."""
        if not path:
            yield
            return
        command = [str(PY_SPY), "record", "--pid", str(self.pid), "--output", path]
        command += ["--duration", str(max(1, int(seconds))), "--format", "raw", *more]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as spy:
            yield
            spy.wait()

    def rss_bytes(self) -> int:
        """Return the memory it holds."""
        return int(psutil.Process(self.pid).memory_info().rss)


def echo_process(directory: Path, transport: str, server: str = "hypercorn") -> Process:
    """Return the echo server of a transport's kind, not yet started."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.echo", transport, str(port), server]
    return Process(command, port, directory / "echo.log", dict(os.environ))


class Kefu(Process):
    """A real `kefu serve`, on a temporary SQLite file where no database is named."""

    def __init__(
        self,
        directory: Path,
        *,
        wrapper: list[str] | None = None,
        database_url: str = "",
        has_raised_limits: bool = True,
        translation_file: str = "",
        server: str = "hypercorn",
    ) -> None:
        """Create the tables, a site and a secret; `start` runs the server.

        Args:
            directory: Where the database and the log go.
            wrapper: A command to run the server under, such as `strace`.
            database_url: An empty database to use instead of a file.
            has_raised_limits: One connection may be faster than people are.
            translation_file: Names services; empty: it translates nothing.
            server: The ASGI server that it runs on.
        """
        self._tokens_count = 0
        port = free_port()
        self.tcp_port = free_port()
        environ = {k: v for k, v in os.environ.items() if not k.startswith("KEFU_")}
        environ |= (RAISED_LIMITS if has_raised_limits else {}) | {
            "KEFU_BIND": f"{HOST}:{port}",
            "KEFU_TCP_BIND": f"{HOST}:{self.tcp_port}",
            "KEFU_DATA_DIR": str(directory / "data"),
            "KEFU_LOG_LEVEL": "warning",
            "KEFU_SERVER": server,
        }
        if database_url:
            environ["KEFU_DATABASE_URL"] = database_url
        if translation_file:
            environ["KEFU_TRANSLATION_FILE"] = translation_file
        (directory / "kefu.toml").write_text("")
        environ["KEFU_CONFIG"] = str(directory / "kefu.toml")
        self.settings: Settings = load_settings(environ=environ)
        database.upgrade(self.settings)
        self.site = accounts.add_site(
            self.settings, "Benchmark", [f"http://{HOST}:{port}"], "en"
        )
        command = [*(wrapper or []), sys.executable, "-m", "kefu_server", "serve"]
        super().__init__(command, port, directory / "server.log", environ)

    def url(self, transport: str) -> str:
        """Return where clients of a transport connect."""
        if transport == "tcp":
            return f"tcp://{HOST}:{self.tcp_port}"
        if transport == "longpoll":
            return f"http://{HOST}:{self.port}/kefu/poll"
        return f"ws://{HOST}:{self.port}/kefu/ws"

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of its database."""
        return self.settings.database

    @property
    def database_path(self) -> str:
        """The SQLite file."""
        return self.settings.database.split(":///", 1)[1]

    def add_agents(self, count: int, *, name: str = "agent") -> list[str]:
        """Create agents' accounts; returns their logins."""
        logins = [f"{name}{number}" for number in range(count)]
        for login in logins:
            self.add_agent(login)
        return logins

    def add_agent(self, login: str) -> None:
        """Create one account."""
        accounts.add_agent(self.settings, login, login, PASSWORD, is_admin=False)

    def agent_token(self, login: str) -> str:
        """Log in as a browser would; returns the session cookie's value."""
        response = self._post(
            "/api/agent/login", {"login": login, "password": PASSWORD}
        )
        for cookie in response.headers.get_all("Set-Cookie", []):
            name, _, value = cookie.partition(";")[0].partition("=")
            if name in ("kefu_session", "__Host-kefu_session"):
                return str(value)
        raise TargetError("The login answered without a session cookie.")

    def visitor_token(self) -> str:
        """Return a new visitor's token, asking from one address after another."""
        self._tokens_count += 1
        address = f"127.0.0.{2 + self._tokens_count % ADDRESSES}"
        near = http.client.HTTPConnection(
            HOST, self.port, timeout=15, source_address=(address, 0)
        )
        with contextlib.closing(near):
            body = {"site": self.site.embed_key, "token": None}
            headers = {"Content-Type": "application/json", "Origin": self._origin}
            near.request("POST", "/api/visitor/token", json.dumps(body), headers)
            return str(json.load(near.getresponse())["token"])

    def open_conversation(self, token: str) -> int:
        """Open a visitor's conversation; returns its id."""
        request = urllib.request.Request(
            f"{self._origin}/api/v1/conversations",
            b"{}",
            {"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
        )
        with urllib.request.urlopen(request, timeout=15) as answer:
            return int(json.load(answer)["conversation"]["id"])

    def audit(self) -> list[str]:
        """Return what `kefu audit` finds in its database; nothing where it is sound."""
        done = subprocess.run(
            [sys.executable, "-m", "kefu_server", "audit"],
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            return []
        return (done.stdout + done.stderr).splitlines()

    def is_able(self) -> bool:
        """Whether it says that it can do its work (`/readyz`)."""
        near = http.client.HTTPConnection(HOST, self.port, timeout=15)
        with contextlib.closing(near):
            near.request("GET", "/readyz")
            return near.getresponse().status == 200

    @property
    def _origin(self) -> str:
        return f"http://{HOST}:{self.port}"

    def _post(self, path: str, body: dict[str, object]) -> addinfourl:
        request = urllib.request.Request(
            f"{self._origin}{path}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json", "Origin": self._origin},
        )
        answer: addinfourl = urllib.request.urlopen(request, timeout=15)
        return answer
