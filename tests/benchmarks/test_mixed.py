"""`chat --mix`: every message is accounted for, or there are no figures."""

import argparse
import json
import random
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import pytest

from benchmarks import mixed
from benchmarks.__main__ import main
from benchmarks.generator import Load
from benchmarks.history import Record, Row, What, roll
from benchmarks.judge import judge
from benchmarks.mix import parse_mix, spread
from benchmarks.mixed import (
    BadRunError,
    MixedOptions,
    check_files,
    check_pace,
    limit_of,
    shortfall,
)
from benchmarks.plan import Plan
from benchmarks.result import Latency
from benchmarks.tally import (
    Way,
    by_transport,
    fairness_of,
    seconds_of,
    unaccounted,
    ways_of,
)
from benchmarks.target import Kefu
from benchmarks.texts import Speech
from kefu_core.limits import Limits

MIX = "websocket=2,longpoll=1,tcp=1"


# -- who uses what ---------------------------------------------------------------------


def test_shares_may_be_numbers_of_any_size() -> None:
    shares = {"websocket": 0.6, "longpoll": 0.3, "tcp": 0.1}
    assert parse_mix("websocket=60,longpoll=30,tcp=10") == pytest.approx(shares)
    assert parse_mix(" websocket = 0.6, longpoll=.3,tcp=.1") == pytest.approx(shares)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("carrier=1", "'carrier' is no transport; there are websocket, longpoll, tcp."),
        ("tcp=0", "tcp=0 is not above zero"),
        ("tcp=-3", "tcp=-3 is not above zero"),
        ("tcp=nan", "tcp=nan is not above zero"),
        ("tcp=inf", "tcp=inf is not above zero"),
        ("tcp=1,tcp=2", "tcp is named twice"),
        ("tcp", "tcp has no number; write tcp=60"),
        ("tcp=many", "tcp has no number"),
        ("", "'' is no transport"),
    ],
)
def test_a_mix_that_is_none_is_refused_with_a_sentence(text: str, says: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as refused:
        parse_mix(text)
    assert says in str(refused.value)


def test_a_wrong_mix_is_a_wrong_command_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["chat", "--mix", "tcp=0"])
    assert left.value.code == 2
    assert "tcp=0 is not above zero; leave out what nobody uses." in (
        " ".join(capsys.readouterr().err.split())
    )


@pytest.mark.parametrize("count", [1, 3, 10, 300])
def test_each_transport_gets_its_share_to_the_nearest_person(count: int) -> None:
    mix = parse_mix("websocket=60,longpoll=30,tcp=10")
    found = Counter(spread(mix, count))
    assert found.total() == count
    assert all(abs(found[name] - count * share) < 1 for name, share in mix.items())


# -- what became of each message -------------------------------------------------------


def a_run() -> tuple[list[Record], list[Row]]:
    """Two visitors, over WebSocket and TCP, each with two messages from one agent."""
    records, rows = [], []
    content = {"sender": "a1", "kind": "text", "body": "b"}
    for conversation, visitor in ((1, "p0v0"), (2, "p0v1")):
        rolling = ""
        for seq in (1, 2):
            at, key = 10.0 + seq, f"p0a0.{conversation}{seq}"
            told: dict[str, Any] = {"process": "p0a0", "conversation": conversation}
            invoke = {"due": at - 0.5, "sender": "a1", "body": "b"}
            records.append(Record(what=What.INVOKE, at=at, key=key, **invoke, **told))
            records.append(Record(what=What.OK, at=at + 0.1, key=key, seq=seq, **told))
            shown = {"conversation": conversation, "seq": seq, "what": What.SHOWN}
            rolling = roll(rolling, seq=seq, **content)
            shown |= content | {"rolling": rolling}
            records.append(Record(at=at + 0.15, process="p0a0", key=key, **shown))
            records.append(Record(at=at + 0.2, process=visitor, **shown))
            rows.append(
                Row(
                    conversation=conversation,
                    seq=seq,
                    key=key,
                    **content,
                )
            )
    return records, rows


