"""Settings of a site are stored as text, and read by older and newer programs."""

import msgspec

from kefu_core.site import SiteSettings


def test_settings_that_say_nothing_are_the_defaults() -> None:
    assert msgspec.json.decode(b"{}", type=SiteSettings) == SiteSettings()


def test_a_part_that_is_not_known_is_passed_over() -> None:
    text = b'{"routing": {"of_tomorrow": 1}, "moon": {}}'
    assert msgspec.json.decode(text, type=SiteSettings) == SiteSettings()


def test_all_settings_come_back_as_they_were_stored() -> None:
    text = msgspec.json.encode(SiteSettings())
    assert msgspec.json.decode(text, type=SiteSettings) == SiteSettings()
