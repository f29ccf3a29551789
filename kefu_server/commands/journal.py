"""`kefu journal`: who did what."""

import argparse
from datetime import UTC, datetime
from typing import Any

import msgspec

from kefu_core.abc.records import PAGE_MAX
from kefu_core.abc.store import Store
from kefu_core.ids import agent_participant
from kefu_core.records import AuditEntry
from kefu_server.accounts import find_in, in_store
from kefu_server.commands.parsing import Commands, add_command
from kefu_server.logs import escape
from kefu_server.output import say
from kefu_server.settings import Settings


def add_journal(commands: Commands) -> None:
    """Add `kefu journal`."""
    parser = add_command(
        commands, "journal", _journal, "list who did what, the newest last"
    )
    parser.add_argument("--agent", metavar="LOGIN", help="only what this agent did")
    parser.add_argument(
        "--action", metavar="NAME", help="only this, such as login.refused"
    )
    parser.add_argument(
        "--limit", type=int, default=50, metavar="N", help="so many (default: 50)"
    )


def _journal(options: argparse.Namespace, settings: Settings) -> int:
    async def act(store: Store) -> tuple[list[AuditEntry], dict[str, str]]:
        where: dict[str, Any] = {}
        if options.agent is not None:
            agent = await find_in(store, options.agent)
            where["who"] = agent_participant(agent.id)
        if options.action is not None:
            where["action"] = options.action
        found: list[AuditEntry] = []
        before = None
        while len(found) < options.limit:
            wanted = min(PAGE_MAX, options.limit - len(found))
            page = await store.list_records(
                AuditEntry, where=where, before=before, limit=wanted
            )
            found += page
            if len(page) < wanted:
                break
            before = page[-1].id
        logins = {agent_participant(a.id): a.login for a in await store.agents()}
        return found, {str(who): login for who, login in logins.items()}

    entries, logins = in_store(settings, act)
    for entry in reversed(entries):
        moment = datetime.fromtimestamp(entry.at / 1000, UTC)
        who = logins.get(entry.who, entry.who) or "-"
        told = msgspec.json.encode(entry.data).decode() if entry.data else ""
        fields = (who, entry.address or "-", entry.action, entry.target, told)
        say(f"{moment:%Y-%m-%d %H:%M:%S}Z\t" + "\t".join(map(escape, fields)).rstrip())
    return 0