def test_a_messages_time_counts_from_when_it_was_due() -> None:
    ways = ways_of(*a_run())
    # Sent half a second late, shown 0.2 s after that; the sender's display is none.
    assert [way.took_ms for way in ways] == pytest.approx([700.0] * 4)
    assert [way.sent_at - way.due for way in ways] == pytest.approx([0.5] * 4)


def test_what_is_lost_is_lost_on_the_transport_of_its_visitor() -> None:
    records, rows = a_run()
    del rows[3]
    transports = {"p0v0": "websocket", "p0v1": "tcp", "p0v2": "tcp"}
    parts = by_transport(records, rows, transports, 10.0, 12.0)
    assert {name: part.visitors for name, part in parts.items()} == {
        "websocket": 1,
        "tcp": 2,
    }
    assert parts["websocket"].messages.lost == 0
    assert parts["websocket"].messages.delivered == 2
    assert parts["tcp"].messages.lost > 0
    assert parts["tcp"].messages.stored == 1


def test_only_what_was_due_in_the_measured_seconds_is_timed() -> None:
    ways = ways_of(*a_run())
    found = seconds_of(ways, 10.0, 12.0)
    assert [(each.due, each.delivered) for each in found] == [(2, 0), (2, 2)]


def test_a_visitor_who_waits_twice_as_long_as_the_median_is_counted() -> None:
    ways = [
        Way(conversation=n, process="p", due=1.0, sent_at=1.0, shown_at=1.0 + took_s)
        for n, took_s in enumerate((0.010, 0.012, 0.011, 0.030))
    ]
    found = fairness_of(ways, 0.0, 2.0)
    assert (found.visitors, found.above_twice, found.is_met) == (4, 1, False)
    assert fairness_of(ways[:3], 0.0, 2.0).is_met


def test_a_message_that_nobody_answered_for_is_not_accounted_for() -> None:
    records, rows = a_run()
    assert unaccounted(judge(records, rows), behind=0) == []
    unanswered = [record for record in records if record.what is not What.OK]
    assert unaccounted(judge(unanswered, rows), behind=0) == [
        "4 of 4 messages were never answered."
    ]
    assert unaccounted(judge(records, rows), behind=2) == [
        "2 people had not everything at the end."
    ]
    assert unaccounted(judge([], []), behind=0) == ["Nobody said anything."]


# -- runs without figures --------------------------------------------------------------


def ways_at(late_s: float, took_s: float) -> list[Way]:
    return [
        Way(
            conversation=1,
            process="p",
            due=n / 100,
            sent_at=n / 100 + late_s,
            shown_at=n / 100 + late_s + took_s,
        )
        for n in range(1_000)
    ]


def test_a_rate_that_is_not_reached_is_said_to_be_whose_fault_it_is() -> None:
    assert shortfall(100.0, ways_at(0.0, 0.01), 0.0, 10.0) == []
    (said,) = shortfall(100.0, ways_at(3.0, 0.01), 0.0, 10.0)
    assert said.startswith("The load generator could send only 70.0 of 100 messages")
    (said,) = shortfall(100.0, ways_at(0.0, 3.0), 0.0, 10.0)
    assert said.startswith("Only 70.0 of 100 messages a second arrived")
    # A closed loop has nothing to reach.
    assert shortfall(0.0, ways_at(3.0, 3.0), 0.0, 10.0) == []


def test_a_generator_that_measures_itself_says_so() -> None:
    quick, slow = Latency(p50=0.1, p95=0.2, p99=0.3), Latency(p50=1, p95=5, p99=20)
    assert limit_of(0.5, quick, slow) == ""
    assert "0.95 of a core" in limit_of(0.95, quick, slow)
    assert "20 ms late" in limit_of(0.5, slow, slow)


def test_too_few_open_files_are_found_before_anything_begins() -> None:
    options = MixedOptions(mix={"longpoll": 0.5, "tcp": 0.5}, visitors=100, agents=10)
    check_files(options, 460)
    with pytest.raises(BadRunError, match="need some 460 open files, and the system"):
        check_files(options, 459)


