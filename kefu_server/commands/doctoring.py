"""`kefu doctor`: what an expert would look at, and what to do about it.

Exit status: 0 all is well; 1 there are problems; 3 there are notes only, where
`--strict` asks for it.
"""

import argparse
from collections import Counter

import anyio
import msgspec

from kefu_server.checks import Check, Verdict
from kefu_server.commands.parsing import Commands, add_command
from kefu_server.logs import escape
from kefu_server.output import say
from kefu_server.settings import Settings
from kefu_server.words import Words, language_of, languages, load_words

NOTES = 3
_MARKS = {Verdict.OK: "+", Verdict.WARNING: "!", Verdict.PROBLEM: "x"}
_POLL_S = 27.0
"""A little longer than a poll waits."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A finding as programs read it."""

    subject: str
    finding: str
    verdict: Verdict
    says: str
    mend: str
    facts: dict[str, str]


def add_doctoring(commands: Commands) -> None:
    """Add `kefu doctor`."""
    parser = add_command(
        commands,
        "doctor",
        _doctor,
        "look at everything around a server, and say what is wrong and how to mend it",
    )
    # What is wrong with the settings is one of the findings.
    parser.set_defaults(reads_settings=False)
    parser.add_argument(
        "--offline",
        action="store_true",
        help="look at this machine and its database only: no mail server, no bucket, "
        "no public_url",
    )
    parser.add_argument(
        "--poll",
        action="store_true",
        help=f"also have an answer wait {_POLL_S:.0f} s behind the proxy, as long poll "
        "does",
    )
    parser.add_argument(
        "--strict", action="store_true", help=f"status {NOTES} for notes too"
    )
    parser.add_argument(
        "--json", action="store_true", help="write one JSON object, for programs"
    )
    parser.add_argument("--language", choices=languages(), help="of what is said")


def _doctor(options: argparse.Namespace, settings: Settings) -> int:
    # Other commands need not wait for all that this one looks with.
    from kefu_server.checks.everything import Options, check_settings, examine

    words = load_words(options.language or language_of())
    checks: list[Check] = []

    def told(check: Check) -> None:
        checks.append(check)
        if not options.json:
            _tell(check, words)

    check, read = check_settings(options.config)
    told(check)
    if read is not None:
        wait_s = _POLL_S if options.poll else 0.0
        wanted = Options(is_offline=options.offline, poll_wait_s=wait_s)
        anyio.run(examine, read, wanted, told)
    counts = Counter(check.verdict for check in checks)
    if options.json:
        say(
            msgspec.json.encode(
                {"checks": [_for_programs(c, words) for c in checks]}
            ).decode()
        )
    else:
        say()
        say(
            words(
                "doctor.summary",
                problems=counts[Verdict.PROBLEM],
                notes=counts[Verdict.WARNING],
                good=counts[Verdict.OK],
            )
        )
    if counts[Verdict.PROBLEM]:
        return 1
    return NOTES if options.strict and counts[Verdict.WARNING] else 0


def _tell(check: Check, words: Words) -> None:
    says = escape(check.says(words))
    say(f"{_MARKS[check.verdict]} {check.title(words)}: {says}")
    if mend := check.mend(words):
        say(f"    {escape(mend)}")


def _for_programs(check: Check, words: Words) -> Told:
    return Told(
        subject=check.subject,
        finding=check.finding,
        verdict=check.verdict,
        says=check.says(words),
        mend=check.mend(words),
        facts=check.facts,
    )
