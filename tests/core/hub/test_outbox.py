"""What waits for one peer is in order and bounded."""

from hypothesis import given
from hypothesis import strategies as st

from kefu_core.hub.outbox import Outbox
from kefu_core.limits import Limits

SMALL = Limits(
    outbox_frames_max=4, outbox_bytes_max=100, batch_frames_max=3, frame_bytes_max=50
)


def test_frames_leave_in_the_order_they_came() -> None:
    outbox = Outbox(Limits())
    for body in (b"a", b"b", b"c"):
        outbox.put(body)
    assert outbox.take() == [b"a", b"b", b"c"]
    assert outbox.take() == []


def test_there_is_no_room_beyond_so_many_frames() -> None:
    outbox = Outbox(SMALL)
    for _ in range(3):
        outbox.put(b"x")
    assert outbox.has_room
    outbox.put(b"x")
    assert not outbox.has_room


def test_there_is_no_room_beyond_so_many_bytes() -> None:
    outbox = Outbox(SMALL)
    outbox.put(b"x" * 99)
    assert outbox.has_room
    outbox.put(b"x")
    assert not outbox.has_room


def test_slots_take_room_too() -> None:
    outbox = Outbox(SMALL)
    outbox.put_latest("s", b"x" * 100)
    assert not outbox.has_room


def test_an_answer_is_kept_even_without_room() -> None:
    outbox = Outbox(SMALL)
    for _ in range(6):
        outbox.put(b"x")
    assert len(outbox) == 6


def test_a_newer_event_replaces_the_older_and_is_written_after_the_queue() -> None:
    outbox = Outbox(Limits())
    outbox.put_latest("s", b"old news")
    outbox.put_latest("t", b"other")
    outbox.put(b"message")
    outbox.put_latest("s", b"new")
    assert outbox.size_bytes == len(b"newothermessage")
    assert outbox.take() == [b"message", b"other", b"new"]
    assert outbox.size_bytes == len(outbox) == 0


def test_a_batch_holds_so_many_frames_at_most() -> None:
    outbox = Outbox(SMALL)
    for n in range(2):
        outbox.put(b"q%d" % n)
    for n in range(4):
        outbox.put_latest(n, b"s%d" % n)
    assert outbox.take() == [b"q0", b"q1", b"s0"]
    assert outbox.take() == [b"s1", b"s2", b"s3"]


def test_a_batch_and_its_line_feeds_are_no_larger_than_a_frame_may_be() -> None:
    outbox = Outbox(SMALL)
    outbox.put(b"x" * 24)
    outbox.put(b"y" * 24)
    outbox.put_latest("s", b"z")
    assert [len(b"\n".join(outbox.take())) for _ in range(2)] == [49, 1]
    outbox.put(b"x" * 24)
    outbox.put(b"y" * 25)
    assert [len(outbox.take()), len(outbox.take())] == [1, 1]


def test_a_frame_larger_than_a_batch_goes_alone() -> None:
    outbox = Outbox(SMALL)
    outbox.put(b"x" * 60)
    outbox.put(b"y")
    assert outbox.take() == [b"x" * 60]
    assert outbox.take() == [b"y"]


def test_it_is_half_empty_when_frames_and_bytes_are() -> None:
    outbox = Outbox(SMALL)
    for _ in range(2):
        outbox.put(b"x")
    assert outbox.is_half_empty
    outbox.put(b"x")
    assert not outbox.is_half_empty
    outbox.take()
    outbox.put(b"x" * 51)
    assert not outbox.is_half_empty


def test_it_is_overfull_beyond_four_times_its_bytes() -> None:
    outbox = Outbox(SMALL)
    outbox.put(b"x" * 400)
    assert not outbox.is_overfull
    outbox.put(b"x")
    assert outbox.is_overfull


def test_a_sealed_outbox_gives_what_it_holds_and_takes_nothing() -> None:
    outbox = Outbox(Limits())
    outbox.put(b"answer")
    outbox.put_latest("s", b"receipt")
    outbox.put(b"closed")
    outbox.seal()
    outbox.put(b"message")
    outbox.put_latest("s", b"receipt")
    assert not outbox.has_room
    assert outbox.take() == [b"answer", b"closed"]
    assert outbox.size_bytes == len(outbox) == 0


def test_a_cleared_outbox_is_empty() -> None:
    outbox = Outbox(Limits())
    outbox.put(b"x")
    outbox.put_latest("s", b"y")
    outbox.clear()
    assert outbox.size_bytes == len(outbox) == 0
    assert outbox.take() == []


PUT = st.tuples(st.none(), st.binary(min_size=1, max_size=70))
PUT_LATEST = st.tuples(st.integers(0, 3), st.binary(min_size=1, max_size=70))
STEPS = st.lists(st.one_of(PUT, PUT_LATEST, st.just("take"), st.just("clear")))


@given(STEPS)
def test_its_size_is_always_the_sum_of_what_would_be_taken(steps: list[object]) -> None:
    outbox = Outbox(SMALL)
    for step in steps:
        if step == "take":
            outbox.take()
        elif step == "clear":
            outbox.clear()
        else:
            assert isinstance(step, tuple)
            subject, encoded = step
            if subject is None:
                outbox.put(encoded)
            else:
                outbox.put_latest(subject, encoded)
    size, count = outbox.size_bytes, len(outbox)
    rest: list[bytes] = []
    while batch := outbox.take():
        assert len(batch) <= SMALL.batch_frames_max
        assert len(batch) == 1 or len(b"\n".join(batch)) <= SMALL.frame_bytes_max
        rest += batch
    assert (sum(map(len, rest)), len(rest)) == (size, count)