def test_people_are_not_asked_to_talk_faster_than_limits_let_them() -> None:
    limits = Limits()
    few = MixedOptions(mix={"tcp": 1.0}, visitors=300, agents=5, rate=40.0)
    check_pace(few, limits)
    with pytest.raises(BadRunError, match=r"each agent 4.1; .* 0.8 and 4: ask"):
        check_pace(msgspec.structs.replace(few, rate=41.0), limits)
    with pytest.raises(BadRunError, match="each visitor would say 4 a second"):
        check_pace(msgspec.structs.replace(few, visitors=5), limits)
    check_pace(msgspec.structs.replace(few, visitors=1, rate=0.0), limits)


class Dying(Kefu):
    """A server that ends as the measured seconds begin."""

    def cpu_s(self) -> float:
        spent = super().cpu_s()
        self.kill()
        return spent


def test_a_server_that_dies_leaves_a_sentence_and_no_figures(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(mixed, "Kefu", Dying)
    file = tmp_path / "run.json"
    arguments = ["--visitors", "2", "--agents", "1", "--seconds", "1", "--rate", "3"]
    assert main(["chat", "--mix", MIX, *arguments, "--json", str(file)]) == 1
    said = json.loads(file.read_text())
    assert said.keys() == {"failed", "command", "machine", "versions"}
    assert said["failed"] == [
        "They could not talk to the end.",
        "The server had ended by then, with status -9.",
    ]
    assert "p99" not in capsys.readouterr().out


def test_the_time_of_a_message_counts_from_when_the_generator_owed_it() -> None:
    plan = Plan(
        name="p0",
        url="tcp://127.0.0.1:1",
        transport="tcp",
        visitor_tokens=["v"],
        agent_tokens=["a"],
        history="",
        addresses=["127.0.0.1"],
    )
    load = Load(plan)
    load.visitors[0].say(7, "hello", due=5.0)
    (record,) = load.history.records
    assert (record.due, load.sent_at[record.key]) == (5.0, 5.0)
    # The judge goes by what really happened.
    assert record.at > 5.0


# -- a small run -----------------------------------------------------------------------


@pytest.mark.parametrize("rate", ["6", "0"])
def test_people_talk_over_all_transports_and_nothing_is_missing(
    rate: str, tmp_path: Path
) -> None:
    file = tmp_path / "run.json"
    arguments = ["--visitors", "4", "--agents", "2", "--seconds", "2", "--rate", rate]
    assert main(["chat", "--mix", MIX, *arguments, "--json", str(file)]) == 0
    found = json.loads(file.read_text())
    assert found["loop"] == ("open" if rate != "0" else "closed")
    parts = found["by_transport"]
    visitors = {name: part["visitors"] for name, part in parts.items()}
    assert visitors == {"websocket": 2, "longpoll": 1, "tcp": 1}
    for whole, part in ((found["messages"], parts.values()),):
        sums = {key: sum(each["messages"][key] for each in part) for key in whole}
        assert sums == whole
        assert whole["sent"] == whole["acknowledged"] == whole["stored"] != 0
        assert whole["delivered"] == whole["sent"]
    # It is offered as by browsers, and refused as an installation does.
    assert found["details"]["offered_deflate_and_got_it"] == 0
    assert found["details"]["pages_not_taken"] == 0
    assert found["fairness"].keys() == {"all", *parts}


def test_texts_are_as_long_as_people_write() -> None:
    rng = random.Random(1)
    said: dict[str, list[int]] = {"zh": [], "en": []}
    for _ in range(400):
        speech = Speech(rng)
        said[speech.language] += [len(speech.next(is_agent=n % 2)) for n in range(10)]
    assert 10 < median(said["zh"]) < 25
    assert 35 < median(said["en"]) < 75
    assert max(said["zh"] + said["en"]) < 500
    assert len(said["zh"]) > len(said["en"])
