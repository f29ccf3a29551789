"""Settings as a file says them: what a backup keeps of how a server runs."""

import json
from typing import Any

import msgspec

from kefu_server.sections import Secret
from kefu_server.settings import SECTIONS, Settings


def settings_text(settings: Settings, *, with_secrets: bool) -> str:
    """Return what differs from the defaults as TOML, secrets only where asked for."""
    lines: list[str] = []
    sections: list[str] = []
    for field in msgspec.structs.fields(Settings):
        value = getattr(settings, field.name)
        if field.type in SECTIONS:
            inner = [
                line
                for each in msgspec.structs.fields(field.type)
                if (line := _line(each, getattr(value, each.name), with_secrets))
            ]
            if inner:
                sections += ["", f"[{field.name}]", *inner]
        elif line := _line(field, value, with_secrets):
            lines.append(line)
    return "\n".join([*lines, *sections]).strip() + "\n"


def _line(field: msgspec.structs.FieldInfo, value: Any, with_secrets: bool) -> str:
    if value == field.default:
        return ""
    if isinstance(value, Secret):
        if not with_secrets:
            return f"# {field.name} is a secret, and not part of this backup"
        return f"{field.name} = {_toml(value.reveal())}"
    return f"{field.name} = {_toml(value)}"


def _toml(value: Any) -> str:
    """Return a value as TOML: its plain texts, numbers and lists are JSON's too."""
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    # JSON leaves DEL as it is, which TOML does not allow.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
