"""SIGTERM under load with 500 connections, thirty times over every transport: minutes.

Run as `python -m tests.faults.stopping`; `--stops 6` does less, `--transport tcp` one
of them. Each server must end with status 0 within ten seconds, everybody who is
connected must be told to come back, polls must be answered and not cut, every send
must be answered in the end, and the judge must find nothing.
"""

import argparse
import sys

from rich.console import Console
from rich.progress import Progress

from benchmarks.crash import CrashOptions, CrashOutcome, run_crash
from benchmarks.generator import NOT_WELCOMED
from benchmarks.judge import upper_bound

STOP_MAX_S = 10.0
RETRIED = ("error: busy", "error: unavailable")
RATES = {"websocket": 300.0, "longpoll": 100.0, "tcp": 300.0}
"""Messages a second; over long poll each of them is a request for every reader."""


def problems_of(outcome: CrashOutcome, options: CrashOptions) -> list[str]:
    """Return what a run shows that must not be."""
    verdict, ends, rounds = outcome.verdict, outcome.last.closes, outcome.rounds
    found = []
    if any(each.exit_status for each in rounds):
        found.append(f"exit statuses {[each.exit_status for each in rounds]}")
    slowest = max(each.stop_s for each in rounds)
    if slowest > STOP_MAX_S:
        found.append(f"one stop took {slowest} s")
    if not verdict.passed:
        found.append(f"the judge: {verdict.faults}, {verdict.life}")
    if verdict.counts.acknowledged != verdict.counts.sent or outcome.last.behind:
        found.append(f"not all was answered: {verdict.counts}")
    # A request that meets the stop is refused for now, and asked again.
    kept = {end for end in ends if not end.startswith((NOT_WELCOMED, *RETRIED))}
    if kept != {"drain"}:
        found.append(f"connections ended otherwise: {ends}")
    told, connected = ends.get("drain", 0), options.clients * len(rounds)
    if told < connected:
        found.append(f"{told} of {connected} were told to come back")
    return found


def main() -> int:
    """Stop a server so often on each transport; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stops", type=int, default=30)
    parser.add_argument("--transport", choices=RATES)
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--rate", type=float)
    given = parser.parse_args()
    chosen = [given.transport] if given.transport else list(RATES)
    console, is_bad, stops, messages = Console(), False, 0, 0
    for transport in chosen:
        options = CrashOptions(
            kills=max(1, given.stops // len(chosen)),
            clients=given.clients,
            rate=given.rate or RATES[transport],
            signal="term",
            transport=transport,
            waits_for_all=True,
        )
        with Progress(console=console, disable=not console.is_terminal) as progress:
            outcome = run_crash(options, progress)
        stops += len(outcome.rounds)
        messages += outcome.verdict.counts.acknowledged
        slowest = max(each.stop_s for each in outcome.rounds)
        console.print(
            f"{transport}: {len(outcome.rounds)} stops, the slowest {slowest:.1f} s; "
            f"told to come back {outcome.last.closes.get('drain', 0)}; "
            f"{outcome.verdict.counts.acknowledged} messages acknowledged"
        )
        for problem in problems_of(outcome, options):
            is_bad = True
            console.print(f"  WRONG: {problem}", markup=False)
    if not is_bad:
        console.print(
            f"Nothing lost in {stops} stops (at 95 % fewer than "
            f"{upper_bound(stops):.0%} lose anything) and {messages} messages."
        )
    return int(is_bad)


if __name__ == "__main__":
    sys.exit(main())
