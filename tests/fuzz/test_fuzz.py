"""Arbitrary bytes end a connection at most, and cost a bounded amount."""

import json
import os
import random
import time
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kefu_core.protocol.codec import JSON, Codec
from tests.fuzz.inputs import mutated, poison, true_inputs
from tests.fuzz.targets import TARGETS, ClientEnd, ServerEnd

SECONDS = float(os.environ.get("KEFU_FUZZ_SECONDS", "2"))
POISON = poison()
TRUE = true_inputs()

_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=8,
)
_tags = st.sampled_from(
    ["hello", "send", "follow", "message", "sent", "error", "welcome", "page"]
)
_frames = st.builds(
    lambda tag, fields: json.dumps({**fields, "t": tag}).encode(),
    _tags,
    st.dictionaries(
        st.sampled_from(
            [
                "conversation",
                "key",
                "n",
                "seq",
                "after",
                "cursors",
                "data",
                "body",
                "code",
                "retry",
                "after_s",
                "epoch",
                "resumed",
                "limits",
                "me",
                "frame",
            ]
        ),
        _values,
        max_size=8,
    ),
)
inputs = st.binary(max_size=300) | st.lists(_frames, max_size=6).map(b"\n".join)


@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes_are_answered_and_not_raised(name: str) -> None:
    @settings(
        max_examples=150,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(inputs)
    def feed(data: bytes) -> None:
        TARGETS[name](data)

    feed()


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_frames_are_answered_and_not_raised(name: str) -> None:
    seed = random.SystemRandom().getrandbits(32)
    seeds = [*TRUE, *(data for data in POISON.values() if len(data) < 5_000)]
    end_at = time.monotonic() + SECONDS
    for data in mutated(seeds, random.Random(seed)):
        try:
            TARGETS[name](data)
        except BaseException as error:
            error.add_note(f"seed {seed}, input {data[:2_000]!r}")
            raise
        if time.monotonic() > end_at:
            return


@pytest.mark.parametrize("poisoned", POISON)
def test_poison_is_harmless_to_everything(poisoned: str) -> None:
    for target in TARGETS.values():
        target(POISON[poisoned])


def test_the_corpus_is_kept() -> None:
    assert len(POISON) >= 60
    assert all(len(data) <= 200_000 for data in POISON.values())


def _growth(feed: Callable[[Codec, bytes], None], batches: list[bytes]) -> int:
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for batch in batches:
            feed(JSON, batch)
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


def _frames_about(conversation: int) -> bytes:
    about = {"conversation": conversation}
    frames = (
        {"t": "send", "key": f"k{conversation}", "n": 1, **about},
        {"t": "follow", **about},
        {"t": "ack", "seq": 1, **about},
        {"t": "typing", **about},
        {"t": "unfollow", **about},
        {"t": "watch", "topic": f"t{conversation}"},
        {"t": "error", "code": "busy", "text": "", "retry": "same", "frame": "follow"}
        | about,
        {"t": "sent", "key": f"k{conversation}", "seq": 1, "at": 1, **about},
        {"t": "head", "last_seq": 1, **about},
        {"t": "event", "topic": f"t{conversation}", "version": 1},
    )
    return b"\n".join(json.dumps(frame).encode() for frame in frames)


@pytest.mark.parametrize("end", [ServerEnd, ClientEnd])
def test_no_input_makes_a_session_grow_for_ever(end: type) -> None:
    session = end(is_live=True)
    warm_up = [_frames_about(n) for n in range(10)]
    _growth(session.feed, warm_up)
    grown = _growth(session.feed, [_frames_about(n) for n in range(100, 20_100)])
    assert grown < 1_048_576
    size = sum(len(data) for data in POISON.values())
    poisoned = _growth(session.feed, list(POISON.values()) * 3)
    assert poisoned < size


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_of_a_frames_size_takes_more_than_8_mib_at_its_height(
    name: str,
) -> None:
    inputs = {n: data for n, data in POISON.items() if len(data) <= 65_536}
    heights = {}
    for poisoned, data in inputs.items():
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            TARGETS[name](data)
            heights[poisoned] = tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()
    assert {n: height for n, height in heights.items() if height > 8 * 2**20} == {}
