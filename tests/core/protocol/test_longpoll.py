"""One long-poll session against a network that loses, repeats and reorders."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kefu_core.limits import Limits
from kefu_core.protocol.codec import JSON, MSGPACK
from kefu_core.protocol.longpoll import (
    REPLIES_KEPT,
    LongPollChannel,
    PollAnswer,
    PollRequest,
    Turn,
    WrongNumber,
    encode_body,
)

LIMITS = Limits(poll_retained_frames_max=5, poll_retained_bytes_max=1_000)


def frame(number: int) -> bytes:
    return b'{"n":%d}' % number


def numbers(channel: LongPollChannel) -> list[tuple[int, list[int]]]:
    return [
        (batch.n, [msgspec.json.decode(raw)["n"] for raw in batch.frames])
        for batch in channel.batches()
    ]


def test_a_batch_is_the_same_for_ever() -> None:
    channel = LongPollChannel(LIMITS)
    channel.put([frame(1), frame(2)])
    assert numbers(channel) == [(1, [1, 2])]
    channel.put([frame(3)])
    assert numbers(channel) == [(1, [1, 2]), (2, [3])]
    channel.acknowledge(1)
    assert numbers(channel) == [(2, [3])]
    channel.acknowledge(1)
    channel.acknowledge(0)
    assert numbers(channel) == [(2, [3])]


def test_what_was_never_sent_cannot_be_acknowledged() -> None:
    channel = LongPollChannel(LIMITS)
    channel.put([frame(1)])
    with pytest.raises(WrongNumber) as wrong:
        channel.acknowledge(1)
    assert wrong.value.expect == 0
    assert channel.has_pending


def test_room_is_made_by_acknowledgements_only() -> None:
    channel = LongPollChannel(LIMITS)
    channel.put([frame(n) for n in range(5)])
    assert not channel.has_room
    channel.batches()
    assert not channel.has_room
    channel.acknowledge(1)
    assert channel.has_room
    assert channel.retained_bytes == 0


def test_an_older_poll_is_stale_and_the_newest_may_be_repeated() -> None:
    channel = LongPollChannel(LIMITS)
    assert channel.poll(2, 0) is Turn.NEW
    assert channel.poll(2, 0) is Turn.NEW
    assert channel.poll(1, 0) is Turn.STALE


def test_requests_run_once_and_in_turn() -> None:
    channel = LongPollChannel(LIMITS)
    assert channel.begin(1, 0) is Turn.NEW
    assert channel.begin(1, 0) is Turn.RUNNING
    for wrong in (2, 3):
        with pytest.raises(WrongNumber) as out_of_turn:
            channel.begin(wrong, 0)
        assert out_of_turn.value.expect == 1
    channel.put([frame(1)])
    said = channel.finish(1)
    assert [batch.n for batch in said] == [1]
    channel.put([frame(2)])
    channel.batches()
    assert channel.begin(1, 0) is Turn.REPEAT
    assert channel.reply_to(1) == said, "and nothing that came later"
    channel.acknowledge(1)
    assert channel.reply_to(1) == []
    with pytest.raises(WrongNumber) as ahead:
        channel.begin(3, 0)
    assert ahead.value.expect == 2


def test_a_reply_without_batches_settles_a_request_too() -> None:
    channel = LongPollChannel(LIMITS)
    assert channel.begin(1, 0) is Turn.NEW
    channel.put([frame(1)])
    channel.settle(1)
    assert channel.has_pending
    assert channel.begin(1, 0) is Turn.REPEAT
    assert channel.begin(2, 0) is Turn.NEW


def test_only_the_last_replies_are_kept() -> None:
    channel = LongPollChannel(LIMITS)
    for rid in range(1, 6):
        assert channel.begin(rid, 0) is Turn.NEW
        channel.finish(rid)
    kept = [rid for rid in range(1, 6) if channel.begin(rid, 0) is Turn.REPEAT]
    assert kept == list(range(6 - REPLIES_KEPT, 6))
    assert channel.begin(1, 0) is Turn.STALE


@pytest.mark.parametrize("codec", [JSON, MSGPACK])
def test_bodies_hold_frames_as_they_were_encoded(codec: Any) -> None:
    decoder: Any = msgspec.json if codec.is_text else msgspec.msgpack
    raw = msgspec.Raw(decoder.encode({"t": "ping"}))
    body = encode_body(codec, PollRequest(rid=3, ack=1, frames=[raw]))
    assert decoder.decode(body) == {"rid": 3, "ack": 1, "frames": [{"t": "ping"}]}
    assert bytes(decoder.decode(body, type=PollRequest).frames[0]) == bytes(raw)
    assert decoder.decode(encode_body(codec, PollAnswer())) == {}


class Wire:
    """A client's side, and everything that is under way in both directions."""

    def __init__(self) -> None:
        self.channel = LongPollChannel(LIMITS)
        self.put = 0
        self.got: list[int] = []
        self.ack = 0
        self.polls = 0
        self.rid = 0
        self.is_waiting = False
        self.processed: list[int] = []
        self.replies: dict[int, list[int]] = {}
        self.acknowledged = 0
        """The highest acknowledgement that arrived."""
        self.requests: list[tuple[str, int, int]] = []
        self.answers: list[list[tuple[int, list[int]]]] = []

    def produce(self) -> None:
        if self.channel.has_room:
            self.put += 1
            self.channel.put([frame(self.put)])

    def poll(self) -> None:
        self.polls += 1
        self.requests.append(("poll", self.polls, self.ack))

    def say(self) -> None:
        if not self.is_waiting:
            self.rid += 1
            self.is_waiting = True
        self.requests.append(("up", self.rid, self.ack))

    def serve(self, kind: str, number: int, ack: int) -> None:
        self.acknowledged = max(self.acknowledged, ack)
        if kind == "poll":
            if self.channel.poll(number, ack) is Turn.NEW:
                self.answers.append(numbers(self.channel))
            return
        turn = self.channel.begin(number, ack)
        if turn is Turn.NEW:
            self.processed.append(number)
            self.replies[number] = [b.n for b in self.channel.finish(number)]
        if turn in (Turn.NEW, Turn.REPEAT):
            said = [batch.n for batch in self.channel.reply_to(number)]
            assert said == [n for n in self.replies[number] if n > self.acknowledged]
            self.is_waiting = self.is_waiting and number != self.rid

    def take(self, answer: list[tuple[int, list[int]]]) -> None:
        for number, frames in answer:
            if number == self.ack + 1:
                self.ack = number
                self.got += frames


