"""Runs seeds: `python -m kefu_core.testing.sim --seeds 0-499 --jobs 2`."""

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence

from kefu_core.testing.sim.chance import POINTS
from kefu_core.testing.sim.run import Report, run_seed

_COMMAND = "python -m kefu_core.testing.sim"
_PROGRESS_S = 10.0
_Z_RULE = 3.0
"""None in N runs excludes more than 3/N at 95 % (the rule of three)."""


def say(line: str) -> None:
    """Write a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog=_COMMAND, description=__doc__)
    parser.add_argument("--seeds", default="0-499", help="first-last, or one")
    parser.add_argument("--seed", type=int, help="run one seed")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--trace", action="store_true", help="show what happened")
    parser.add_argument("--points", action="store_true", help="list the fault points")
    return parser.parse_args(arguments)


def show(seed: int, *, trace: bool) -> int:
    """Run one seed and say what it did."""
    report = run_seed(seed, keeps_trace=trace)
    for line in report.trace:
        say(line)
    for violation in report.violations:
        say(f"BROKEN {violation}")
    say(
        f"seed {seed}: {report.messages} messages, {report.seconds:.0f} s simulated, "
        f"trace {report.hash}, {len(report.violations)} broken promises"
    )
    return 1 if report.violations else 0


def run_many(seeds: range, jobs: int) -> int:
    """Run seeds and say what they exclude."""
    started = said_at = time.monotonic()
    failed: list[int] = []
    fired: Counter[str] = Counter()
    count = messages = 0
    for report in reports(seeds, jobs):
        count += 1
        messages += report.messages
        fired.update(report.fired.keys())
        if report.violations:
            failed.append(report.seed)
            say(f"seed {report.seed}: {report.violations[0]}")
            say(f"  replay: {_COMMAND} --seed {report.seed} --trace")
        if time.monotonic() - said_at > _PROGRESS_S:
            said_at = time.monotonic()
            rate = count / (said_at - started)
            say(f"{count}/{len(seeds)} seeds, {len(failed)} failed, {rate:.1f}/s")
    seconds = time.monotonic() - started
    rare = [name for name in POINTS if fired[name] < count / 100]
    if rare:
        say(f"fired in less than 1 % of the seeds: {', '.join(rare)}")
    say(
        f"{count} seeds ({seeds[0]}-{seeds[-1]}), {messages} messages, "
        f"{seconds:.0f} s, {count / seconds:.1f} seeds/s, {len(failed)} failed"
    )
    if failed:
        say(f"failing seeds: {' '.join(map(str, failed))}")
        return 1
    bound = min(1.0, _Z_RULE / count)
    say(
        f"none of {count} failed: at 95 % fewer than {bound:.4%} of such "
        "runs do (rule of three)"
    )
    return 0


def reports(seeds: range, jobs: int) -> Iterable[Report]:
    """Yield the report of each seed, in no order when there are several jobs."""
    if jobs < 2:
        yield from map(run_seed, seeds)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(jobs, maxtasksperchild=500) as pool:
        yield from pool.imap_unordered(run_seed, seeds, chunksize=5)


def main() -> int:
    """Run the command."""
    options = parse()
    if options.points:
        for name, what in POINTS.items():
            say(f"{name:24}{what}")
        return 0
    if options.seed is not None:
        return show(options.seed, trace=options.trace)
    first, _, last = options.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    return run_many(seeds, options.jobs)


if __name__ == "__main__":
    sys.exit(main())
