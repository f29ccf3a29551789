"""systemd's unit and the proxy's site: the shipped files with an operator's answers.

What is replaced are whole pieces that the shipped files are known to hold; a file that
no longer holds one is a mistake of ours, and fails loudly.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

from kefu_server.settings import Settings
from kefu_server.setup.choices import Choices

_HOME_FOLDERS = (Path("/home"), Path("/root"), Path("/run/user"))
_STATE = Path("/var/lib/kefu")


def shipped(name: str) -> str:
    """Return a file of `deploy/`, from the installed package or from the sources."""
    package = Path(__file__).parent.parent
    for folder in (package / "deploy", package.parent / "deploy"):
        if (folder / name).exists():
            return (folder / name).read_text("utf-8")
    raise AssertionError(f"deploy/{name} is part of the package")


def unit(choices: Choices, settings: Settings) -> str:
    """Return systemd's unit."""
    data_dir = Path(settings.data_dir).absolute()
    program = Path(sys.argv[0] or "kefu").absolute()
    if program.name != "kefu":
        program = Path(sys.executable).parent / "kefu"
    config = choices.config.absolute()
    environment = choices.environment or config.with_name("kefu.env")
    places = {
        "User=kefu\n": f"User={choices.user or 'kefu'}\n",
        "=/etc/kefu/kefu.toml\n": f"={config}\n",
        "=-/etc/kefu/kefu.env\n": f"=-{environment.absolute()}\n",
        "=/opt/kefu/bin/kefu serve\n": f"={program} serve\n",
    }
    if data_dir != _STATE:
        places["StateDirectory=kefu\nStateDirectoryMode=0700\n"] = (
            f"WorkingDirectory={data_dir}\nReadWritePaths={data_dir}\n"
        )
        places["# (5) /var/lib/kefu, made and owned by its user: data_dir\n"] = (
            "# data_dir\n"
        )
    if any(
        home in path.parents
        for home in _HOME_FOLDERS
        for path in (data_dir, program, config)
    ):
        # It is written below a home, so it must be seen there.
        places["ProtectHome=yes\n"] = "ProtectHome=read-only\n"
    return _filled(shipped("systemd/kefu.service"), places)


def nginx(choices: Choices, settings: Settings) -> str:
    """Return nginx's site."""
    port = choices.public_port
    return _filled(
        shipped("nginx/kefu.conf"),
        {
            "    server 127.0.0.1:8080;": f"    server {_upstream(settings)};",
            "listen 443 ssl": f"listen {port} ssl",
            "server_name chat.example;": f"server_name {choices.public_host};",
            "/etc/ssl/kefu/chain.pem": choices.certificate or "/etc/ssl/kefu/chain.pem",
            "/etc/ssl/kefu/key.pem": choices.certificate_key or "/etc/ssl/kefu/key.pem",
        },
    )


def caddy(choices: Choices, settings: Settings) -> str:
    """Return Caddy's file."""
    port = choices.public_port
    host = choices.public_host + ("" if port == 443 else f":{port}")
    return _filled(
        shipped("caddy/Caddyfile"),
        {
            "\nchat.example {": f"\n{host} {{",
            "reverse_proxy 127.0.0.1:8080 {": f"reverse_proxy {_upstream(settings)} {{",
        },
    )


def _upstream(settings: Settings) -> str:
    host, port = settings.host_and_port
    nearest = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"[{nearest}]:{port}" if ":" in nearest else f"{nearest}:{port}"


def _filled(text: str, places: Mapping[str, str]) -> str:
    for old, new in places.items():
        assert old in text, f"the shipped file holds {old!r}"
        text = text.replace(old, new)
    return text
