"""Accounts and sites from the command line: each opens the store, acts, closes it."""

import re
import secrets
from collections.abc import Awaitable, Callable, Sequence
from html import escape
from typing import TypeVar

import anyio
import msgspec

from kefu_core.abc.store import Store
from kefu_core.desk.journal import CLI, Journal
from kefu_core.desk.reading import check_tag
from kefu_core.errors import ConfigurationError, Conflict, Invalid, NotFound
from kefu_core.ids import IdGenerator
from kefu_core.model import Agent, Role, Site
from kefu_core.node import unix_ms
from kefu_core.origins import check_origin
from kefu_core.records import SecondFactor
from kefu_server.database import open_store
from kefu_server.passwords import Passwords, check_new_password
from kefu_server.sessions import name_of
from kefu_server.settings import Settings

T = TypeVar("T")

_LOGIN = re.compile(r"[\w.@+-]{1,100}")
_NAME_CHARS_MAX = 100
_RETENTION_DAYS_MAX = 36_500


def in_store(settings: Settings, act: Callable[[Store], Awaitable[T]]) -> T:
    """Run `act` with the open store. Raises what either raises."""

    async def run() -> T:
        async with open_store(settings) as store:
            return await act(store)

    return anyio.run(run)


def make_agent(
    login: str, name: str, password: str, *, is_admin: bool, language: str = ""
) -> Agent:
    """Return a new account.

    Raises `Invalid`: the login, name, password or language is none.
    """
    check_login(login)
    check_name(name)
    tag = check_tag(language)
    check_new_password(password, login)
    return Agent(
        id=IdGenerator(unix_ms).new(),
        login=login,
        name=name,
        password_hash=Passwords().hash_now(password),
        role=Role.ADMIN if is_admin else Role.AGENT,
        language=tag,
    )


async def put_agent(store: Store, agent: Agent, who: str = CLI) -> None:
    """Keep a new account. Raises `Conflict`: the login is taken."""
    if await store.find_agent(login=agent.login) is not None:
        raise Conflict(f"There is already an agent with the login {agent.login}.")
    await store.put_agent(agent)
    data = {"role": agent.role.value}
    await journal(store).write(who, "agent.add", name_of(agent), data)


def journal(store: Store) -> Journal:
    """Return the journal that commands write into."""
    return Journal(store, IdGenerator(unix_ms), unix_ms)


def add_agent(
    settings: Settings,
    login: str,
    name: str,
    password: str,
    *,
    is_admin: bool,
    language: str = "",
) -> Agent:
    """Create an account.

    Raises:
        Invalid: The login, name, password or language will not do.
        Conflict: The login is taken.
    """
    agent = make_agent(login, name, password, is_admin=is_admin, language=language)
    in_store(settings, lambda store: put_agent(store, agent))
    return agent


def set_password(
    settings: Settings, login: str, password: str, *, is_one_time: bool = False
) -> None:
    """Replace a password and end every login of the account.

    With `is_one_time` it is good for choosing another only. A running server notices
    within a second. Raises `NotFound`, `Invalid`.
    """
    check_new_password(password, login)
    password_hash = Passwords().hash_now(password)

    async def act(store: Store) -> None:
        agent = await find_in(store, login)
        await store.put_agent(
            msgspec.structs.replace(
                agent, password_hash=password_hash, is_one_time=is_one_time
            )
        )
        await store.delete_agent_sessions(agent_id=agent.id)
        await journal(store).write(CLI, "agent.password", name_of(agent))

    in_store(settings, act)


def set_active(settings: Settings, login: str, *, is_active: bool) -> Agent:
    """Let an account log in, or no longer; either way its logins end.

    A running server notices within a second. Raises `NotFound`.
    """

    async def act(store: Store) -> Agent:
        agent = await find_in(store, login)
        changed = msgspec.structs.replace(agent, is_active=is_active)
        await store.put_agent(changed)
        # Also when it comes back: no login of the time before may come back with it.
        await store.delete_agent_sessions(agent_id=agent.id)
        action = "agent.activate" if is_active else "agent.deactivate"
        await journal(store).write(CLI, action, name_of(agent))
        return changed

    return in_store(settings, act)


def set_language(settings: Settings, login: str, language: str) -> Agent:
    """Say what an account reads and writes; empty: what its sites say.

    A running server notices within some seconds. Raises `NotFound`, `Invalid`.
    """
    tag = check_tag(language)

    async def act(store: Store) -> Agent:
        agent = await find_in(store, login)
        changed = msgspec.structs.replace(agent, language=tag)
        await store.put_agent(changed)
        data = {"changed": ["language"]}
        await journal(store).write(CLI, "agent.put", name_of(agent), data)
        return changed

    return in_store(settings, act)


