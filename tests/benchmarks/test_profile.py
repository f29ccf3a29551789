"""A profile is taken, shared out by layer, and drawn."""

from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.progress import Progress

from benchmarks.chat import ChatOptions
from benchmarks.flame import draw
from benchmarks.layers import LAYERS, REST, Frame, by_function, by_layer, parse_stacks
from benchmarks.profile import ProfileOptions, run_profile

LINES = """\
thread (0x7F): "Main";run (/usr/lib/python3.11/asyncio/runners.py:118) 3
thread (0x7F): "Main";run (/x/asyncio/run.py:1);act (/w/kefu_core/hub/a.py:7) 4
thread (0x7F): "Main";run (/x/asyncio/run.py:1);act (/w/kefu_core/hub/a.py:9) 1
decode (/w/kefu_core/protocol/codec.py:5) 2
receive (/w/kefu_core/protocol/server.py:5);<module> (/nobody/knows.py:3) 10
"""


@pytest.mark.parametrize("profiler", ["py-spy", "cProfile"])
def test_a_talk_is_profiled_judged_and_drawn(profiler: str, tmp_path: Path) -> None:
    svg = tmp_path / "flame.svg"
    chat = ChatOptions(visitors=2, agents=1, seconds=1.0, processes=1)
    options = ProfileOptions(chat=chat, profiler=profiler, flame=str(svg))
    with Progress(disable=True) as progress:
        result, verdict = run_profile(options, progress)
    assert verdict.passed
    assert result.samples > 10
    costs = {each.name: each.us for each in result.layers}
    assert costs.keys() == {*LAYERS, REST}
    assert abs(sum(costs.values()) - result.server_cpu_us_per_message) < 1
    assert costs["hub"] > 0
    told = [title.text for title in ElementTree.parse(svg).iter() if title.text]
    assert any("kefu_core/hub/connection.py" in text for text in told)


def test_a_layer_costs_what_its_own_functions_cost() -> None:
    stacks = parse_stacks(LINES.splitlines())
    assert stacks.total() == 20
    costs = {each.name: each.us for each in by_layer(stacks, 100.0) if each.us}
    assert costs == {REST: 50.0, "hub": 25.0, "event loop": 15.0, "codec": 10.0}
    dearest, hub, *_ = by_function(stacks, 100.0, 3)
    assert (dearest.name, dearest.us) == ("<module> (nobody/knows.py)", 50.0)
    # Lines of one function are put together.
    assert (hub.name, hub.share) == ("act (hub/a.py)", 0.25)


def test_names_of_functions_are_text_in_the_drawing() -> None:
    stacks = Counter({(Frame("<lambda>&", "/a/b.py"),): 1})
    assert "&lt;lambda&gt;&amp;" in draw(stacks, "<title>", 1.0)
