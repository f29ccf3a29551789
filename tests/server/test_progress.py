"""The bar of long commands."""

import io

from kefu_server.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Seconds:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_pipe_gets_no_bar() -> None:
    pipe = io.StringIO()
    with Progress("messages", 10, stream=pipe) as progress:
        progress.show(10)
    assert pipe.getvalue() == ""


def test_the_bar_says_how_much_how_fast_and_how_long_still() -> None:
    clock = Seconds()
    progress = Progress("messages", 4_000, stream=Terminal(), now=clock)
    assert progress.line() == f"[{'.' * 24}]   0%  0 of 4,000 messages"
    clock.now += 10
    progress.show(1_000)
    assert progress.line() == (
        f"[{'#' * 6}{'.' * 18}]  25%  1,000 of 4,000 messages  100/s  0:30 left"
    )
    clock.now += 30
    progress.show(4_001)
    assert progress.line().startswith(f"[{'#' * 24}] 100%  4,001 of 4,000")


def test_without_a_total_only_the_count_is_shown() -> None:
    progress = Progress("lines", 0, stream=Terminal(), now=Seconds())
    progress.show(1_234)
    assert progress.line() == "1,234 lines"


def test_it_is_drawn_ten_times_a_second_at_most_and_left_with_its_last_state() -> None:
    clock, terminal = Seconds(), Terminal()
    with Progress("rows", 100, stream=terminal, now=clock) as progress:
        for done in range(101):
            progress.show(done)
            clock.now += 0.01
    drawn = terminal.getvalue()
    assert 10 <= drawn.count("\r") <= 13
    assert drawn.endswith("100 of 100 rows  99/s\x1b[K\n")
