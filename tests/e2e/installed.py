"""kefu as an operator has it: installed from its wheel, set up by `kefu init` alone.

On a bare machine, which is a fresh virtual environment with an empty home or, where
`KEFU_BARE_ROOT` names one, a bare Debian that `tools/bare-root.sh` has made.
"""

import getpass
import os
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Sequence, Set
from importlib.metadata import Distribution, PathDistribution, distribution
from pathlib import Path
from typing import Self

from packaging.requirements import Requirement

from benchmarks.ports import free_port
from tests.e2e.world import LOGIN, PASSWORD, Shop
from tests.faults.nginx import AROUND, NGINX

ROOT = Path(__file__).parents[2]
START_S = 30.0
_SERVER = "    server_tokens off;\n"
_NO_UPGRADES = "    if ($http_upgrade) { return 403; }\n"


def build_wheel(folder: Path) -> Path:
    """Build the wheel of this tree."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    subprocess.run([*command, "-d", folder], cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("kefu-*.whl")
    return wheel


class Venv:
    """A fresh virtual environment and an empty home.

    What pip would fetch for `kefu[server,sqlite]` is lent by this environment, and
    nothing else is found: what the package forgets to ask for is missing.
    """

    root = Path("/")

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        self.data = self.home / "data"
        self.backup = folder / "backup.tar"
        self.program = folder / "venv" / "bin" / "kefu"
        self.site = self.home / "kefu.nginx.conf"
        self.unit = self.home / "kefu.service"
        self._nginx = folder / "nginx"
        self._nginx.mkdir()
        venv = folder / "venv"
        make = [sys.executable, "-m", "venv", "--without-pip", venv]
        subprocess.run(make, check=True)
        inside = {"base": str(venv), "platbase": str(venv)}
        packages = Path(sysconfig.get_path("purelib", "venv", inside))
        pip = [sys.executable, "-m", "pip", "--python", venv, "install", "-q"]
        options = ["--no-deps", "--no-index", "--disable-pip-version-check"]
        subprocess.run([*pip, *options, wheel], check=True)
        (told,) = packages.glob("kefu-*.dist-info")
        _lend(packages, PathDistribution(told), {"server", "sqlite"}, set())

    def flags(self) -> list[str]:
        """Return where `kefu init` is to write, as somebody says who is not root."""
        data = ["--data-dir", str(self.data), "--user", getpass.getuser()]
        return [*data, "--systemd", str(self.unit), "--nginx", str(self.site)]

    def command(self, *arguments: str | Path, is_root: bool = False) -> list[str]:
        """Return what runs a program there."""
        return [str(each) for each in arguments]

    def lose_data(self) -> None:
        """Remove all that the server keeps."""
        shutil.rmtree(self.data)

    def nginx(self) -> list[str]:
        """Return what runs nginx with the written site and nothing else."""
        text = AROUND.format(folder=self._nginx, site=self.site)
        (self._nginx / "nginx.conf").write_text(text)
        folder = str(self._nginx)
        log = f"{folder}/error.log"
        return [str(NGINX), "-p", folder, "-c", f"{folder}/nginx.conf", "-e", log]


def _lend(
    packages: Path, needing: Distribution, extras: Set[str], lent: set[str]
) -> None:
    for line in needing.requires or []:
        wanted = Requirement(line)
        environments = [{"extra": extra} for extra in extras or {""}]
        is_other = wanted.marker and not any(map(wanted.marker.evaluate, environments))
        if is_other or line in lent:
            continue
        lent.add(line)
        for each in {f.parts[0] for f in distribution(wanted.name).files or []}:
            place = Path(sysconfig.get_path("purelib")) / each
            if each not in {"..", "__pycache__"} and not (packages / each).exists():
                (packages / each).symlink_to(place)
        _lend(packages, distribution(wanted.name), wanted.extras, lent)


class Debian:
    """A bare Debian below a folder, with the wheel installed in /opt/kefu."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "etc" / "kefu"
        self.data = root / "var/lib/kefu"
        self.backup = root / "tmp/backup.tar"
        self.program = Path("/opt/kefu/bin/kefu")
        self.site = root / "etc/nginx/conf.d/kefu.conf"
        self.unit = root / "etc/systemd/system/kefu.service"

    def flags(self) -> list[str]:
        """Root says no places: each has its usual one."""
        return ["--systemd", "--nginx"]

    def command(self, *arguments: str | Path, is_root: bool = False) -> list[str]:
        """Return what runs a program there, as the server's user."""
        user = [] if is_root else ["--userspec=kefu:kefu"]
        return ["chroot", *user, str(self.root), *(str(each) for each in arguments)]

    def lose_data(self) -> None:
        """Remove all that the server keeps; systemd makes the empty folder again."""
        was = self.data.stat()
        shutil.rmtree(self.data)
        self.data.mkdir(0o700)
        os.chown(self.data, was.st_uid, was.st_gid)

    def nginx(self) -> list[str]:
        """Debian's own configuration, with the written site in its place."""
        return self.command("/usr/sbin/nginx", "-g", "daemon off;", is_root=True)


