"""`python -m benchmarks`: load, crashes and the judge.

Exit status: 0 all is well; 1 a message was lost, doubled, out of order or otherwise
not what was promised; 2 a wrong command line.
"""

import argparse
import resource
import shlex
import signal
import sys

from benchmarks.commands import (
    chat,
    check,
    compare,
    crash,
    flat,
    idle,
    incident,
    noisy,
    profile,
    report,
    servers,
    soak,
    store,
    storm,
    visitors,
)

COMMANDS = (
    chat,
    idle,
    storm,
    visitors,
    noisy,
    servers,
    flat,
    profile,
    store,
    compare,
    crash,
    incident,
    soak,
    check,
    report,
)
"""In the order in which `--help` tells them."""


def main(arguments: list[str] | None = None) -> int:
    """Run one benchmark; return the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    raise_file_limit()
    options = _parser().parse_args(arguments)
    options.line = "python -m benchmarks " + shlex.join(arguments)
    status: int = options.run(options)
    return status


def raise_file_limit() -> int:
    """Allow as many open files as may be; processes started later inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(commands)
    return parser


def _end(number: int, frame: object) -> None:
    """Leave as by Control-C: servers that were started are stopped."""
    sys.exit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    sys.exit(main())
