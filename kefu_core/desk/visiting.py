"""What a page tells of a visit, taken for what it is: text of a stranger.

Addresses of pages may carry what is nobody's business: a password that a form has put
into the query, the token of a link in a mail. User, password and fragment are never
kept, and values of the query whose names say that they are secret are not either.
"""

import re
from enum import StrEnum
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

import msgspec

URL_CHARS, SHOWN_CHARS, TITLE_CHARS, SOURCE_CHARS = 500, 160, 60, 80
HIDDEN = "***"
"""Stands where a value was."""
_SECRET = re.compile(
    r"pass|pwd|secret|token|auth|session|sid\b|sess|key|code|otp|sig|hash|hmac|jwt|"
    r"credential|ticket|nonce|state|e-?mail|phone|mobile|idcard",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"eyJ[\w-]{6,}\.|[0-9a-fA-F]{32,}|[\w-]{48,}")
"""What signed tokens, digests and other long secrets look like, whatever their name."""
_BROWSERS = (
    ("micromessenger", "WeChat"),
    ("dingtalk", "DingTalk"),
    ("alipayclient", "Alipay"),
    ("edg", "Edge"),
    ("opr/", "Opera"),
    ("ucbrowser", "UC"),
    ("qqbrowser", "QQ"),
    ("samsungbrowser", "Samsung"),
    ("firefox", "Firefox"),
    ("fxios", "Firefox"),
    ("crios", "Chrome"),
    ("chrome", "Chrome"),
    ("safari", "Safari"),
)
_SYSTEMS = (
    ("harmony", "HarmonyOS"),
    ("android", "Android"),
    ("iphone", "iOS"),
    ("ipad", "iPadOS"),
    ("windows", "Windows"),
    ("mac os", "macOS"),
    ("linux", "Linux"),
)
"""The first that is named counts: most browsers name several others besides."""

Line = Annotated[str, msgspec.Meta(max_length=2_000)]
Word = Annotated[str, msgspec.Meta(max_length=40)]


INVITATION_CHARS = 300


class Answered(StrEnum):
    """What became of an invitation; the page says each of these once."""

    SENT = "sent"
    """The page has not said yet that it shows it."""
    SHOWN = "shown"
    ACCEPTED = "accepted"
    REFUSED = "refused"


class InvitationReply(msgspec.Struct, frozen=True, kw_only=True):
    """What a page says of an invitation that it was told of."""

    id: int
    state: Answered


class Invitation(msgspec.Struct, kw_only=True):
    """What a visitor is asked into the chat with."""

    id: int
    text: str
    """Empty: what the page says by itself, in its language."""
    name: str
    """Who asks, as the visitor reads it."""
    by: str
    """The agent, or the name of the site's rule."""
    state: Answered = Answered.SENT

    @property
    def is_open(self) -> bool:
        """Whether the visitor has not answered yet."""
        return self.state in (Answered.SENT, Answered.SHOWN)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a page says of itself, each time that it changes and every few seconds."""

    page: Word
    """Tells the tabs and the loadings of a page apart; chosen by the page."""
    url: Annotated[str, msgspec.Meta(max_length=4_000)]
    title: Line = ""
    referrer: Annotated[str, msgspec.Meta(max_length=4_000)] = ""
    language: Word = ""
    screen: Word = ""
    is_hidden: bool = False
    """The tab is there and not looked at."""
    has_left: bool = False
    """The page is being closed or left for another."""
    is_returning: bool = False
    """This browser was here on another day, or hours before."""
    has_refused: bool = False
    """Somebody at this browser wanted no invitation; it is never shown another."""
    invitation: InvitationReply | None = None


def one_line(text: str, chars: int) -> str:
    """Return printable characters in one line, cut to a length."""
    words = "".join(c if c.isprintable() else " " for c in text[: 4 * chars]).split()
    line = " ".join(words)
    return line if len(line) <= chars else line[: chars - 1] + "…"


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit("".join(c for c in url if c.isprintable()))
        # The port is looked at when it is asked for, and may be none.
        is_web = parts.scheme in ("http", "https") and parts.hostname
        return parts if is_web and parts.port != 0 else None
    except ValueError:
        return None


def origin_of(url: str) -> str:
    """Return the origin of a page as browsers write it, empty where it is none."""
    parts = _split(url)
    if parts is None:
        return ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}"


def clean_url(url: str) -> str:
    """Return a page's address without what nobody may keep; empty where it is none."""
    parts = _split(url)
    if parts is None:
        return ""
    query = "&".join(map(_without_secret, parts.query.split("&")[:50]))
    host = parts.netloc.rpartition("@")[2]
    whole = f"{parts.scheme}://{host}{parts.path}" + (f"?{query}" if query else "")
    return one_line(whole, URL_CHARS)


def _without_secret(pair: str) -> str:
    name, equals, value = pair.partition("=")
    if not equals:
        return HIDDEN if _TOKEN.search(name) else name
    is_secret = _SECRET.search(name) or _TOKEN.search(value) or "@" in value
    is_secret = is_secret or "%40" in value
    return f"{name}={HIDDEN}" if is_secret else pair


def source_of(referrer: str, url: str) -> str:
    """Return where a visitor came from: host and path, empty from the site itself."""
    parts = _split(referrer)
    if parts is None or origin_of(referrer) == origin_of(url):
        return ""
    host = parts.netloc.rpartition("@")[2].lower()
    return one_line(host + parts.path.rstrip("/"), SOURCE_CHARS)


def browser_of(user_agent: str) -> str:
    """Return browser and system in two words, such as `Chrome · Windows`."""
    text = user_agent[:400].lower()
    found = [
        next((name for mark, name in names if mark in text), "")
        for names in (_BROWSERS, _SYSTEMS)
    ]
    return " · ".join(filter(None, found))
