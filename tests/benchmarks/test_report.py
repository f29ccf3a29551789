"""The report: all figures on one page, each nought with what it is worth."""

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from benchmarks.__main__ import main
from benchmarks.document import ReportError, load_runs, make_report
from benchmarks.judge import Fault, upper_bound

COMMAND = "python -m benchmarks "
LATENCY = {"p50": 3.5, "p95": 8.0, "p99": 20.0}
MIX = "websocket=1,longpoll=1,tcp=1"
FACTS: dict[str, Any] = {"machine": {"cores": 2}, "versions": {"python": "3.11.7"}}
NO_FAULTS = dict.fromkeys([*Fault], 0)
MESSAGES = dict(sent=300, acknowledged=300, stored=300, delivered=300)
MESSAGES |= dict(lost=0, doubled=0, reordered=0)
PART = {
    "visitors": 3,
    "messages": MESSAGES,
    "delivered_per_s": 9.9,
    "latency_ms": LATENCY,
    "acknowledged_ms": LATENCY,
    "curve_ms": [[0.0, 1.0], [0.5, 3.5], [1.0, 21.0]],
}
CHAT = FACTS | {
    "command": COMMAND + "chat --mix websocket=2,tcp=1 --rate 10",
    "messages": MESSAGES,
    "latency_ms": LATENCY,
    "by_transport": {"websocket": PART, "tcp": PART},
    "fairness": {
        "all": {
            "visitors": 6,
            "messages_median": 50,
            "p99_ms_median": 9.0,
            "p99_ms_worst": 12.0,
            "above_twice": 0,
        }
    },
    "seconds": [
        {"at_s": n, "due": 9 + n, "delivered": 9, "p50_ms": 3.0, "p99_ms": 9.0}
        for n in range(3)
    ],
    "generator_limited": "",
    "faults": NO_FAULTS,
    "details": {"pages_reported": 50, "pages_not_taken": 0},
}
CRASH = FACTS | {
    "command": COMMAND + "crash --kills 3",
    "messages": MESSAGES | {"acknowledged": 100},
    "latency_ms": LATENCY,
    "details": {"faults": NO_FAULTS | {"lost": 2}, "rounds": [{"up_s": 1.0}] * 3},
}
FAILED = FACTS | {
    "command": COMMAND + "chat --mix tcp=1 --rate 9999",
    "failed": ["Only 3 of 9999 messages a second <arrived>."],
}


def words_of(page: str) -> str:
    """Return what is read on a page."""
    page = re.sub(r"<style>.*?</style>", "", page, flags=re.S)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_each_nought_stands_beside_its_trials_and_its_bound() -> None:
    text = words_of(make_report({"talk": CHAT, "kills": CRASH}, made="today"))
    bound = f"{100 * upper_bound(300):.2g} %"
    assert bound == "0.99 %"
    assert f"lost 0 of 300 (below {bound})" in text
    assert f"talk 300 {'0 ' * 6}{bound} " in text
    # Two were lost: no bound says anything of that, and the sum tells it too.
    assert "kills 100 2 0 0 0 0 0 3 % 63 %" in text
    assert f"all together 400 2 {'0 ' * 5}0.75 % " in text
    assert "pages not taken 0 of 50 (below 5.8 %)" in text
    assert "0 of 6 (below 39 %)" in text
    assert "all: no visitor of 6 had a p99 above twice the median visitor's" in text


def test_a_run_without_figures_is_told_above_all() -> None:
    page = make_report({"talk": CHAT, "tried": FAILED}, made="today")
    text = words_of(page)
    assert "2 runs, 1 without figures" in text
    assert "Only 3 of 9999 messages a second <arrived>." in text
    assert page.index("no figures") < page.index("Was anything lost")
    assert "<arrived>" not in page


