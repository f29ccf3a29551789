"""Languages: BCP 47 tags, and what a service calls them."""

from collections.abc import Mapping

_TRADITIONAL = {"hant", "tw", "hk", "mo"}
_TAGS = {"zh-hans": "zh-CN", "zh-hant": "zh-TW"}


def code_of(tag: str, codes: Mapping[str, str]) -> str:
    """Return a service's code for a tag; the bare language where it has none.

    Args:
        tag: As browsers write it: `pt-BR`, `zh-HK`.
        codes: By tag in lower case; Chinese is looked for as itself, then as
            `zh-hans` or `zh-hant`.
    """
    exact = tag.lower()
    language, *rest = exact.split("-")
    script = "hant" if _TRADITIONAL & set(rest) else "hans"
    for each in (exact, f"{language}-{script}", language):
        if each in codes:
            return codes[each]
    return language


def tag_of(code: str, codes: Mapping[str, str]) -> str:
    """Return the tag of what a service has found out; the code where it is none."""
    for tag, each in codes.items():
        if each.lower() == code.lower():
            return _TAGS.get(tag, tag)
    return code.lower()
