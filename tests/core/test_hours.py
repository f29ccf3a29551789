"""When a site is open: spans, nights, holidays, zones and changes of the clock."""

from datetime import datetime
from typing import Any

import msgspec
import pytest

from kefu_core.errors import Invalid
from kefu_core.hours import check_hours, find_zone, is_open, opens_at
from kefu_core.site import Holiday, Hours, Span
from kefu_core.types import UnixMs

SHANGHAI = Hours(is_on=True, zone="Asia/Shanghai")
"""Nine to six from Monday to Friday."""


def at(text: str, zone: str = "Asia/Shanghai") -> UnixMs:
    """Return a moment by a zone's clock on the wall."""
    moment = datetime.fromisoformat(text).replace(tzinfo=find_zone(zone))
    return UnixMs(int(moment.timestamp() * 1000))


@pytest.mark.parametrize(
    ("moment", "is_so"),
    [
        ("2026-01-05T08:59:59", False),
        ("2026-01-05T09:00", True),
        ("2026-01-05T17:59:59", True),
        ("2026-01-05T18:00", False),
        ("2026-01-10T12:00", False),
    ],
)
def test_a_span_begins_with_its_first_moment_and_ends_before_its_last(
    moment: str, is_so: bool
) -> None:
    assert is_open(SHANGHAI, at(moment)) is is_so


def test_without_hours_it_is_always_open() -> None:
    assert is_open(Hours(), UnixMs(0))
    assert opens_at(Hours(), UnixMs(0)) is None


def test_it_opens_next_on_the_first_day_that_has_a_span() -> None:
    assert opens_at(SHANGHAI, at("2026-01-09T18:30")) == at("2026-01-12T09:00")
    assert opens_at(SHANGHAI, at("2026-01-12T03:00")) == at("2026-01-12T09:00")


def test_a_night_goes_on_into_the_next_day() -> None:
    night = (Span(opens=22 * 60, closes=6 * 60),)
    hours = msgspec.structs.replace(SHANGHAI, week=(night, *[()] * 6))
    assert is_open(hours, at("2026-01-05T23:00"))
    assert is_open(hours, at("2026-01-06T05:59"))
    assert not is_open(hours, at("2026-01-06T06:00"))
    assert not is_open(hours, at("2026-01-05T05:00"))


def test_a_holiday_stands_for_the_day_of_the_week() -> None:
    short = Holiday(day="2026-01-06", spans=(Span(opens=600, closes=720),))
    hours = msgspec.structs.replace(
        SHANGHAI, holidays=(Holiday(day="2026-01-05", name="元旦"), short)
    )
    assert not is_open(hours, at("2026-01-05T10:00"))
    assert opens_at(hours, at("2026-01-05T10:00")) == at("2026-01-06T10:00")
    assert not is_open(hours, at("2026-01-06T12:00"))


def test_who_never_opens_says_so() -> None:
    hours = msgspec.structs.replace(SHANGHAI, week=((),) * 7)
    assert not is_open(hours, at("2026-01-05T10:00"))
    assert opens_at(hours, at("2026-01-05T10:00")) is None


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_it_opens_by_the_clock_on_the_wall_when_that_is_changed(day: str) -> None:
    all_days = ((Span(opens=540, closes=1080),),) * 7
    hours = Hours(is_on=True, zone="Europe/Berlin", week=all_days)
    assert opens_at(hours, at(f"{day}T00:30", "Europe/Berlin")) == at(
        f"{day}T09:00", "Europe/Berlin"
    )
    assert not is_open(hours, at(f"{day}T08:59", "Europe/Berlin"))


@pytest.mark.parametrize(
    "name", ["", "Asia", "Mars/Olympus", "../etc/passwd", "/etc/localtime", "a\0b"]
)
def test_a_zone_that_the_system_does_not_have_is_refused_by_name(name: str) -> None:
    with pytest.raises(Invalid, match="no time zone"):
        check_hours(Hours(is_on=True, zone=name))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"week": ()}, "seven days"),
        ({"holidays": (Holiday(day="2026-02-30"),)}, "no day 2026-02-30"),
        ({"holidays": (Holiday(day="2026-02-03"),) * 2}, "twice"),
    ],
)
def test_what_no_calendar_has_is_refused(changes: dict[str, Any], says: str) -> None:
    check_hours(SHANGHAI)
    with pytest.raises(Invalid, match=says):
        check_hours(msgspec.structs.replace(SHANGHAI, **changes))


def test_a_zone_that_is_gone_turns_nobody_away() -> None:
    gone = Hours(is_on=True, zone="Mars/Olympus")
    assert is_open(gone, UnixMs(0))
    assert opens_at(gone, UnixMs(0)) is None
