"""What a page tells of a visit, taken for what it is: text of a stranger.

Addresses of pages may carry what is nobody's business: a password that a form has put
into the query, the token of a link in a mail. User, password and fragment are never
kept, and neither are parts of the query and of the path whose names, or looks, say that
they are secret or somebody's own. They are read as a page's server would, decoded.
"""

import re
from enum import StrEnum
from typing import Annotated
from urllib.parse import SplitResult, unquote_plus, urlsplit

import msgspec

from kefu_core.types import ParticipantId, UnixMs

URL_CHARS, SHOWN_CHARS, TITLE_CHARS, SOURCE_CHARS = 500, 160, 60, 80
HIDDEN = "***"
"""Stands where a value was."""
_SECRET = re.compile(
    r"pass|pwd|secret|token|auth|session|sid\b|sess|key(?!word)|code|otp|sig|hash|hmac|"
    r"jwt|credential|ticket|nonce|state|e-?mail|phone|mobile|idcard|\bpin\b|\btel|"
    r"name|user|login|account|card|cvv|iban|\bssn|birth|\bdob|address|verif|confirm|"
    r"invit|magic|密码|口令|验证码|手机|电话|邮箱|姓名|身份证|地址",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"eyJ[\w-]{6}|[0-9a-fA-F]{32}")
"""What signed tokens and digests look like, whatever their name."""
_LONG = re.compile(r"[\w-]{48,}")
"""In a path it may be a headline, in a query it is a secret."""
_MIXED = re.compile(r"[A-Za-z0-9_]{24,}")
"""A secret where it has digits, small and large letters."""
_OWN = re.compile(r"[^/@]@[^/@]|(?<!\d)(?:1[3-9]\d{9}|\d{17}[\dXx])(?!\d)")
"""Addresses of e-mail, and the numbers of Chinese mobiles and identity cards."""
_BEFORE_SECRET = re.compile(
    r"(?:pass(?:word)?-?)?reset(?:-?pass\w*)?|verif\w*|confirm\w*|activat\w*|magic\w*|"
    r"token|invit\w*|unsubscribe",
    re.IGNORECASE,
)
"""The part of a path after which the token of a mail's link stands."""
_DECODED = 3
"""So often addresses within addresses are decoded."""
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
    agent: ParticipantId | None = None
    """Whose words these are; None: a rule's."""
    state: Answered = Answered.SENT

    @property
    def is_open(self) -> bool:
        """Whether the visitor has not answered yet."""
        return self.state in (Answered.SENT, Answered.SHOWN)


class QuotedWord(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent invited a visitor with: what their conversation may begin with.

    A page shows it again, signed, to a node that knows nothing of the visit.
    """

    visitor: int
    site_id: int
    since: UnixMs
    """When the visit began: numbers of invitations begin anew with the server."""
    id: int
    agent: ParticipantId
    text: str

    @property
    def key(self) -> str:
        """The line's own key: from whichever node it comes, it is written once."""
        return f"auto-invitation-{self.since}-{self.id}"


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
    pairs = re.split("[&;]", parts.query, maxsplit=50)[:50]
    query = "&".join(map(_without_secret, pairs))
    host = parts.netloc.rpartition("@")[2]
    path = clean_path(parts.path)
    whole = f"{parts.scheme}://{host}{path}" + (f"?{query}" if query else "")
    return one_line(whole, URL_CHARS)


def clean_path(path: str) -> str:
    """Return the path of an address without what nobody may keep."""
    kept: list[str] = []
    is_secret = False
    for part in path.split("/"):
        name, *parameters = part.split(";")
        text = _decoded(name)
        shown = HIDDEN if text and (is_secret or _is_secret(text)) else name
        kept.append(";".join([shown, *map(_without_secret, parameters)]))
        is_secret = is_secret or _BEFORE_SECRET.fullmatch(text) is not None
    return "/".join(kept)


def _without_secret(pair: str) -> str:
    name, equals, value = pair.partition("=")
    what, text = _decoded(name), _decoded(value)
    # An address within an address has a query of its own.
    is_named = bool(equals) and _SECRET.search(what) is not None
    is_inside = "=" in text and _SECRET.search(text) is not None
    if is_named or is_inside or _is_secret(text) or _LONG.search(text):
        return f"{name}={HIDDEN}"
    return HIDDEN if _is_secret(what) or _LONG.search(what) else pair


def _decoded(text: str) -> str:
    for _ in range(_DECODED):
        text = unquote_plus(text)
    return text


def _is_secret(text: str) -> bool:
    return bool(_TOKEN.search(text) or _OWN.search(text)) or any(
        any(map(str.isdigit, each))
        and any(map(str.islower, each))
        and any(map(str.isupper, each))
        for each in _MIXED.findall(text)
    )


def source_of(referrer: str, url: str) -> str:
    """Return where a visitor came from: host and path, empty from the site itself."""
    parts = _split(referrer)
    if parts is None or origin_of(referrer) == origin_of(url):
        return ""
    host = parts.netloc.rpartition("@")[2].lower()
    return one_line(host + clean_path(parts.path).rstrip("/"), SOURCE_CHARS)


def browser_of(user_agent: str) -> str:
    """Return browser and system in two words, such as `Chrome · Windows`."""
    text = user_agent[:400].lower()
    found = [
        next((name for mark, name in names if mark in text), "")
        for names in (_BROWSERS, _SYSTEMS)
    ]
    return " · ".join(filter(None, found))
