"""The comparison of ASGI servers runs, on each of them."""

import pytest
from rich.progress import Progress

from benchmarks.__main__ import main
from benchmarks.chat import ChatOptions
from benchmarks.servers import FIGURES, ServersOptions, medians_of, run_servers
from kefu_server.servers import SERVERS

NO_IDLE = ["idle_kib_per_connection"]


def test_each_server_has_its_turn_and_is_judged() -> None:
    chat = ChatOptions(visitors=2, agents=1, seconds=0.5, idle=0, processes=1)
    options = ServersOptions(servers=SERVERS, rounds=1, chat=chat)
    with Progress(disable=True) as progress:
        result = run_servers(options, progress)
    assert result.faults == {}
    assert list(result.servers) == list(SERVERS)
    assert all(count > 0 for count in result.messages.values())
    for figures in result.servers.values():
        assert figures.keys() == FIGURES.keys()
        assert [key for key, value in figures.items() if value is None] == NO_IDLE


def test_a_figure_is_the_median_of_those_that_there_are() -> None:
    nothing = dict.fromkeys(FIGURES)
    rounds = [nothing | {"p50": value} for value in (1.0, 9.0, 3.0)]
    assert medians_of(rounds) == nothing | {"p50": 3.0}


def test_a_server_that_there_is_not_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["servers", "--servers", "hypercorn,wsgiref"])
    assert "'wsgiref' is none of hypercorn" in capsys.readouterr().err
