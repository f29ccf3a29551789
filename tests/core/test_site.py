"""Settings of a site are stored as text, and read by older and newer programs."""

import msgspec
import pytest

from kefu_core.site import (
    Files,
    Identity,
    Letters,
    Routing,
    SiteSettings,
    Talk,
    Translation,
    Watching,
    changed_settings,
    stored_settings,
)


def test_settings_that_say_nothing_are_the_defaults() -> None:
    assert msgspec.json.decode(b"{}", type=SiteSettings) == SiteSettings()


def test_a_part_that_is_not_known_is_passed_over() -> None:
    text = b'{"routing": {"of_tomorrow": 1}, "moon": {}}'
    assert msgspec.json.decode(text, type=SiteSettings) == SiteSettings()


def test_all_settings_come_back_as_they_were_stored() -> None:
    text = msgspec.json.encode(SiteSettings())
    assert msgspec.json.decode(text, type=SiteSettings) == SiteSettings()


def test_stored_settings_are_read() -> None:
    settings = SiteSettings(talk=Talk(greeting="您好"))
    assert stored_settings(msgspec.json.encode(settings).decode(), 1) == settings


def test_one_part_that_cannot_be_read_leaves_the_others_as_they_are(
    caplog: pytest.LogCaptureFixture,
) -> None:
    text = """{"routing": {"method": "by_stars"}, "letters": {"may_chat": false},
        "talk": {"recall_within_s": 999999}, "moon": {}}"""
    settings = SiteSettings(letters=Letters(may_chat=False))
    assert stored_settings(text, 71) == settings
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    assert "'routing' of site 71" in told[0]
    assert "by_stars" in told[0]
    assert "'talk' of site 71" in told[1]
    assert stored_settings(text, 71) == settings
    assert len(caplog.records) == 2  # Each text is told of once.


def test_a_part_that_is_set_leaves_every_other_as_it_was_written() -> None:
    text = """{"routing": {"method": "by_stars"}, "letters": {"may_chat": false},
        "moon": {"phase": 1}}"""
    was = stored_settings(text, 73)
    now = msgspec.structs.replace(was, talk=Talk(greeting="hi"), letters=Letters())
    changed = changed_settings(text, was, now)
    parts = msgspec.json.decode(changed)
    assert (parts["routing"], parts["moon"]) == ({"method": "by_stars"}, {"phase": 1})
    assert stored_settings(changed, 73) == now
    # What stands in for a part is written once the part is set to it.
    set_so = msgspec.structs.replace(was, routing=Routing())
    parts = msgspec.json.decode(changed_settings(text, was, set_so))
    assert msgspec.convert(parts["routing"], Routing) == Routing()


def test_where_nothing_can_be_read_a_change_opens_nothing() -> None:
    was = stored_settings("{", 74)
    now = msgspec.structs.replace(was, talk=Talk(greeting="hi"))
    assert stored_settings(changed_settings("{", was, now), 74) == now
    assert now.identity == Identity(is_required=True)


@pytest.mark.parametrize(
    "text",
    [
        '{"identity": 1, "files": [], "watching": null, "translation": 7}',
        "{",
        "[]",
        "7",
    ],
)
def test_what_cannot_be_read_opens_nothing_that_may_have_been_closed(text: str) -> None:
    settings = stored_settings(text, 72)
    assert settings.identity == Identity(is_required=True)
    assert settings.files == Files(visitors_may=False)
    assert settings.watching == Watching(is_on=False)
    assert settings.routing == Routing()
    assert settings.translation == Translation(is_on=False)
