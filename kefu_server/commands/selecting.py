"""Which conversations a command is about: the same words for every command."""

import argparse
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from kefu_core.abc.archive import ConversationFilter
from kefu_core.abc.store import Store
from kefu_core.errors import KefuError, NotFound
from kefu_core.ids import agent_participant
from kefu_core.model import ConversationStatus
from kefu_core.types import ParticipantId, UnixMs


def add_filter(parser: argparse.ArgumentParser) -> None:
    """Add the filters."""
    parser.add_argument("--site", metavar="EMBED_KEY", help="see: kefu site list")
    parser.add_argument("--agent", metavar="LOGIN", help="assigned to this agent")
    parser.add_argument("--visitor", metavar="ID", help="of this visitor, such as v12")
    parser.add_argument("--status", choices=[str(s) for s in ConversationStatus])
    parser.add_argument("--label", metavar="TEXT", help="that have this label")
    parser.add_argument(
        "--from",
        dest="active_from",
        metavar="DATE",
        help="last active on this day or later: 2026-11-25 or 2026-11-25T08:30",
    )
    parser.add_argument(
        "--before",
        dest="active_before",
        metavar="DATE",
        help="last active before this day",
    )


def add_zone(parser: argparse.ArgumentParser) -> None:
    """Add the zone of dates and times."""
    parser.add_argument(
        "--zone",
        metavar="ZONE",
        help="of all dates and times, such as Asia/Shanghai (default: this machine's)",
    )


def read_zone(name: str | None) -> tzinfo | None:
    """Return the zone of a name; None for this machine's. Raises `KefuError`."""
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:
        raise KefuError(
            f"There is no time zone {name!r}; write for example Asia/Shanghai."
        ) from error


async def read_filter(
    store: Store, options: argparse.Namespace, zone: tzinfo | None
) -> ConversationFilter:
    """Return the filter of a command line.

    Raises:
        NotFound: There is no such site or agent; says where to look.
        KefuError: A date or an id cannot be read.
    """
    visitors = None
    if options.visitor is not None:
        visitors = await store.numbers_of(read_visitor(options.visitor))
    return ConversationFilter(
        site_id=await _site_id(store, options.site),
        assignee=await _assignee(store, options.agent),
        visitors=visitors,
        status=None if options.status is None else ConversationStatus(options.status),
        label=options.label,
        active_from=_moment(options.active_from, zone),
        active_before=_moment(options.active_before, zone),
    )


def read_visitor(text: str) -> ParticipantId:
    """Return the visitor that somebody typed. Raises `KefuError`."""
    number = text.removeprefix("v")
    if not (number.isascii() and number.isdecimal()):
        raise KefuError(f"{text!r} is not a visitor; write its id, such as v12.")
    return ParticipantId(f"v{int(number)}")


async def _site_id(store: Store, embed_key: str | None) -> int | None:
    if embed_key is None:
        return None
    site = await store.find_site(embed_key)
    if site is None:
        raise NotFound(f"There is no site {embed_key!r}; see: kefu site list")
    return site.id


async def _assignee(store: Store, login: str | None) -> ParticipantId | None:
    if login is None:
        return None
    agent = await store.find_agent(login=login)
    if agent is None:
        raise NotFound(
            f"There is no agent with the login {login}; see: kefu agent list"
        )
    return agent_participant(agent.id)


def _moment(text: str | None, zone: tzinfo | None) -> UnixMs | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone) if zone else moment.astimezone()
        return UnixMs(int(moment.astimezone(UTC).timestamp() * 1000))
    except (ValueError, OverflowError, OSError) as error:
        raise KefuError(
            f"{text!r} is not a date; write 2026-11-25 or 2026-11-25T08:30."
        ) from error
