"""Private database servers: MariaDB and PostgreSQL from the system's packages.

Each runs on a free port of loopback, with its files in a folder of its own, as the
package's unprivileged user where this process is root. What they promise at a COMMIT is
left as it is by default (every commit is flushed), since that is what is measured and
tested. Nothing outlives `stop`.
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from benchmarks.ports import HOST, free_port

START_S = 60.0
PASSWORD = "not-a-secret"


_STILL_S = 10.0
"""How long a server may take until all of its threads are stopped."""


class ServerMissingError(Exception):
    """The programs are not installed; the text says which package has them."""


class PrivateServer(ABC):
    """One database server of our own. `with MariaDb() as server:` runs it."""

    name: str
    package: str
    user: str

    def __init__(self, port: int | None = None) -> None:
        """Prepare; raises `ServerMissingError` where it cannot run."""
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.port = port or free_port()
        self._check()

    # -- life --------------------------------------------------------------------------

    def __enter__(self) -> "PrivateServer":
        self._folder = Path(tempfile.mkdtemp(prefix=f"kefu-{self.name}-"))
        self.own(self._folder)
        try:
            self._initialise(self.folder)
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def folder(self) -> Path:
        """Where its files are."""
        assert self._folder is not None, "not started"
        return self._folder

    @property
    def pid(self) -> int:
        """The process to stop, kill or count."""
        assert self._process is not None, "not running"
        return self._process.pid

    def start(self) -> None:
        """Start it, also after `kill`; returns once it answers."""
        give_up_at = time.monotonic() + START_S
        self._launch()
        while not self._answers():
            is_over = time.monotonic() > give_up_at
            if is_over or (self._process and self._process.poll() is not None):
                tail = (self.folder / "log").read_text("utf-8", "replace")[-2_000:]
                said = "\n".join(tail.splitlines()[-3:])
                if is_over or "still in use" not in said:
                    raise RuntimeError(f"{self.name} did not start:\n{tail}")
                # A process of the killed server has not noticed yet that it is gone.
                time.sleep(0.2)
                self._launch()
            time.sleep(0.05)

    def _launch(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(self.folder),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                start_new_session=True,
                **self._as_user(),
            )

    def kill(self) -> None:
        """End it and all its processes at once, as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in good order."""
        if self._process is not None and self._process.poll() is None:
            self._end(self._stop_signal)

    @contextlib.contextmanager
    def stalled(self) -> Iterator[None]:
        """Let it stand still for the time of the block."""
        try:
            self._stop_all()
            yield
        finally:
            self._signal_all(signal.SIGCONT)

    # -- what is in it -----------------------------------------------------------------

    @abstractmethod
    def url(self, database: str) -> str:
        """Return the URL of one database for kefu."""

    @abstractmethod
    def create(self, database: str) -> str:
        """Make an empty database; return its URL."""

    @abstractmethod
    def drop(self, database: str) -> None:
        """Remove a database, whoever is connected."""

    @abstractmethod
    def run_sql(self, statement: str, database: str = "") -> str:
        """Run a statement as the administrator; return what was printed."""

    # -- parts -------------------------------------------------------------------------

    _stop_signal = signal.SIGTERM

    @abstractmethod
    def _check(self) -> None: ...

    @abstractmethod
    def _initialise(self, folder: Path) -> None: ...

    @abstractmethod
    def _command(self, folder: Path) -> list[str]: ...

    @abstractmethod
    def _answers(self) -> bool: ...

    def _find(self, program: str, *folders: str) -> str:
        path = os.pathsep.join([*folders, "/usr/sbin", os.environ.get("PATH", "")])
        found = shutil.which(program, path=path)
        if found is None:
            raise ServerMissingError(
                f"{program} is missing: apt-get install {self.package}"
            )
        return found

    def _end(self, number: signal.Signals) -> None:
        assert self._process is not None, "not running"
        if number is signal.SIGKILL:
            self._signal_all(number)
        else:
            self._process.send_signal(number)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._signal_all(signal.SIGKILL)
            self._process.wait(30)

    def _signal_all(self, number: signal.Signals) -> None:
        # Not its process group: each backend of PostgreSQL has one of its own.
        with contextlib.suppress(psutil.NoSuchProcess):
            main = psutil.Process(self.pid)
            for process in [main, *main.children(recursive=True)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(number)

    def _stop_all(self) -> None:
        """Stop it, and wait until no thread runs.

        A busy machine takes its time, and meanwhile one answers another question.
        """
        with contextlib.suppress(psutil.NoSuchProcess):
            main = psutil.Process(self.pid)
            until = time.monotonic() + _STILL_S
            while True:
                running = _running(self.pid)
                for child in main.children(recursive=True):
                    running |= _running(child.pid)
                if not running:
                    return
                if time.monotonic() > until:
                    raise TimeoutError(f"{self.name} does not stand still: {running}")
                self._signal_all(signal.SIGSTOP)
                time.sleep(0.002)

    def own(self, path: Path) -> None:
        """Give a file or folder to the server's user."""
        if os.geteuid() == 0:
            shutil.chown(path, self.user, self.user)

    def _as_user(self) -> dict[str, Any]:
        """Return how to start a process as the unprivileged user."""
        if os.geteuid() != 0:
            return {}
        account = pwd.getpwnam(self.user)
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}

    def _run(self, command: list[str], stdin: str = "") -> str:
        done: subprocess.CompletedProcess[str] = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            cwd=self.folder,
            timeout=120,
            check=False,
            **self._as_user(),
        )
        if done.returncode != 0:
            raise RuntimeError(f"{command[0]}: {done.stderr[-2_000:]}")
        return done.stdout


