"""The text of `kefu.toml` and of the files beside it."""

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from kefu_server.sections import Secret
from kefu_server.settings import SECTIONS, Settings, environment_name
from kefu_server.settings_docs import sentences
from kefu_server.words import Words

_WIDTH = 84
_LIMITS = "limits"


def settings_page(
    values: Mapping[str, Any], words: Words, elsewhere: frozenset[str] = frozenset()
) -> str:
    """Return `kefu.toml`: each setting with its sentence, switched off if not chosen.

    Args:
        values: What was chosen, by key.
        words: The language of the comments, as far as it has them.
        elsewhere: Keys that stand in the file for the environment instead.
    """
    lines = [*_comment(words("file.settings"))]
    lines += _fields(Settings, "", values, words, elsewhere)
    for field in msgspec.structs.fields(Settings):
        if field.type in SECTIONS and field.name != _LIMITS:
            lines += ["", f"[{field.name}]"]
            prefix = f"{field.name}."
            lines += _fields(field.type, prefix, values, words, elsewhere)
    chosen = {key: value for key, value in values.items() if key.startswith(_LIMITS)}
    lines += ["", f"[{_LIMITS}]", *_comment(words("file.limits"))]
    lines += [f"{key.partition('.')[2]} = {toml(v)}" for key, v in chosen.items()]
    return "\n".join(lines) + "\n"


def _fields(
    struct: type[msgspec.Struct],
    prefix: str,
    values: Mapping[str, Any],
    words: Words,
    elsewhere: frozenset[str],
) -> Iterator[str]:
    told = sentences(struct)
    for field in msgspec.structs.fields(struct):
        if field.type in SECTIONS:
            continue
        key = prefix + field.name
        said = f"setting.{key}"
        yield ""
        yield from _comment(words(said) if said in words else told[field.name])
        if key in elsewhere:
            yield from _comment(words("file.elsewhere", name=environment_name(key)))
        elif key in values:
            yield f"{field.name} = {toml(values[key])}"
        else:
            yield f"#{field.name} = {toml(_plain(field.default))}"


def _plain(default: Any) -> Any:
    return "" if isinstance(default, Secret) else default


def services_page(services: Mapping[str, Mapping[str, str]], words: Words) -> str:
    """Return the file of services that translate."""
    lines = [*_comment(words("file.services"))]
    for name, table in services.items():
        lines += ["", f"[{name}]"]
        lines += [f"{key} = {toml(value)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"


def environment_page(values: Mapping[str, str], words: Words) -> str:
    """Return the file for the environment, which systemd and a shell read alike."""
    lines = [*_comment(words("file.environment"))]
    lines += [f"{environment_name(key)}={quoted(v)}" for key, v in values.items()]
    return "\n".join(lines) + "\n"


def toml(value: Any) -> str:
    """Return a value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # JSON's escapes are TOML's, and TOML wants one more.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml(each) for each in value)}]"
    return str(value)


def quoted(value: str) -> str:
    """Return a value as systemd and a shell both read it."""
    if "'" not in value and "\\" not in value:
        return f"'{value}'"
    for special in ("\\", '"', "$", "`"):
        value = value.replace(special, f"\\{special}")
    return f'"{value}"'


def _comment(text: str) -> list[str]:
    found: list[str] = []
    for line in text.splitlines():
        # What has no spaces, such as Chinese, is broken where its file breaks it.
        found += textwrap.wrap(
            line, _WIDTH, break_long_words=False, break_on_hyphens=False
        ) or [""]
    return [f"# {line}".rstrip() for line in found]
