"""What is in the database: whether anybody could work, and what has failed lately."""

import msgspec

from kefu_core.abc.archive import ConversationFilter
from kefu_core.abc.store import Store
from kefu_core.errors import KefuError
from kefu_core.model import Role
from kefu_core.node import unix_ms
from kefu_core.records import DeliveryStatus, Mail, Webhook
from kefu_core.types import UnixMs
from kefu_server.checks import Check, ok, problem, warning
from kefu_server.database import hide_url, open_store
from kefu_server.settings import Settings

_DAY_MS = 86_400_000
_LATE_MS = 600_000


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in the database."""

    checks: list[Check]
    newest_ms: int = 0
    """The time of the newest message."""
    has_visitors: bool = False


async def check_installation(settings: Settings) -> Content:
    """Open the database as a command does, and look around."""
    try:
        async with open_store(settings) as store:
            return await _look(store)
    except KefuError as error:
        why = hide_url(str(error), settings)
        return Content(checks=[problem("installation", "unopened", why=why)])


async def _look(store: Store) -> Content:
    checks: list[Check] = []
    agents = [agent for agent in await store.agents() if agent.is_active]
    sites = await store.sites()
    if not agents:
        checks.append(problem("installation", "agents"))
    elif not any(agent.role is Role.ADMIN for agent in agents):
        checks.append(warning("installation", "admins"))
    if not sites:
        checks.append(problem("installation", "sites"))
    if not checks:
        counts = {"agents": str(len(agents)), "sites": str(len(sites))}
        checks.append(ok("installation", "peopled", **counts))
    now = unix_ms()
    late = await store.late(UnixMs(now - _LATE_MS))
    waiting = sum(each.messages for each in late if each.whose is None)
    if waiting:
        checks.append(warning("queue", "waiting", messages=f"{waiting:,}"))
    since = {"created_at": now - _DAY_MS}
    failed = await store.list_records(
        Mail, where={"status": DeliveryStatus.FAILED.value}, at_least=since, limit=100
    )
    if failed:
        error = next((mail.error for mail in failed if mail.error), "?")
        checks.append(warning("mail", "failed", count=str(len(failed)), why=error))
    hooks = await store.list_records(Webhook, limit=100)
    for hook in hooks:
        if hook.is_active and hook.failing_since:
            checks.append(warning("webhook", "failing", url=_host_of(hook.url)))
    newest = await store.find_conversations(ConversationFilter(), limit=1)
    return Content(
        checks=checks,
        newest_ms=max((row.last_at for row in newest), default=0),
        has_visitors=bool(newest),
    )


def _host_of(url: str) -> str:
    """Return a URL's host alone: its path may hold a key."""
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2]
