"""A profile is taken, shared out by layer, and drawn."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.progress import Progress

from benchmarks.chat import ChatOptions
from benchmarks.flame import draw
from benchmarks.layers import (
    LAYERS,
    REST,
    Frame,
    by_function,
    by_layer,
    parse_stacks,
    weigh,
)
from benchmarks.profile import ProfileOptions, run_profile

LINES = """\
thread (71): Main;run (/usr/lib/python3.11/asyncio/runners.py:118) 6
thread (71): Main;run (/x/asyncio/run.py:1);act (/w/kefu_core/hub/a.py:7) 3
thread (71): Main;run (/x/asyncio/run.py:1);act (/w/kefu_core/hub/a.py:9) 1
thread (0x48): Worker;get (/x/queue.py:5);step (/nobody/knows.py:3) 90
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
    # The system counts the threads in ticks of ten milliseconds.
    whole = result.server_cpu_us_per_message
    assert abs(sum(costs.values()) - whole) < max(1, whole / 4)
    assert costs["hub"] > 0
    told = [title.text for title in ElementTree.parse(svg).iter() if title.text]
    assert any("kefu_core/hub/connection.py" in text for text in told)


def test_a_thread_costs_what_the_system_says_however_often_it_was_seen() -> None:
    samples = parse_stacks(LINES.splitlines())
    assert samples.total() == 100
    stacks = weigh(samples, {71: 80.0, 0x48: 5.0, 99: 15.0})
    costs = {each.name: each.us for each in by_layer(stacks) if each.us}
    assert costs == {"event loop": 48.0, "hub": 32.0, REST: 20.0}
    # Lines of one function are put together.
    assert [each.name for each in by_function(stacks, 3)] == [
        "run (asyncio/runners.py)",
        "act (hub/a.py)",
        "threads that were not watched",
    ]


def test_names_of_functions_are_text_in_the_drawing() -> None:
    stacks = {(Frame("<lambda>&", "/a/b.py"),): 1.0}
    assert "&lt;lambda&gt;&amp;" in draw(stacks, "<title>")
