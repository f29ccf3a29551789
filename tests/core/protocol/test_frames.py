"""What every frame has in common."""

from typing import get_args

import msgspec
import pytest

from kefu_core.protocol import frames as f
from tests.core.protocol.samples import CLIENT_FRAMES, SERVER_FRAMES

FRAMES = sorted(
    {*get_args(f.ClientFrame), *get_args(f.ServerFrame)}, key=lambda x: x.__name__
)


@pytest.mark.parametrize("frame", FRAMES, ids=lambda x: x.__name__)
def test_a_frame_is_frozen_tagged_and_explained(frame: type[f.Frame]) -> None:
    config = frame.__struct_config__
    assert config.frozen
    assert config.tag_field == "t"
    assert (frame.__doc__ or "").strip()


def test_no_two_frames_have_the_same_name_on_the_wire() -> None:
    tags = [frame.__struct_config__.tag for frame in FRAMES]
    assert len(set(tags)) == len(tags)


def test_a_bare_ping_costs_few_bytes() -> None:
    assert msgspec.json.encode(f.Ping()) == b'{"t":"ping"}'


@pytest.mark.parametrize(
    "sample",
    [*CLIENT_FRAMES.values(), *SERVER_FRAMES.values()],
    ids=lambda x: type(x).__name__,
)
def test_an_older_peer_ignores_what_a_newer_one_adds(sample: f.Frame) -> None:
    newer = {**msgspec.to_builtins(sample), "added_later": {"x": [1]}}
    union = f.ClientFrame if type(sample) in CLIENT_FRAMES else f.ServerFrame
    assert msgspec.convert(newer, union, strict=False) == sample