class Installation:
    """One set-up machine with a shop beside it; `with Installation(machine) as it:`."""

    def __init__(self, machine: Venv | Debian) -> None:
        self.machine = machine
        self.port, self.tls_port = free_port(), free_port()
        self.url = f"https://localhost:{self.tls_port}"
        self.shop = Shop(self.url)
        self.site = ""
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for name in list(self._running):
            self.stop(name)
        self.shop.close()

    def path(self, path: Path) -> Path:
        """Return a file as the machine itself names it."""
        return Path("/") / path.relative_to(self.machine.root)

    def kefu(self, *arguments: str, text: str = "", is_root: bool = False) -> str:
        """Run one command to its end; what it says is the answer."""
        config = self.path(self.machine.home / "kefu.toml")
        command = self.machine.command(
            *(self.machine.program, "--config", config, *arguments), is_root=is_root
        )
        done = subprocess.run(
            command,
            input=text,
            capture_output=True,
            text=True,
            cwd=self.machine.home,
            env=self._environment(),
            timeout=60,
        )
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout

    def set_up(self) -> None:
        """Let `kefu init` do all of it, and put its line into the shop."""
        home = self.machine.home
        certify(home)
        said = self.kefu(
            *("init", "--non-interactive", "--bind", f"127.0.0.1:{self.port}"),
            *("--public-url", self.url),
            *("--certificate", str(self.path(home / "chain.pem"))),
            *("--certificate-key", str(self.path(home / "key.pem"))),
            *("--site", "Tea", "--origin", self.shop.url, "--locale", "en"),
            *("--admin", LOGIN, "--admin-name", "小茶", *self.machine.flags()),
            text=PASSWORD + "\n",
            is_root=True,
        )
        (embed,) = re.findall(r"<script .*</script>", said)
        self.shop.pages["/"] = f"<!doctype html><title>Shop</title><body>{embed}</body>"

    def serve(self) -> None:
        """Start the server as the written unit does, and wait until it listens."""
        unit = self.machine.unit.read_text("utf-8")
        (line,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
        pairs = re.findall(r"^Environment=(\w+)=(.*)$", unit, re.MULTILINE)
        process = subprocess.Popen(
            self.machine.command(*shlex.split(line)),
            stderr=subprocess.PIPE,
            cwd=self.machine.home,
            env=self._environment() | dict(pairs),
        )
        self._running["kefu"] = process
        assert process.stderr is not None
        seen = b""
        while b"listening" not in seen:
            ready, _, _ = select.select([process.stderr], [], [], START_S)
            chunk = os.read(process.stderr.fileno(), 65_536) if ready else b""
            assert chunk, f"the server did not start: {seen.decode()}"
            seen += chunk

    def proxy(self) -> None:
        """Start nginx with the written site, and wait until it listens."""
        process = subprocess.Popen(self.machine.nginx(), stderr=subprocess.DEVNULL)
        self._running["nginx"] = process
        give_up_at = time.monotonic() + START_S
        while process.poll() is None and time.monotonic() < give_up_at:
            try:
                socket.create_connection(("127.0.0.1", self.tls_port), 1).close()
            except OSError:
                select.select([], [], [], 0.05)
            else:
                return
        raise AssertionError("nginx did not start")

    def refuse_websockets(self) -> None:
        """Be a network that lets no WebSocket through, from now on."""
        text = self.machine.site.read_text("utf-8")
        assert text.count(_SERVER) == 1
        self.machine.site.write_text(text.replace(_SERVER, _SERVER + _NO_UPGRADES))
        self.stop("nginx")
        self.proxy()

    def stop(self, name: str) -> None:
        """End a program as systemd does, and wait for it."""
        process = self._running.pop(name)
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()

    def _environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.path(self.machine.home)),
            "LANG": "C.UTF-8",
            "PATH": f"{self.machine.program.parent}:/usr/sbin:/usr/bin:/sbin:/bin",
        }


def certify(folder: Path, names: Sequence[str] = ("DNS:localhost",)) -> None:
    """Write a certificate of our own making, `chain.pem`, and `key.pem`."""
    openssl = shutil.which("openssl")
    assert openssl is not None, "tests that need it are skipped without it"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt"]
    command += ["ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-batch"]
    command += ["-subj", "/CN=localhost", "-addext"]
    command += [f"subjectAltName={','.join(names)}"]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "chain.pem")]
    subprocess.run(command, check=True, capture_output=True)
