"""What a file is by its bytes, and what it may be called: pure.

A name and a media type that a client gives are claims. The name is kept, cleaned of
what deceives people or file systems; the type is what the first bytes say.
"""

import unicodedata
from urllib.parse import quote

UNKNOWN = "application/octet-stream"
HEAD_BYTES = 64
"""What `sniff` looks at."""
NAME_CHARS_MAX = 120
_ENDING_CHARS_MAX = 12

PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
PROGRAM = "application/x-program"
"""Something that a computer would run; never kept."""

_SIGNS: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"MZ", PROGRAM),
    (b"\x7fELF", PROGRAM),
    (b"\xfe\xed\xfa\xce", PROGRAM),
    (b"\xfe\xed\xfa\xcf", PROGRAM),
    (b"\xce\xfa\xed\xfe", PROGRAM),
    (b"\xcf\xfa\xed\xfe", PROGRAM),
    (b"\xca\xfe\xba\xbe", PROGRAM),
    (b"L\x00\x00\x00\x01\x14\x02\x00", PROGRAM),  # a Windows shortcut
    (b"#!", PROGRAM),
)
PROGRAM_ENDINGS = frozenset(
    {"apk", "app", "application", "bat", "chm", "cmd", "com", "cpl", "dll", "dmg"}
    | {"exe", "gadget", "hta", "inf", "iso", "jar", "js", "jse", "lnk", "msc", "msi"}
    | {"msp", "pif", "ps1", "psm1", "reg", "scf", "scr", "sh", "sys", "url", "vb"}
    | {"vbe", "vbs", "wsf", "wsh"}
)
"""Endings at which a double click runs what others wrote."""
_RESERVED = frozenset('<>:"/\\|?*')
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul"]
    + [f"{name}{number}" for name in ("com", "lpt") for number in range(1, 10)]
)


def sniff(head: bytes) -> str:
    """Return the media type that a file's first bytes show, or `UNKNOWN`.

    Only what kefu treats in a way of its own is known: text, HTML and SVG are not.
    """
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    for sign, media_type in _SIGNS:
        if head.startswith(sign):
            return media_type
    return UNKNOWN


def ending_of(name: str) -> str:
    """Return what stands after a name's last point, in small letters; may be empty."""
    _, point, ending = name.rpartition(".")
    return ending.casefold() if point else ""


def clean_name(name: str) -> str:
    """Return a name that shows what it is and that every file system takes.

    Without folders, control characters, and characters that are invisible or turn the
    direction of writing, by which `exe.gpj` looks like `jpg.exe`. At most
    `NAME_CHARS_MAX` characters, the ending kept.
    """
    name = unicodedata.normalize("NFC", name[: 4 * 1024])
    name = name.replace("\\", "/").rpartition("/")[2]
    shown = "".join(_shown(character) for character in name)
    shown = " ".join(shown.split()).strip(". ")
    if len(shown) > NAME_CHARS_MAX:
        ending = ending_of(shown)[:_ENDING_CHARS_MAX]
        suffix = f".{ending}" if ending else ""
        shown = shown[: NAME_CHARS_MAX - len(suffix)].rstrip(". ") + suffix
    if not shown:
        return "file"
    return f"_{shown}" if shown.partition(".")[0].casefold() in _DEVICES else shown


def _shown(character: str) -> str:
    category = unicodedata.category(character)
    if category in {"Zs", "Zl", "Zp"} or character in "\t\r\n":
        return " "
    if category[0] == "C" or 0xFE00 <= ord(character) <= 0xFE0F:
        return ""
    return "_" if character in _RESERVED else character


def attachment(name: str) -> str:
    """Return the value of `Content-Disposition` for a download of a clean name.

    Source: RFC 6266, with RFC 8187 for what is not ASCII.
    """
    plain = "".join(c if c.isascii() and c not in '"\\%;' else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
