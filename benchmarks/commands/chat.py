"""`chat`: its options, and what it shows."""

import argparse
from pathlib import Path

import msgspec
from rich.progress import Progress

from benchmarks.chat import ChatOptions, run_chat
from benchmarks.commands.shared import (
    Commands,
    add_talk,
    add_way,
    console,
    fail,
    finish,
    show,
    talk_of,
    write,
)
from benchmarks.half import run_half
from benchmarks.mixed import BadRunError, MixedOptions, run_mixed
from benchmarks.report import show_mixed, show_verdict
from benchmarks.tally import unaccounted
from benchmarks.translated import CHOICES, run_translated


def add_parser(commands: Commands) -> None:
    """Add the command."""
    chat = commands.add_parser("chat", help="throughput, latency, cost of a message")
    add_way(chat, mix="visitors behave like people and connect in these proportions")
    add_talk(chat)
    chat.add_argument(
        "--half",
        action="store_true",
        help="with --mix: find saturation, then measure at half of it, for as long as "
        "each visitor's p99 needs",
    )
    chat.add_argument("--idle", type=int, default=500, help="idle connections, 0: none")
    chat.add_argument(
        "--translation",
        choices=CHOICES,
        help="latency with and without a service that answers at once, takes 2 s or "
        "fails, by turns in one run; --rate is then 50 where none is given",
    )
    chat.add_argument("--profile", default="", help="file for py-spy's raw stacks")
    chat.add_argument("--json", type=Path, metavar="FILE")
    chat.set_defaults(run=_chat)


def _chat(options: argparse.Namespace) -> int:
    if options.mix:
        return _mixed(options)
    if options.half:
        console.print("--half goes with --mix.")
        return 2
    chat = ChatOptions(
        transport=options.transport,
        idle=options.idle,
        profile=options.profile,
        **talk_of(options),
    )
    if options.translation:
        with Progress(console=console) as progress:
            found, verdict = run_translated(chat, options.translation, progress)
        show_verdict(console, verdict)
        return show(found, options.json, passed=verdict.passed)
    with Progress(console=console) as progress:
        result, verdict = run_chat(chat, progress)
    behind = result.details["behind_at_the_end"]
    assert isinstance(behind, int), "so many people"
    if missing := unaccounted(verdict, behind=behind):
        show_verdict(console, verdict)
        return fail(missing, options)
    return finish(result, verdict, options.json)


def _mixed(options: argparse.Namespace) -> int:
    if options.translation or options.profile:
        console.print("--mix goes with neither --translation nor --profile.")
        return 2
    if options.half and options.rate:
        console.print("--half finds its rate itself.")
        return 2
    mixed = MixedOptions(mix=options.mix, **talk_of(options))
    try:
        half = None
        with Progress(console=console) as progress:
            if options.half:
                result, half, verdict = run_half(mixed, progress)
            else:
                result, verdict = run_mixed(mixed, progress)
    except BadRunError as bad:
        if bad.verdict is not None:
            show_verdict(console, bad.verdict)
        return fail(bad.reasons, options)
    show_mixed(console, result)
    show_verdict(console, verdict)
    found = msgspec.to_builtins(result)
    if half is not None:
        found["half"] = msgspec.to_builtins(half)
        for key, value in found["half"].items():
            console.print(f"{key:>32}  {value}", markup=False)
    write(found, options.json)
    return 0
