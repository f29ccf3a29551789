"""The declarations that the pages are checked against."""

from pathlib import Path
from typing import get_args

from kefu_core.protocol import frames as f
from kefu_core.protocol.schema import typescript

DECLARED = Path(__file__).parents[3] / "kefu_server" / "web" / "client" / "frames.d.ts"


def test_the_pages_are_checked_against_the_frames_of_today() -> None:
    assert DECLARED.read_text("utf-8") == typescript(), (
        "run: python -m kefu_core.protocol.schema kefu_server/web/client/frames.d.ts"
    )


def test_every_frame_is_declared_with_its_name_on_the_wire() -> None:
    text = typescript()
    for frame in {*get_args(f.ClientFrame), *get_args(f.ServerFrame)}:
        assert f"export interface {frame.__name__} {{" in text
        assert f't: "{frame.__struct_config__.tag}";' in text


def test_what_may_be_left_out_is_optional() -> None:
    text = typescript()
    follow = text[text.index("interface Follow ") :].partition("}")[0]
    assert "after?: number" in follow
    assert "conversation: number" in follow