@given(st.data())
def test_a_network_that_loses_repeats_and_reorders_loses_and_doubles_nothing(
    data: st.DataObject,
) -> None:
    wire = Wire()
    for _ in range(data.draw(st.integers(1, 60))):
        step = data.draw(st.sampled_from(["put", "poll", "say", "serve", "take"]))
        if step == "put":
            wire.produce()
        elif step == "poll":
            wire.poll()
        elif step == "say":
            wire.say()
        elif step == "serve" and wire.requests:
            at = data.draw(st.integers(0, len(wire.requests) - 1))
            fate = data.draw(st.sampled_from(["pass", "repeat", "lose"]))
            request = wire.requests[at]
            if fate != "repeat":
                del wire.requests[at]
            if fate != "lose":
                wire.serve(*request)
        elif step == "take" and wire.answers:
            at = data.draw(st.integers(0, len(wire.answers) - 1))
            fate = data.draw(st.sampled_from(["pass", "repeat", "lose"]))
            answer = wire.answers[at]
            if fate != "repeat":
                del wire.answers[at]
            if fate != "lose":
                wire.take(answer)
        assert wire.got == list(range(1, len(wire.got) + 1))
        assert wire.channel._frames <= LIMITS.poll_retained_frames_max
    while len(wire.got) < wire.put:
        wire.polls += 1
        wire.serve("poll", wire.polls, wire.ack)
        wire.take(wire.answers[-1])
    assert wire.got == list(range(1, wire.put + 1))
    assert wire.processed == list(range(1, len(wire.processed) + 1))
