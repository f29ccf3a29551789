"""Looks at one thing each, and says what was found and how to mend it.

A check is a function that returns a `Check`, never raises for what it finds, and
changes nothing that stays: it runs before anybody has agreed to anything. One that
waits for somebody else is bounded by `WAIT_S`. A new finding needs its words: `says`,
and `mend` unless it is good, in every file of `kefu_server/words`.
"""

from enum import StrEnum

import msgspec

from kefu_server.words import Words

WAIT_S = 10.0
"""How long a check waits for another machine."""


class Verdict(StrEnum):
    """How good a finding is."""

    OK = "ok"
    WARNING = "warning"
    """It works, and there is something to know."""
    PROBLEM = "problem"
    """It will not work."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What one look at one thing found."""

    subject: str
    """What was looked at, such as `port`."""
    finding: str
    """What was found, such as `taken`: with the subject, the key of its words."""
    verdict: Verdict
    facts: dict[str, str] = {}
    """What stands in the braces of the words. Never a secret."""

    @property
    def is_problem(self) -> bool:
        """Whether it will not work like this."""
        return self.verdict is Verdict.PROBLEM

    def title(self, words: Words) -> str:
        """Return what was looked at, in a word or two."""
        return words(f"check.{self.subject}.title")

    def says(self, words: Words) -> str:
        """Return what was found, in one sentence."""
        return words(f"check.{self.subject}.{self.finding}.says", **self.facts)

    def mend(self, words: Words) -> str:
        """Return what to do about it; empty where there is nothing to do."""
        key = f"check.{self.subject}.{self.finding}.mend"
        return words(key, **self.facts) if key in words else ""


def ok(subject: str, finding: str, **facts: str) -> Check:
    """Return a good finding."""
    return Check(subject=subject, finding=finding, verdict=Verdict.OK, facts=facts)


def warning(subject: str, finding: str, **facts: str) -> Check:
    """Return a finding that works, with something to know."""
    return Check(subject=subject, finding=finding, verdict=Verdict.WARNING, facts=facts)


def problem(subject: str, finding: str, **facts: str) -> Check:
    """Return a finding that will not work."""
    return Check(subject=subject, finding=finding, verdict=Verdict.PROBLEM, facts=facts)
