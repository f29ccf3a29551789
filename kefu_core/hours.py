"""When a site is open: its week, its holidays and its time zone. Pure but for zones.

Zones are those of the system. A day's spans are minutes on the wall; one that closes no
later than it opens goes on into the next day. What is asked about is a moment, so days
with a change of the clock are as long as they are.
"""

import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from kefu_core.errors import Invalid
from kefu_core.site import DAY_MINUTES, Hours, Span
from kefu_core.types import UnixMs

logger = logging.getLogger(__name__)

LOOKS_AHEAD_DAYS = 400
"""A site that does not open for longer than that does not open."""


def find_zone(name: str) -> ZoneInfo:
    """Return a time zone of the system. Raises `Invalid` for what is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise Invalid(
            f"This server has no time zone {name[:64]!r}; "
            "names are such as Asia/Shanghai or Europe/Berlin."
        ) from None


def zone_of(hours: Hours) -> tzinfo:
    """Return the time zone of a site's days; UTC where it has none."""
    if not hours.zone:
        return UTC
    try:
        return find_zone(hours.zone)
    except Invalid:
        return UTC


def day_number(at: UnixMs, zone: tzinfo) -> int:
    """Return the day of a moment in a zone, as records have it: 20260131."""
    local = datetime.fromtimestamp(at / 1000, zone)
    return local.year * 10_000 + local.month * 100 + local.day


def check_hours(hours: Hours) -> None:
    """Refuse what no calendar has. Raises `Invalid`, and says what to put right."""
    if hours.is_on or hours.zone:
        find_zone(hours.zone)
    if len(hours.week) != 7:
        raise Invalid("A week has seven days, Monday first.")
    days = [holiday.day for holiday in hours.holidays]
    for day in days:
        try:
            date.fromisoformat(day)
        except ValueError:
            raise Invalid(f"There is no day {day}.") from None
    if len(set(days)) != len(days):
        raise Invalid("A holiday stands there twice.")


def is_open(hours: Hours, at: UnixMs) -> bool:
    """Whether a moment is within the hours; always, where there are none.

    A zone that this server has no more counts as open: nobody is turned away by it.
    """
    zone = _zone(hours)
    if zone is None:
        return True
    today = _day(at, zone)
    days = (today - timedelta(days=1), today)
    return any(begin <= at < end for day in days for begin, end in _spans(hours, day))


def opens_at(hours: Hours, at: UnixMs) -> UnixMs | None:
    """Return when it opens next after a moment outside the hours; None for never."""
    zone = _zone(hours)
    if zone is None:
        return None
    today = _day(at, zone)
    for ahead in range(LOOKS_AHEAD_DAYS):
        begins = [begin for begin, _ in _spans(hours, today + timedelta(days=ahead))]
        later = [begin for begin in begins if begin > at]
        if later:
            return min(later)
    return None


def _zone(hours: Hours) -> ZoneInfo | None:
    if not hours.is_on:
        return None
    try:
        return find_zone(hours.zone)
    except Invalid as error:
        logger.warning("the hours of a site do not count: %s", error)
        return None


def _day(at: UnixMs, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(at / 1000, zone).date()


def _spans(hours: Hours, day: date) -> Iterator[tuple[UnixMs, UnixMs]]:
    """Yield a day's spans as moments."""
    special = [each for each in hours.holidays if each.day == day.isoformat()]
    for span in special[0].spans if special else hours.week[day.weekday()]:
        yield _moment(hours, day, span.opens), _moment(hours, day, _closing(span))


def _closing(span: Span) -> int:
    return span.closes + (DAY_MINUTES if span.closes <= span.opens else 0)


def _moment(hours: Hours, day: date, minutes: int) -> UnixMs:
    wall = datetime.combine(day, time()) + timedelta(minutes=minutes)
    moment = wall.replace(tzinfo=ZoneInfo(hours.zone)).astimezone(UTC)
    return UnixMs(int(moment.timestamp() * 1000))