def has_factor(settings: Settings, login: str) -> bool:
    """Whether an account has a second factor. Raises `NotFound`."""

    async def act(store: Store) -> bool:
        agent = await find_in(store, login)
        factor = await store.find_record(SecondFactor, agent.id)
        return factor is not None and factor.confirmed_at > 0

    return in_store(settings, act)


def switch_off_factor(settings: Settings, login: str) -> None:
    """Let an account log in by its password alone.

    For somebody who has lost the app and the recovery codes. Raises `NotFound`.
    """

    async def act(store: Store) -> None:
        agent = await find_in(store, login)
        await store.delete_records(SecondFactor, [agent.id])
        await journal(store).write(CLI, "factor.off", name_of(agent))

    in_store(settings, act)


async def find_in(store: Store, login: str) -> Agent:
    """Return an account. Raises `NotFound`, which says where to look."""
    agent = await store.find_agent(login=login)
    if agent is None:
        raise NotFound(
            f"There is no agent with the login {login}; see: kefu agent list"
        )
    return agent


def find_agent(settings: Settings, login: str) -> Agent | None:
    """Return one account."""
    return in_store(settings, lambda store: store.find_agent(login=login))


def list_agents(settings: Settings) -> list[Agent]:
    """Return all accounts."""
    return in_store(settings, lambda store: store.agents())


def make_site(name: str, origins: Sequence[str], locale: str) -> Site:
    """Return a new site with a fresh embed key.

    Raises:
        Invalid: The name or an origin will not do; names the fix.
    """
    check_name(name)
    try:
        for origin in origins:
            check_origin(origin, "--origin", "https://shop.example")
    except ConfigurationError as error:
        raise Invalid(str(error)) from error
    return Site(
        id=IdGenerator(unix_ms).new(),
        name=name,
        embed_key=secrets.token_hex(8),
        allowed_origins=tuple(dict.fromkeys(origins)),
        locale=locale,
    )


def add_site(
    settings: Settings, name: str, origins: Sequence[str], locale: str
) -> Site:
    """Create a site. Raises `Invalid`."""
    site = make_site(name, origins, locale)
    in_store(settings, lambda store: put_site(store, site))
    return site


async def put_site(store: Store, site: Site, who: str = CLI) -> None:
    """Keep a new site, and write down who made it."""
    await store.put_site(site)
    await journal(store).write(who, "site.add", f"site {site.id}")


def list_sites(settings: Settings) -> list[Site]:
    """Return all sites."""
    return in_store(settings, lambda store: store.sites())


def set_retention(settings: Settings, embed_key: str, days: int) -> Site:
    """Set after how many days a site's texts and notes are blanked; 0 keeps them.

    A running server begins within the hour. Raises `NotFound`, `Invalid`.
    """
    if not 0 <= days <= _RETENTION_DAYS_MAX:
        raise Invalid(
            f"--days is 0 (keep everything) to {_RETENTION_DAYS_MAX}, not {days}."
        )

    async def act(store: Store) -> Site:
        def change(site: Site) -> Site:
            return msgspec.structs.replace(site, retention_days=days)

        site = await store.find_site(embed_key)
        changed = await store.change_site(site.id, change) if site else None
        if changed is None:
            raise NotFound(f"There is no site {embed_key!r}; see: kefu site list")
        data = {"retention_days": days}
        await journal(store).write(CLI, "site.retention", f"site {changed.id}", data)
        return changed

    return in_store(settings, act)


def embed_line(server_url: str, embed_key: str) -> str:
    """Return the one line that puts the widget into a page."""
    return (
        f'<script async src="{escape(server_url)}/widget.js" '
        f'data-site="{escape(embed_key)}"></script>'
    )


def check_login(login: str) -> None:
    """Refuse a login that cannot be typed everywhere. Raises `Invalid`."""
    if not _LOGIN.fullmatch(login):
        raise Invalid(
            f"The login {login!r} may have letters, digits and . _ @ + - only."
        )


def check_name(name: str) -> None:
    """Refuse a name that is empty, long or not printable. Raises `Invalid`."""
    if not name.strip() or len(name) > _NAME_CHARS_MAX or not name.isprintable():
        raise Invalid(
            f"A name has 1 to {_NAME_CHARS_MAX} printable characters, not {name!r}."
        )