class MariaDb(PrivateServer):
    """MariaDB; MySQL's place in the tests where only Debian's packages are at hand."""

    name, package, user = "mariadb", "mariadb-server", "mysql"

    def url(self, database: str) -> str:
        return f"mysql+asyncmy://kefu:{PASSWORD}@{HOST}:{self.port}/{database}"

    def create(self, database: str) -> str:
        self.run_sql(f"CREATE DATABASE {database} CHARACTER SET utf8mb4;")
        return self.url(database)

    def drop(self, database: str) -> None:
        self.run_sql(f"DROP DATABASE IF EXISTS {database};")

    def run_sql(self, statement: str, database: str = "") -> str:
        return self._run(
            [self._client, "--no-defaults", "--batch", "--skip-column-names",
             f"--socket={self.folder / 'socket'}", *([database] if database else [])],
            statement,
        )  # fmt: skip

    def _check(self) -> None:
        self._server = self._find("mariadbd")
        self._installer = self._find("mariadb-install-db")
        self._client = self._find("mariadb")

    def _initialise(self, folder: Path) -> None:
        self._run(
            [self._installer, "--no-defaults", f"--datadir={folder / 'data'}",
             "--auth-root-authentication-method=socket",
             f"--auth-root-socket-user={self._account()}", "--skip-test-db"],
        )  # fmt: skip
        # The account exists from the first start on. Every line is one statement.
        (folder / "init.sql").write_text(
            f"CREATE USER IF NOT EXISTS 'kefu'@'%' IDENTIFIED BY '{PASSWORD}';\n"
            "GRANT ALL ON *.* TO 'kefu'@'%';\n",
            "utf-8",
        )
        self.own(folder / "init.sql")

    def _account(self) -> str:
        uid = os.geteuid()
        return self.user if uid == 0 else pwd.getpwuid(uid).pw_name

    def _command(self, folder: Path) -> list[str]:
        return [
            self._server, "--no-defaults", f"--datadir={folder / 'data'}",
            f"--socket={folder / 'socket'}", f"--pid-file={folder / 'pid'}",
            f"--bind-address={HOST}", f"--port={self.port}",
            f"--init-file={folder / 'init.sql'}", "--innodb-buffer-pool-size=256M",
            "--innodb-log-file-size=256M", "--max-connections=200",
            # A server that starts removes what looks like leftovers of temporary tables
            # there, another server's too: queries of that one then fail.
            "--skip-name-resolve", f"--tmpdir={folder}",
        ]  # fmt: skip

    def _answers(self) -> bool:
        with contextlib.suppress(RuntimeError):
            return self.run_sql("SELECT 1;").strip() == "1"
        return False


class Postgres(PrivateServer):
    """PostgreSQL."""

    name, package, user = "postgres", "postgresql", "postgres"
    # Fast shutdown: disconnects whoever is connected.
    _stop_signal = signal.SIGINT

    def url(self, database: str) -> str:
        return f"postgresql+asyncpg://kefu:{PASSWORD}@{HOST}:{self.port}/{database}"

    def create(self, database: str) -> str:
        self.run_sql(f"CREATE DATABASE {database} OWNER kefu")
        return self.url(database)

    def drop(self, database: str) -> None:
        self.run_sql(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")

    def run_sql(self, statement: str, database: str = "") -> str:
        return self._run(
            [self._client, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1",
             "-h", str(self.folder), "-p", str(self.port), "-U", "kefu",
             "-d", database or "postgres"],
            statement,
        )  # fmt: skip

    def _check(self) -> None:
        folders = [
            str(folder / "bin")
            for folder in sorted(Path("/usr/lib/postgresql").glob("*"), reverse=True)
        ]
        self._server = self._find("postgres", *folders)
        self._installer = self._find("initdb", *folders)
        self._client = self._find("psql", *folders)

    def _initialise(self, folder: Path) -> None:
        password = folder / "password"
        password.write_text(PASSWORD, "utf-8")
        self.own(password)
        self._run(
            [self._installer, "-D", str(folder / "data"), "-U", "kefu",
             "--auth-local=trust", "--auth-host=scram-sha-256",
             f"--pwfile={password}", "-E", "UTF8", "--locale=C.UTF-8"],
        )  # fmt: skip

    def _command(self, folder: Path) -> list[str]:
        return [
            self._server, "-D", str(folder / "data"), "-p", str(self.port),
            "-c", f"listen_addresses={HOST}", "-c", f"unix_socket_directories={folder}",
            "-c", "max_connections=200", "-c", "shared_buffers=256MB",
        ]  # fmt: skip

    def _answers(self) -> bool:
        with contextlib.suppress(RuntimeError):
            return self.run_sql("SELECT 1").strip() == "1"
        return False


SERVERS: dict[str, type[PrivateServer]] = {"mysql": MariaDb, "postgres": Postgres}


def _running(pid: int) -> set[str]:
    """Return the threads of a process that are not stopped, each with its state."""
    running = set()
    for task in Path(f"/proc/{pid}/task").glob("*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            state = (task / "stat").read_text().rpartition(")")[2].split()[0]
            if state not in "TtZX":
                running.add(f"{pid}/{task.name} {state}")
    return running
