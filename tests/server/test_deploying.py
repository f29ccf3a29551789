"""What `kefu init` writes for systemd, nginx and Caddy, read by these themselves."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from kefu_server.settings import make_settings
from kefu_server.setup import deploying
from kefu_server.setup.choices import Choices
from tests.e2e.installed import certify
from tests.faults.caddy import caddy_command, caddy_environment, needs_caddy
from tests.faults.nginx import AROUND, NGINX, needs_nginx

EXPOSURE_MAX = 2.0
"""Of ten, as `systemd-analyze security` counts; 1.6 when this was written."""


def run(*command: str, **environ: str) -> str:
    """Run a program that must be content; return all it said."""
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | environ, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def chosen(folder: Path, public_url: str) -> Choices:
    """Return an operator's answers, all of them other than what is shipped."""
    return Choices(
        config=folder / "kefu.toml",
        values={
            "public_url": public_url,
            "bind": "[::1]:8099",
            "data_dir": str(folder / "data"),
            "trusted_proxies": ["::1"],
        },
        user="root",
        certificate=str(folder / "chain.pem"),
        certificate_key=str(folder / "key.pem"),
    )


@pytest.mark.parametrize("data_dir", ["", "/var/lib/kefu"])
def test_systemd_understands_the_unit_and_finds_little_exposed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data_dir: str
) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    program = tmp_path / "kefu"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setattr("sys.argv", [str(program)])
    choices = chosen(tmp_path, "https://chat.example")
    if data_dir:
        choices = choices.with_value("data_dir", data_dir)
    unit = tmp_path / "kefu.service"
    unit.write_text(deploying.unit(choices, make_settings(choices.values)))
    assert run("systemd-analyze", "verify", "--man=no", str(unit)) == ""
    exposed = f"--threshold={EXPOSURE_MAX * 10:.0f}"
    run("systemd-analyze", "security", "--offline=true", exposed, str(unit))


@needs_nginx
def test_nginx_takes_the_written_site(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    certify(tmp_path)
    choices = chosen(tmp_path, "https://chat.example:8443")
    site = tmp_path / "site.conf"
    site.write_text(deploying.nginx(choices, make_settings(choices.values)))
    config = tmp_path / "nginx.conf"
    config.write_text(AROUND.format(folder=tmp_path, site=site))
    said = run(str(NGINX), "-t", "-p", str(tmp_path), "-c", str(config))
    assert "test is successful" in said
    assert "[warn]" not in said


@needs_caddy
@pytest.mark.parametrize("port", ["", ":8443"])
def test_caddy_takes_the_written_file(tmp_path: Path, port: str) -> None:
    choices = chosen(tmp_path, f"https://chat.example{port}")
    file = tmp_path / "Caddyfile"
    file.write_text(deploying.caddy(choices, make_settings(choices.values)))
    said = run(*caddy_command("validate", file), **caddy_environment(tmp_path))
    assert "Valid configuration" in said
    # `caddy fmt` would change nothing, or says so.
    assert "not formatted" not in said
