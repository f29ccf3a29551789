"""The image that `Dockerfile` makes, lived in as the compose files say.

Made without Docker by `tools/image.sh` (`make verify-image`), and run here with what
matters of its container: a read-only root, one volume, a user without any right, and
processes of its own, kefu the first of them. The network is this machine's.
"""

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import httpx
import pytest

from benchmarks.databases import MariaDb, Postgres, PrivateServer
from tests.e2e.people import AgentPerson, Browsers, Visitor
from tests.e2e.world import LOGIN, PASSWORD, Shop

FOLDER = os.environ.get("KEFU_IMAGE", "")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not FOLDER, reason="needs an image: make verify-image"),
]
PORT = 8080
URL = f"http://127.0.0.1:{PORT}"
USER = 10_001
START_S, STOP_S = 60.0, 20.0
_INSIDE = """
set -eu
mount --bind "$1" "$1"
mount --rbind /dev "$1/dev"
mount -t proc proc "$1/proc"
mount -o remount,ro,bind "$1"
mount -t tmpfs tmpfs "$1/tmp"
mount --bind "$2" "$1/var/lib/kefu"
root=$1
shift 2
exec chroot "$root" setpriv --reuid=kefu --regid=kefu --init-groups --no-new-privs \
    --bounding-set=-all --inh-caps=-all --ambient-caps=-all "$@"
"""


class Container:
    """The image, started on a volume; `with Container(volume, …) as it:`."""

    def __init__(self, volume: Path, **environment: str) -> None:
        self.root = Path(FOLDER, "root").resolve()
        told = json.loads(Path(FOLDER, "image.json").read_text("utf-8"))
        self.config: dict[str, Any] = told["Docker"]["config"]
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", PORT)), f"{PORT} must be free"
        if not volume.exists():
            # As Docker makes one: owned and readable as the image has the folder.
            volume.mkdir(0o700)
            os.chown(volume, USER, USER)
        given = [f"{name}={value}" for name, value in environment.items()]
        clean = ["env", "-i", "-C", self.config["WorkingDir"]]
        self._clean = [*clean, *self.config["Env"], *given]
        said = [*self.config["Entrypoint"], *self.config["Cmd"]]
        inside = ["sh", "-c", _INSIDE, "-", str(self.root), str(volume)]
        self._outer = subprocess.Popen(
            [
                "unshare",
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                *inside,
                *self._clean,
                *said,
            ],
            cwd="/",
            stderr=subprocess.PIPE,
        )

    def __enter__(self) -> Self:
        give_up_at = time.monotonic() + START_S
        while not self.is_healthy:
            if self._outer.poll() is not None or time.monotonic() > give_up_at:
                raise AssertionError(self._end().decode())
            time.sleep(0.2)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._end()

    def _end(self) -> bytes:
        if self._outer.poll() is None and self._first:
            os.kill(self._first, signal.SIGKILL)
        pipe = self._outer.stderr
        return b"" if pipe is None or pipe.closed else self._outer.communicate()[1]

    @property
    def _first(self) -> int:
        """This machine's number of its first process; 0 before there is one."""
        children = f"/proc/{self._outer.pid}/task/{self._outer.pid}/children"
        return int(Path(children).read_text() or 0)

    @property
    def is_healthy(self) -> bool:
        """Whether the image's own check says so."""
        kind, *command = self.config["Healthcheck"]["Test"]
        assert kind == "CMD"
        return self._first > 0 and self._run(*command).returncode == 0

    def run(self, *command: str, text: str = "") -> str:
        """Do as `docker exec` does; return what the command says."""
        done = self._run(*command, text=text)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    def _run(self, *command: str, text: str = "") -> subprocess.CompletedProcess[str]:
        there = ["--target", str(self._first), "--mount", "--pid", "--root"]
        there += ["--setgid", str(USER), "--setuid", str(USER)]
        return subprocess.run(
            ["nsenter", *there, *self._clean, *command],
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def stop(self) -> int:
        """Do as `docker stop` does; return how the first process ended."""
        os.kill(self._first, signal.SIGTERM)
        _, said = self._outer.communicate(timeout=STOP_S)
        assert b"Traceback" not in said
        return self._outer.returncode


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop(URL)
    yield shop
    shop.close()


@pytest.fixture(params=["sqlite", "mariadb", "postgres"])
def database(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """What the compose file of a database says of it."""
    server: PrivateServer | None = {"mariadb": MariaDb, "postgres": Postgres}.get(
        request.param, lambda: None
    )()
    if server is None:
        yield {}
        return
    with server:
        yield {"KEFU_DATABASE_URL": server.create("kefu")}


def test_the_image_serves_stops_and_goes_on_with_what_its_volume_kept(
    tmp_path: Path, browsers: Browsers, shop: Shop, database: dict[str, str]
) -> None:
    volume = tmp_path / "volume"
    with Container(volume, KEFU_PUBLIC_URL=URL, **database) as kefu:
        assert httpx.get(f"{URL}/readyz").status_code == 200
        kefu.run("kefu", "agent", "add", LOGIN, "--name", "小茶", text=PASSWORD + "\n")
        said = kefu.run("kefu", "site", "add", "Tea", "--origin", shop.url)
        (embed,) = re.findall(r"<script .*</script>", said)
        shop.pages["/"] = f"<!doctype html><title>Shop</title><body>{embed}</body>"
        visitor = Visitor(_at(shop), browsers.context()).open().live()
        visitor.write("q1", "q2")
        agent = AgentPerson(_at(shop), browsers.context())
        agent.open_first("queue")
        agent.sees("q2")
        agent.write("a1")
        visitor.sees_all_stored(3)
        assert kefu.stop() == 0
    with Container(volume, KEFU_PUBLIC_URL=URL, **database):
        visitor.live().write("q3")
        for person in (visitor, agent):
            person.sees_all_stored(4)
        assert visitor.texts() == agent.texts() == ["q1", "q2", "a1", "q3"]


def test_nobody_in_it_may_do_anything(tmp_path: Path) -> None:
    with Container(tmp_path / "volume", KEFU_PUBLIC_URL=URL) as kefu:
        assert kefu.run("id", "-u").strip() == str(USER)
        status = kefu.run("cat", "/proc/1/status")
        assert len(re.findall(r"^Cap(?:Eff|Bnd):\s+0+$", status, re.MULTILINE)) == 2
        assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
        assert "FreeTDS" in kefu.run(
            "python", "-c", "import pyodbc; print(pyodbc.drivers())"
        )
        assert "kefu" in kefu.run("kefu", "--version")
        with pytest.raises(AssertionError, match="Read-only file system"):
            kefu.run("touch", "/opt/kefu/new")


def _at(shop: Shop) -> Any:
    """Where the people of a test go."""
    return SimpleNamespace(url=URL, shop=shop)
