"""Languages as browsers name them, and texts that are the same in all of them. Pure.

Tags are BCP 47: `pt-BR`, `zh-Hant-HK`. What two people need to understand each other is
the language, and of one that is written in two scripts the script.
"""

import re
import string
from collections.abc import Iterable
from hashlib import sha256

TAG_MAX = 35
"""What RFC 5646 advises to hold."""
_TAG = re.compile(r"[a-zA-Z]{2,3}(-[a-zA-Z0-9]{1,8})*\Z", re.ASCII)
_NEWER = {
    "iw": "he",
    "in": "id",
    "ji": "yi",
    "jw": "jv",
    "mo": "ro",
    "tl": "fil",
    "nb": "no",
    "nn": "no",
    "cmn": "zh",
    "yue": "zh-Hant",
}
"""Codes that have another name, or that whoever reads the other one reads as well."""
_TRADITIONAL = {"TW", "HK", "MO"}
_SCRIPTS = {"zh": "Hans", "sr": "Cyrl", "mn": "Cyrl", "uz": "Latn", "az": "Latn"}
"""What those are written in that two scripts are usual for, if nothing is said."""

_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_LATIN = string.ascii_letters + string.digits
_LOCAL, _DOMAIN = _LATIN + "!#$%&'*+/=?^_{|}~.-", _LATIN + ".-"
"""What stands before and behind the `@` of an address."""


def normal_tag(tag: str) -> str:
    """Return a tag in the usual letters, `zh-Hant-HK`; nothing for what is none."""
    tag = tag.strip().replace("_", "-")
    if len(tag) > TAG_MAX or not _TAG.match(tag):
        return ""
    language, *rest = tag.split("-")
    return "-".join([language.lower(), *map(_subtag, rest)])


def _subtag(text: str) -> str:
    if len(text) == 4 and text.isalpha():
        return text.title()
    return text.upper() if len(text) == 2 else text.lower()


def language_of(tag: str) -> str:
    """Return what two tags share whose speakers read each other: `pt`, `zh-Hant`.

    Nothing for what is no tag.
    """
    language, *rest = normal_tag(tag).split("-")
    language, _, script = _NEWER.get(language, language).partition("-")
    for each in rest:
        if len(each) == 4 and each.isalpha():
            script = each
    if language not in _SCRIPTS:
        return language
    if not script and language == "zh" and _TRADITIONAL & set(rest):
        script = "Hant"
    return f"{language}-{script or _SCRIPTS[language]}"


def are_same(one: str, other: str) -> bool:
    """Whether nothing has to be translated between two tags; no tag is like none."""
    return bool(language_of(one)) and language_of(one) == language_of(other)


def nearest(wanted: str, tags: Iterable[str]) -> str:
    """Return the tag that whoever wants one reads best; nothing where none is read."""
    wanted, some = normal_tag(wanted), [*tags]
    if wanted in some:
        return wanted
    return next((tag for tag in some if are_same(wanted, tag)), "")


def text_key(*texts: str) -> str:
    """Return what one text, or several in their order, are found by: SHA-256 in hex."""
    parts = [text.strip().encode("utf-8", "surrogatepass") for text in texts]
    # With the lengths no two rows of texts are written alike.
    return sha256(b"".join(b"%d:%b" % (len(part), part) for part in parts)).hexdigest()


def has_words(text: str) -> bool:
    """Whether anything in a text differs between languages.

    Code, links, addresses, numbers, emoji and signs do not. Each letter is looked at a
    few times at most: scripts without blanks have words as long as the text.
    """
    return any(each.isalpha() for word in plain_words(text) for each in word)


def plain_words(text: str) -> list[str]:
    """Return what `has_words` looks at: the words without what is no language."""
    return [plain for word in _CODE.sub(" ", text).split() if (plain := _plain(word))]


def _plain(word: str) -> str:
    """Return what is left of a word without links, addresses and numbers."""
    word = _without_address(_without_link(word))
    if any(each in string.digits for each in word):
        # Sizes, dates, prices, and numbers of orders, which have Latin letters in them.
        return "".join(each for each in word if not each.isascii())
    return word


def _without_link(word: str) -> str:
    at = word.find("://")
    if at > 0:
        return word[:at].rstrip(_LATIN + "+.-")
    at = word.lower().find("www.")
    return word[:at] if at >= 0 else word


def _without_address(word: str) -> str:
    before, _, behind = word.partition("@")
    left, right = before.rstrip(_LOCAL), behind.lstrip(_DOMAIN)
    domain = behind[: len(behind) - len(right)]
    is_address = len(left) < len(before) and "." in domain.strip(".")
    return left + right if is_address else word
