"""Who was cut off for flooding is remembered for a minute, and not too many of them."""

from kefu_core.hub.floods import FORGIVEN_S, Floods
from kefu_core.types import ParticipantId


def test_it_is_forgotten_after_a_minute_and_begins_anew_with_each_flood() -> None:
    now = 0.0
    floods = Floods(lambda: now)
    one, two = ParticipantId("v1"), ParticipantId("v2")
    assert not floods.is_noted(one)
    floods.note(one)
    now = FORGIVEN_S - 1
    floods.note(two)
    floods.note(one)
    now = FORGIVEN_S + 1
    assert floods.is_noted(one)
    now = 2 * FORGIVEN_S
    assert not floods.is_noted(one)
    floods.note(one)
    assert list(floods._until) == [one]


def test_many_of_them_take_no_more_memory() -> None:
    floods = Floods(lambda: 0.0)
    for number in range(12_000):
        floods.note(ParticipantId(f"v{number}"))
    assert len(floods._until) == 10_000
    assert floods.is_noted(ParticipantId("v11999"))
    assert not floods.is_noted(ParticipantId("v1999"))
