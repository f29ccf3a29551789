"""The frames as TypeScript declarations, written from the structs themselves.

`python -m kefu_core.protocol.schema kefu_server/web/client/frames.d.ts` writes the file
that the pages are checked against; a test fails when it is stale. A field with a
default is optional on the wire in both directions, so it is optional there too.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import msgspec
from msgspec import inspect

from kefu_core.protocol.frames import ClientFrame, ServerFrame

_HEADER = """\
// Written by `python -m kefu_core.protocol.schema` from kefu_core/protocol/frames.py.
// Do not edit: change the structs and write it again.
"""


def typescript() -> str:
    """Return the declarations of every frame, and the unions of both directions."""
    client = get_args(ClientFrame)
    server = get_args(ServerFrame)
    named: dict[str, str] = {}
    for struct in (*client, *server):
        _declare(inspect.type_info(struct), named)
    parts = [
        _HEADER,
        *(named[name] for name in sorted(named)),
        _union("ClientFrame", client),
        _union("ServerFrame", server),
    ]
    return "\n".join(parts)


def _union(name: str, structs: Iterable[type[msgspec.Struct]]) -> str:
    lines = "".join(f"\n  | {struct.__name__}" for struct in structs)
    return f"export type {name} ={lines};\n"


def _declare(info: inspect.Type, named: dict[str, str]) -> None:
    """Add the declaration of one struct, and of the structs inside it."""
    assert isinstance(info, inspect.StructType)
    if info.cls.__name__ in named:
        return
    lines = [f"export interface {info.cls.__name__} {{"]
    named[info.cls.__name__] = ""
    if info.tag is not None:
        lines.append(f'  {info.tag_field}: "{info.tag}";')
    for field in info.fields:
        mark = "" if field.required else "?"
        name = field.encode_name
        lines.append(f"  {name}{mark}: {_type(field.type, named)};")
    named[info.cls.__name__] = "\n".join([*lines, "}\n"])


_PLAIN: dict[type[Any], str] = {
    inspect.IntType: "number",
    inspect.FloatType: "number",
    inspect.StrType: "string",
    inspect.BoolType: "boolean",
    inspect.NoneType: "null",
    inspect.AnyType: "any",
}


def _type(info: inspect.Type, named: dict[str, str]) -> str:
    """Return one field's type in TypeScript."""
    plain = _PLAIN.get(type(info))
    if plain is not None:
        return plain
    if isinstance(info, inspect.UnionType):
        return " | ".join(_type(part, named) for part in info.types)
    if isinstance(info, inspect.EnumType):
        return " | ".join(f'"{member.value}"' for member in info.cls)
    if isinstance(info, inspect.DictType):
        # JSON has string keys only, whatever the struct says.
        return f"Record<string, {_type(info.value_type, named)}>"
    if isinstance(info, inspect.ListType):
        return f"{_type(info.item_type, named)}[]"
    if isinstance(info, inspect.StructType):
        _declare(info, named)
        return str(info.cls.__name__)
    raise TypeError(f"no TypeScript for {info!r}")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(typescript(), encoding="utf-8")
