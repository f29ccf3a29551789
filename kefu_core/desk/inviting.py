"""Which visitors a site invites by itself: rules, looked at one after the other.

Pure: what is known of a visit goes in, the rule that applies comes out, or after how
long one may apply if nothing but time goes on.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec

from kefu_core.site import InvitationRule


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What rules look at."""

    url: str
    on_page_s: float
    pages: int
    is_returning: bool


def find_rule(rules: Sequence[InvitationRule], facts: Facts) -> InvitationRule | None:
    """Return the first rule that applies."""
    for rule in rules:
        if _may_apply(rule, facts) and facts.on_page_s >= rule.after_s:
            return rule
    return None


def wait_s(rules: Sequence[InvitationRule], facts: Facts) -> float | None:
    """Return after how long on this page a rule applies; None: none for its time."""
    waits = [
        rule.after_s - facts.on_page_s
        for rule in rules
        if _may_apply(rule, facts) and rule.after_s > facts.on_page_s
    ]
    return min(waits, default=None)


def _may_apply(rule: InvitationRule, facts: Facts) -> bool:
    return (
        rule.is_on
        and facts.pages >= rule.pages
        and (facts.is_returning or not rule.only_returning)
        and (not rule.url or matches(rule.url, facts.url))
    )


def matches(pattern: str, url: str) -> bool:
    """Whether a pattern such as `/cart*` fits a page: `*` stands for anything.

    It is held against the path, and against path and query where it has a `?`. A
    pattern without `*` fits the page of just this path. Large letters are small ones.
    """
    parts = urlsplit(url)
    path = parts.path or "/"
    if "?" in pattern:
        path += f"?{parts.query}"
    head, *others = pattern.casefold().split("*")
    text = path.casefold()
    if not others:
        return text.rstrip("/") == head.rstrip("/")
    if not text.startswith(head):
        return False
    text = text[len(head) :]
    *middle, tail = others
    for part in middle:
        _, found, text = text.partition(part) if part else ("", "*", text)
        if not found:
            return False
    return text.endswith(tail)
