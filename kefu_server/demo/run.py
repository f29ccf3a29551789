"""Builds and runs the demo: kefu on one port, the shop on the next."""

import logging
import os
import random
import secrets
import socket
from pathlib import Path

import anyio
import msgspec

from kefu_core.abc.archive import ConversationFilter
from kefu_core.abc.store import Store
from kefu_core.errors import ConfigurationError
from kefu_core.ids import IdGenerator
from kefu_core.model import Agent, Role, Site
from kefu_core.node import unix_ms
from kefu_server.accounts import embed_line, make_site
from kefu_server.database import open_store
from kefu_server.demo.seed import DemoClock, seed
from kefu_server.demo.shop import serve_shop
from kefu_server.output import say
from kefu_server.passwords import Passwords
from kefu_server.serve import open_listener, run
from kefu_server.settings import Settings

LOGIN = "demo"
AGENT_NAME = "小茶 Camellia"
SITE_NAME = "山茶小铺"
HOST = "127.0.0.1"
_PORTS_TRIED = 20


def run_demo(data_dir: Path, port: int, shop_port: int) -> None:
    """Serve the demo until it is interrupted.

    Raises:
        KefuError: It could not start; says why.
    """
    listener = _free_listener(port)
    shop_listener = _free_listener(shop_port)
    port, shop_port = (s.getsockname()[1] for s in (listener, shop_listener))
    settings = Settings(bind=f"{HOST}:{port}", data_dir=str(data_dir))
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    password = _password(data_dir / "login")
    shops = (f"http://{HOST}:{shop_port}", f"http://localhost:{shop_port}")
    site = anyio.run(_prepare, settings, password, shops)

    async def ready(running: Settings) -> None:
        say()
        say(f"  Shop (visitor)   {shops[0]}/")
        say(f"  Console (agent)  {running.origins[0]}/console")
        say(f"  Login            {LOGIN}")
        say(f"  Password         {password}")
        say(f"  Data             {data_dir}/ (kept between starts)")
        say("  Ctrl-C stops it.")
        say()

    with serve_shop(shop_listener, embed_line(settings.origins[0], site.embed_key)):
        logging.getLogger("kefu").setLevel(logging.WARNING)
        run(settings, listener, on_ready=ready)
    say("Stopped.")


def _free_listener(port: int) -> socket.socket:
    """Return a listener on this port or the next free one."""
    for candidate in range(port, port + _PORTS_TRIED):
        try:
            return open_listener(HOST, candidate)
        except ConfigurationError:
            continue
    raise ConfigurationError(
        f"The ports {port} to {port + _PORTS_TRIED - 1} of {HOST} are all taken; "
        "choose others with --port and --shop-port."
    )


def _password(path: Path) -> str:
    """Return the demo's password, made at the first start and kept."""
    if path.exists():
        return path.read_text("utf-8").strip()
    password = "-".join(secrets.token_hex(2) for _ in range(4))
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.write(password + "\n")
    return password


async def _prepare(settings: Settings, password: str, shops: tuple[str, str]) -> Site:
    """Make site, agent and history where they are missing; return the site."""
    clock = DemoClock(unix_ms())
    async with open_store(settings, now_ms=clock) as store:
        agent = await _prepare_agent(store, password)
        existing = await store.sites()
        # The port may be another one today, so the origins are set at every start.
        site = existing[0] if existing else make_site(SITE_NAME, shops, "zh-CN")
        site = msgspec.structs.replace(site, allowed_origins=shops)
        await store.put_site(site)
        if not await store.find_conversations(ConversationFilter(), limit=1):
            count = await seed(store, site, agent, clock, random.Random(7))
            say(f"Stored {count} sample conversations.")
    return site


async def _prepare_agent(store: Store, password: str) -> Agent:
    passwords = Passwords()
    agent = await store.find_agent(login=LOGIN)
    if agent and await passwords.verify(agent.password_hash, password):
        return agent
    agent = Agent(
        id=agent.id if agent else IdGenerator(unix_ms).new(),
        login=LOGIN,
        name=AGENT_NAME,
        password_hash=await passwords.hash(password),
        role=Role.ADMIN,
    )
    await store.put_agent(agent)
    return agent
