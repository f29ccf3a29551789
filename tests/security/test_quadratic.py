"""Texts that are made to cost much: every way that a text goes takes linear time.

Measured as time of this process's own thread, so that a busy machine counts for
nothing; what is linear takes a few milliseconds, what is quadratic seconds.
"""

import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from kefu_core import filetypes, text
from kefu_core.desk import automatic, bans, canned, inviting, offline, profiles
from kefu_core.desk.visiting import browser_of, clean_url, one_line, source_of
from kefu_core.errors import KefuError
from kefu_core.hours import find_zone
from kefu_core.model import Site
from kefu_core.origins import check_origin
from kefu_core.types import UnixMs
from kefu_core.upkeep.csv_table import safe_cell
from kefu_server import identity, logs, static, throttle
from kefu_server.middleware import _UPLOAD, TrustedProxies
from kefu_server.routes import files
from kefu_server.tokens import VisitorTokens

LONG = 32_768
"""Characters: more than any of these texts may have where limits hold."""
ALLOWED_S = 0.7
PIECES = (
    "a",
    " ",
    "0",
    "-",
    ".",
    "@",
    "/",
    "*",
    "?",
    "&",
    ";",
    "=",
    "%",
    "%25",
    "%2540",
    ",",
    "a*",
    "*a",
    "a@",
    "a.",
    "a-",
    "0-",
    "eyJ",
    "eyJa",
    "0a",
    "aA0",
    "{",
    "{a",
    "{site}",
    "(",
    "[",
    "\\",
    "\\(",
    "\n",
    "\r\n",
    "\t",
    "\u200b",
    "\u0301",
    "e\u0301",
    "\ufdfa",
    "你",
    "你a",
    "你 ",
    "👍🏽",
    "\u202e",
    "'",
    '"',
    "<",
    "<a ",
    "=1",
    "\x1b[",
    "::",
    "1:",
    "::ffff:",
    "10.0.0.1,",
    "gzip;q=0,",
    "bytes=0-1,",
    "a=b; ",
    "https://",
    "x.y.z/",
)
SITE = Site(id=1, name="{site}" * 10, embed_key="key")
QUERY = text.parse_query("aa 你你 tea")


def _request(name: str, value: str) -> Request:
    raw = value.encode("latin-1", "replace")
    return Request({"type": "http", "headers": [(name.encode(), raw)]})


def _hop(value: str) -> Any:
    proxies = TrustedProxies(None, ("10.0.0.0/8",))  # type: ignore[arg-type]
    return proxies._first_stranger([value])


def _zero() -> int:
    return 0


TOKENS = VisitorTokens(b"s" * 40, 60, _zero)
WAYS: dict[str, Callable[[str], Any]] = {
    "a rule's pattern": lambda t: inviting.matches(t, "https://x.y/" + "a" * LONG),
    "a rule's page": lambda t: inviting.matches("*a*b*a*?*c*" * 18, f"https://x.y/{t}"),
    "a rule's both": lambda t: inviting.matches(f"*{t}", f"https://x.y/{t}b"),
    "a page": lambda t: clean_url(f"https://x.y/{t}"),
    "a page's query": lambda t: clean_url(f"https://x.y/?{t}"),
    "a value": lambda t: clean_url(f"https://x.y/?a={t}"),
    "a host": lambda t: clean_url(f"https://{t}/"),
    "a source": lambda t: source_of(f"https://x.y/{t}", "https://z.y"),
    "a left page": lambda t: offline.plain_page(f"https://x.y/{t}"),
    "a title": lambda t: one_line(t, 60),
    "a browser": browser_of,
    "an address of mail": offline.check_email,
    "an address at the end": lambda t: offline.check_email(f"a@{t}"),
    "a line": lambda t: offline.check_line(t, "It"),
    "a telephone": lambda t: profiles.check_fact("phone", f"+1{t}"),
    "notes": profiles.check_notes,
    "a name of a file": filetypes.clean_name,
    "a header of a file": filetypes.attachment,
    "an ending": filetypes.ending_of,
    "a search": lambda t: text.parse_query(t),
    "words": text.terms,
    "what is searched": lambda t: text.score(t, QUERY),
    "a snippet": lambda t: text.snippet(t, QUERY),
    "a greeting": lambda t: automatic.filled(t, SITE, UnixMs(0)),
    "a shortcut": canned._SHORTCUT.fullmatch,
    "a placeholder": canned._PLACEHOLDER.findall,
    "a banned place": bans.parse_place,
    "a zone": lambda t: find_zone(t[:64]),
    "an origin": lambda t: check_origin(f"https://{t}", "origin", "x"),
    "a cell": safe_cell,
    "a line of a log": lambda t: logs.event("x", text=t, other=t) + logs.escape(t),
    "accept-encoding": lambda t: static._takes_gzip(_request("accept-encoding", t)),
    "cookies": lambda t: _request("cookie", t).cookies,
    "a range": lambda t: files._part(_request("range", t), '"x"', 10),
    "a length": lambda t: files._length(_request("content-length", t[:4_000])),
    "a path": lambda t: _UPLOAD.match(f"/api/conversations/1{t}"),
    "proxies": _hop,
    "an address": throttle.address_key,
    "a token": TOKENS.check,
    "a signed identity": lambda t: identity._of_token(t, "s" * 40, 0),
    "an id": lambda t: identity._id_of(t),
}


@pytest.mark.parametrize("way", WAYS)
def test_no_text_costs_more_than_its_length(way: str) -> None:
    for piece in PIECES:
        # Its end fits nothing, so that whatever could fit otherwise is tried.
        hostile = piece * (LONG // len(piece)) + "!"
        begun = time.thread_time()
        with suppress(KefuError, ValueError, UnicodeError):
            WAYS[way](hostile)
        assert time.thread_time() - begun < ALLOWED_S, (way, piece)


def _repeats(tree: Any, *, inside: bool = False) -> bool:
    """Whether an unbounded repeat stands within another: exponential time."""
    for operation, argument in tree:
        name = str(operation)
        parts: list[Any] = []
        if name in ("MAX_REPEAT", "MIN_REPEAT"):
            _, most, body = argument
            is_open = most == re._constants.MAXREPEAT  # type: ignore[attr-defined]
            if (is_open and inside) or _repeats(body, inside=inside or is_open):
                return True
        elif name == "SUBPATTERN":
            parts = [argument[-1]]
        elif name == "BRANCH":
            parts = argument[1]
        if any(_repeats(part, inside=inside) for part in parts):
            return True
    return False


def test_no_pattern_repeats_what_it_repeats() -> None:
    """Held for every pattern in the code, those of parameters among them."""
    parser = re._parser  # type: ignore[attr-defined]
    assert _repeats(parser.parse(r"(a+)+b"))
    found = []
    for folder in ("kefu_core", "kefu_server"):
        for path in Path(folder).rglob("*.py"):
            source = path.read_text()
            for literal in re.findall(r'(?:pattern=|compile\(\s*)r"([^"\n]*)"', source):
                found.append(literal)
                assert not _repeats(parser.parse(literal)), (path, literal)
    assert len(found) > 15
