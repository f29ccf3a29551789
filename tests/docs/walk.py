"""Walks every operation of the OpenAPI document on a running server, as somebody.

`python -m tests.docs.walk --examples 200` walks as everybody, for long.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import anyio

from kefu_core.client import Client
from kefu_server import accounts
from tests.faults.people import Server
from tests.server.process import PASSWORD, kefu

HOOKS = "tests.docs.walking"
WHO = ("admin", "program", "visitor", "agent", "nobody")
_UNFIT = (
    # Rules between fields are in the sentences, not in the schemas.
    "positive_data_acceptance",
    # A write without its Origin and Content-Type is refused before anything is looked
    # up; 405 comes after that.
    "unsupported_method",
    # Whoever walks always brings a credential, or never does; `tests/security` has it.
    "ignored_auth",
)


def headers_of(server: Server, who: str) -> list[str]:
    """Return what somebody sends with every request."""
    own = [f"Origin: {server.url}"]
    if who == "visitor":
        return [*own, f"Authorization: Bearer {server.visitor()}"]
    if who == "agent":
        return [*own, f"Cookie: kefu_session={server.agent_token}"]
    if who == "nobody":
        return own
    accounts.add_agent(server.settings, "root", "Root", PASSWORD, is_admin=True)
    if who == "admin":
        return [*own, f"Cookie: kefu_session={server.log_in('root')}"]
    made = kefu(server.folder, "token", "create", "walk", "--agent", "root", *_SCOPES)
    assert made.returncode == 0, made.stderr
    return [f"Authorization: Bearer {made.stdout.strip()}"]


_SCOPES = [
    word
    for scope in ("conversations:read", "conversations:write", "messages:write")
    for word in ("--scope", scope)
]


async def _a_conversation(server: Server) -> int:
    client = Client(server.url, token=server.visitor(), transport="longpoll")
    async with client:
        await client.wait_live()
        conversation = await client.open_conversation()
        await client.send(conversation, "有货吗")
        return conversation


def walk(server: Server, who: str, examples: int) -> "subprocess.CompletedProcess[str]":
    """Send so many requests to each operation, and check every answer."""
    ids = {"conversation": anyio.run(_a_conversation, server), "site": server.site.id}
    command = [
        *(sys.executable, "-m", "schemathesis.cli"),
        *("--config-file", str(Path(__file__).with_name("schemathesis.toml")), "run"),
        *(f"{server.url}/api/openapi.json", "--url", server.url),
        *("--phases", "coverage,fuzzing", "--seed", "1", "--no-color"),
        *("--max-examples", str(examples), "--warnings", "off"),
        *("--generation-with-security-parameters", "false"),
        *("--exclude-checks", ",".join(_UNFIT)),
        # It would end the walk.
        *("--exclude-path", "/api/agent/logout"),
        *(word for each in headers_of(server, who) for word in ("--header", each)),
    ]
    more = {"SCHEMATHESIS_HOOKS": HOOKS, "KEFU_WALK_IDS": json.dumps(ids)}
    return subprocess.run(
        command,
        env=os.environ | more,
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )


def main() -> int:
    """Walk as everybody; 1 when one answer was not as documented."""
    parser = argparse.ArgumentParser(prog="python -m tests.docs.walk")
    parser.add_argument("--examples", type=int, default=200)
    parser.add_argument("--who", choices=WHO, action="append")
    options = parser.parse_args()
    status = 0
    for who in options.who or WHO:
        with tempfile.TemporaryDirectory() as folder, Server(Path(folder)) as server:
            done = walk(server, who, options.examples)
        sys.stdout.write(f"== {who}\n{done.stdout}\n{done.stderr}\n")
        status |= done.returncode
    return status


if __name__ == "__main__":
    sys.exit(main())
