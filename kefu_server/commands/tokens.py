"""`kefu token`: what programs show to the REST API and the protocol."""

import argparse
from datetime import UTC, datetime

from kefu_core.abc.records import PAGE_MAX
from kefu_core.abc.store import Store
from kefu_core.desk.journal import CLI
from kefu_core.desk.programs import known_scopes, make_token
from kefu_core.errors import NotFound
from kefu_core.ids import IdGenerator
from kefu_core.model import Agent
from kefu_core.node import unix_ms
from kefu_core.records import ApiToken
from kefu_server.accounts import in_store, journal
from kefu_server.commands.parsing import Commands, add_command, add_group
from kefu_server.output import say
from kefu_server.settings import Settings

_DAY_MS = 86_400_000


def add_tokens(commands: Commands) -> None:
    """Add `kefu token`."""
    token = add_group(commands, "token", "tokens of programs")
    create = add_command(
        token, "create", _create, "create a token; prints it once, it is stored nowhere"
    )
    create.add_argument("name", help="which program it is for")
    create.add_argument(
        "--agent", required=True, metavar="LOGIN", help="whom the program acts for"
    )
    create.add_argument(
        "--scope",
        action="append",
        required=True,
        metavar="SCOPE",
        help=f"may be repeated; one of: {', '.join(known_scopes())}",
    )
    create.add_argument(
        "--days", type=int, default=0, metavar="N", help="ends after so many days"
    )
    add_command(token, "list", _list, "list the tokens")
    revoke = add_command(token, "revoke", _revoke, "end a token")
    revoke.add_argument("token", type=int, metavar="ID")


def _create(options: argparse.Namespace, settings: Settings) -> int:
    async def act(store: Store) -> str:
        agent = await store.find_agent(login=options.agent)
        if agent is None:
            raise NotFound(
                f"There is no agent with the login {options.agent}; "
                "see: kefu agent list"
            )
        now_ms = unix_ms()
        record, secret = make_token(
            IdGenerator(unix_ms).new(),
            options.name,
            options.scope,
            agent,
            now_ms=now_ms,
            expires_at=now_ms + options.days * _DAY_MS if options.days else 0,
        )
        await store.put_records(record)
        told = {"name": record.name, "agent": agent.id, "scopes": list(record.scopes)}
        await journal(store).write(CLI, "token.create", f"token {record.id}", told)
        return secret

    say(in_store(settings, act))
    return 0


def _list(options: argparse.Namespace, settings: Settings) -> int:
    async def act(store: Store) -> tuple[list[ApiToken], list[Agent]]:
        tokens = await store.list_records(ApiToken, limit=PAGE_MAX)
        return tokens, await store.agents()

    tokens, agents = in_store(settings, act)
    logins = {agent.id: agent.login for agent in agents}
    for token in tokens:
        used = _day(token.last_used_at) if token.last_used_at else "never used"
        ends = f"\tends {_day(token.expires_at)}" if token.expires_at else ""
        login = logins.get(token.agent_id, "?")
        scopes = " ".join(token.scopes)
        say(f"{token.id}\t{token.name}\t{login}\t{scopes}\t{used}{ends}")
    return 0


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d")


def _revoke(options: argparse.Namespace, settings: Settings) -> int:
    async def act(store: Store) -> ApiToken:
        token = await store.find_record(ApiToken, options.token)
        if token is None:
            raise NotFound(f"There is no token {options.token}; see: kefu token list")
        await store.delete_records(ApiToken, [token.id])
        told = {"name": token.name}
        await journal(store).write(CLI, "token.delete", f"token {token.id}", told)
        return token

    token = in_store(settings, act)
    say(f"Ended the token {token.name}; a running server notices within a second.")
    return 0
