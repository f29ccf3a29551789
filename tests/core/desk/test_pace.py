"""Buckets of participants."""

from kefu_core.desk.pace import Paces
from kefu_core.types import ParticipantId

ONE, TWO = ParticipantId("v1"), ParticipantId("v2")


def test_each_participant_has_a_burst_and_then_waits() -> None:
    now = 0.0
    paces = Paces(1.0, 2, lambda: now)
    assert [paces.take(ONE), paces.take(ONE)] == [0.0, 0.0]
    assert paces.take(ONE) == 1.0
    assert paces.take(TWO) == 0.0
    now = 1.0
    assert paces.take(ONE) == 0.0


def test_those_who_act_no_more_are_forgotten() -> None:
    now = 0.0
    paces = Paces(1.0, 2, lambda: now)
    for number in range(1_000):
        now += 0.1
        paces.take(ParticipantId(f"v{number}"))
    assert len(paces) <= 11