def test_a_generator_that_was_the_limit_is_told_with_its_figures() -> None:
    limited = CHAT | {"generator_limited": "it filled 0.97 of a core"}
    said = "The load generator was the limit: it filled 0.97 of a core."
    assert said in words_of(make_report({"talk": limited}, made="today"))
    assert "was the limit" not in make_report({"talk": CHAT}, made="today")


def test_a_machine_with_other_work_is_told_with_the_figures() -> None:
    for load, is_told in ((1.9, False), (7.5, True)):
        run = CHAT | {"machine": {"cores": 2, "load_1min_before": load}}
        text = words_of(make_report({"talk": run}, made="today"))
        assert ("had other work: its load was 7.5 on 2 cores" in text) is is_told


def test_a_page_needs_nothing_beside_it_and_has_pictures_for_light_and_dark() -> None:
    page = make_report({"talk": CHAT, "kills": CRASH}, made="today")
    targets = re.findall(r'(?:src|href|srcset)="([^"]{0,40})', page)
    assert targets
    assert all(to.startswith("data:image/png;base64,") for to in targets)
    assert page.count("<picture>") == page.count("(prefers-color-scheme: dark)") - 1
    assert "@import" not in page
    assert "url(" not in page


def test_whatever_a_command_measures_is_shown() -> None:
    # Commands that are not known here, and shapes of all kinds.
    odd = FACTS | {
        "command": COMMAND + "soak --hours 24",
        "slope": {"rss_mib_per_h": 0.25, "tasks": 0},
        "windows": [{"at": 1, "latency_ms": LATENCY}, {"at": 2}],
        "shares": [1, 2.5, None],
        "samples": [7] * 25,
        "is_steady": True,
        "judge": NO_FAULTS,
        "acknowledged": 20,
        "failures": ["It grew."],
        "<b>": "<script>",
    }
    page = make_report({"odd": odd}, made="today")
    text = words_of(page)
    assert f"odd 20 {'0 ' * 6}14 % " in text
    assert '<p class="bad">It grew.</p>' in page
    assert "rss mib per h 0.25" in text
    assert "3.5 / 8 / 20" in text
    assert "1, 2.5, –" in text
    assert "7, 7, and 5 more" in text
    assert "is steady yes" in text
    assert "<script>" not in page


def test_what_no_benchmark_wrote_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    for content, says in (("[1]", "not written by"), ("{", "cannot be read")):
        file.write_text(content)
        with pytest.raises(ReportError, match=says):
            load_runs([file])
        assert main(["report", str(file), "--out", str(tmp_path / "r.html")]) == 1
    assert not (tmp_path / "r.html").exists()


def test_a_report_is_made_of_what_the_commands_write(tmp_path: Path) -> None:
    """From the command line to the page; other commands are run by other tests."""
    people = ["--visitors", "3", "--agents", "1"]
    runs = {
        "mix": ["chat", "--mix", "tcp=1", *people, "--seconds", "1", "--rate", "3"],
        "visitors": ["visitors", *people, "--page-s", "0.3", "--seconds", "0.5"],
        "crash": ["crash", "--mix", MIX, "--kills", "1", "--clients", "8"],
    }
    kept = tmp_path / "kept"
    runs["crash"] += ["--rate", "10"]
    runs["crash"] += ["--keep", str(kept)]
    files = []
    for name, arguments in runs.items():
        files.append(tmp_path / f"{name}.json")
        assert main([*arguments, "--json", str(files[-1])]) == 0, name
        assert json.loads(files[-1].read_text())["command"].split()[3] == arguments[0]
    history = str(next(kept.glob("*.history.jsonl")))
    database = f"sqlite+aiosqlite:///{kept}/data/kefu.db"
    assert main(["check", history, "--db", database]) == 0
    out = tmp_path / "new" / "report.html"
    assert main(["report", *map(str, files), "--out", str(out)]) == 0
    page = out.read_text("utf-8")
    assert all(f"<h2>{name}</h2>" in page for name in runs)
    assert "no figures" not in page
