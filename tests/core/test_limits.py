"""The limits fit each other."""

import msgspec
import pytest

from kefu_core.limits import Limits

LIMITS = Limits()


@pytest.mark.parametrize("field", msgspec.structs.fields(Limits), ids=lambda f: f.name)
def test_every_limit_is_a_number_above_zero(field: msgspec.structs.FieldInfo) -> None:
    assert isinstance(field.default, (int, float))
    assert field.default > 0
    assert field.type in (int, float)


def test_an_unknown_limit_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"frame_bytes": 5}, Limits)


def test_a_message_of_full_length_fits_a_frame_in_any_script() -> None:
    longest = LIMITS.text_chars_max * 4 + LIMITS.data_bytes_max
    assert longest < LIMITS.frame_bytes_max


def test_a_full_hello_fits_a_frame() -> None:
    assert LIMITS.cursors_max * len('"9007199254740991":9007199254740991,') < (
        LIMITS.frame_bytes_max
    )


def test_a_burst_of_a_person_is_no_flood() -> None:
    assert LIMITS.visitor_messages_burst < LIMITS.frames_burst
    assert LIMITS.agent_messages_burst < LIMITS.frames_burst


def test_what_waits_for_one_peer_is_bounded_by_half_a_mebibyte() -> None:
    waiting = LIMITS.outbox_bytes_max + LIMITS.poll_retained_bytes_max
    assert waiting <= 512 * 1024


def test_times_are_nested_as_they_have_to_be() -> None:
    assert LIMITS.poll_wait_s < 30.0, "the strictest proxies cut there"
    assert LIMITS.heartbeat_s < 30.0
    assert LIMITS.poll_session_s > 2 * LIMITS.poll_wait_s
    assert LIMITS.poll_session_s > 60.0, "hidden tabs run once a minute"
    assert LIMITS.drain_s < LIMITS.stop_s
    assert LIMITS.hello_timeout_s < LIMITS.heartbeat_s
    assert LIMITS.agent_session_idle_s < LIMITS.agent_session_absolute_s
