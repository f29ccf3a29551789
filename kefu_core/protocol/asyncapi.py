"""The protocol as an AsyncAPI 3 document, written from the structs themselves.

`python -m kefu_core.protocol.asyncapi docs/asyncapi.json` writes the file; a test fails
when it is stale. It names every frame and field; how they work together is said in
docs/protocol.md.
"""

import ast
import inspect
import json
import sys
from pathlib import Path
from typing import Any, get_args

import msgspec

from kefu_core.errors import CloseCode, ErrorCode
from kefu_core.protocol.frames import ClientFrame, Hello, ServerFrame
from kefu_core.protocol.longpoll import PollAnswer, PollRefusal, PollRequest

Frame = type[msgspec.Struct]
_BODIES: tuple[Frame, ...] = (PollRequest, PollAnswer, PollRefusal)
_CHANNELS = {
    "websocket": (
        "/kefu/ws",
        (
            "One WebSocket a connection; the subprotocol `kefu.v1.json` or "
            "`kefu.v1.msgpack` chooses the codec."
        ),
    ),
    "longpoll": (
        "/kefu/poll",
        (
            "Numbered batches down and numbered requests up, by POST; the bodies are "
            "PollRequest, PollAnswer and PollRefusal."
        ),
    ),
    "tcp": (
        None,
        "A preface of 8 bytes each way, then batches with their lengths before them.",
    ),
}
_BINDINGS: dict[str, dict[str, Any]] = {
    "websocket": {
        "ws": {
            "method": "GET",
            "headers": {
                "type": "object",
                "properties": {
                    "Sec-WebSocket-Protocol": {
                        "enum": ["kefu.v1.json", "kefu.v1.msgpack"]
                    }
                },
                "required": ["Sec-WebSocket-Protocol"],
            },
            "bindingVersion": "0.1.0",
        }
    },
}
_POLL_HEADERS = {
    "type": "object",
    "properties": {
        "Content-Type": {"enum": ["application/json", "application/msgpack"]},
        "Kefu-Session": {"type": "string"},
    },
    "required": ["Content-Type"],
}
_REFUSAL_HEADERS = {
    "type": "object",
    "properties": {"Retry-After": {"type": "integer", "minimum": 1}},
}
_SERVERS = {
    "websocket": ("wss", "The usual way."),
    "longpoll": ("https", "Where long connections do not survive."),
    "tcp": ("tcp", "For programs; `tcps` with TLS."),
}


def document() -> dict[str, Any]:
    """Return the whole document."""
    client, server = get_args(ClientFrame), get_args(ServerFrame)
    frames = {_tag(frame): frame for frame in (*client, *server)}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "kefu",
            "version": "1.0.0",
            "description": "Live chat whose acknowledged messages are never lost, "
            "doubled or shown out of order. docs/protocol.md is normative.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            name: {
                "host": "chat.example.com",
                "protocol": protocol,
                "description": text,
            }
            for name, (protocol, text) in _SERVERS.items()
        },
        "channels": {name: _channel(name, frames) for name in _CHANNELS},
        "operations": _operations(client, server),
        "components": {
            "messages": {tag: _message(frame) for tag, frame in frames.items()}
            | {struct.__name__: _body(struct) for struct in _BODIES},
            "schemas": _schemas(client, server),
        },
    }


def _tag(frame: Frame) -> str:
    return str(frame.__struct_config__.tag)


def _summary(struct: Frame) -> str:
    return (struct.__doc__ or "").split("\n", 1)[0]


def _channel(name: str, frames: dict[str, Frame]) -> dict[str, Any]:
    address, text = _CHANNELS[name]
    return {
        "address": address,
        "description": text,
        "servers": [{"$ref": f"#/servers/{name}"}],
        "messages": {
            tag: {"$ref": f"#/components/messages/{tag}"}
            for tag in [*sorted(frames), *_bodies_of(name)]
        },
        "bindings": _BINDINGS.get(name, {}),
    }


def _bodies_of(channel: str) -> list[str]:
    """Return what a channel says around the frames."""
    is_poll = channel == "longpoll"
    return [body.__name__ for body in _BODIES] if is_poll else []


def _operations(client: tuple[Frame, ...], server: tuple[Frame, ...]) -> dict[str, Any]:
    """Return what the server receives and sends, on each channel."""
    sides = {"receive": client, "send": server}
    operations: dict[str, Any] = {
        f"{action}.{name}": {
            "action": action,
            "channel": {"$ref": f"#/channels/{name}"},
            "messages": [
                {"$ref": f"#/channels/{name}/messages/{_tag(frame)}"}
                for frame in frames
            ],
        }
        for name in _CHANNELS
        for action, frames in sides.items()
    }
    operations["poll"] = _poll()
    return operations


def _poll() -> dict[str, Any]:
    """Return the request that carries the frames of long poll, and its answers."""
    channel = {"$ref": "#/channels/longpoll"}
    request, *answers = [
        {"$ref": f"#/channels/longpoll/messages/{name}"}
        for name in _bodies_of("longpoll")
    ]
    return {
        "action": "receive",
        "summary": "A poll, or frames going up.",
        "channel": channel,
        "messages": [request],
        "bindings": {"http": {"method": "POST", "bindingVersion": "0.3.0"}},
        "reply": {"channel": channel, "messages": answers},
    }


def _body(struct: Frame) -> dict[str, Any]:
    headers = _REFUSAL_HEADERS if struct is PollRefusal else _POLL_HEADERS
    return {
        "name": struct.__name__,
        "summary": _summary(struct),
        "payload": {"$ref": _schema_of(struct)},
        "bindings": {"http": {"headers": headers, "bindingVersion": "0.3.0"}},
    }


def _message(frame: Frame) -> dict[str, Any]:
    return {
        "name": _tag(frame),
        "title": frame.__name__,
        "summary": _summary(frame),
        "payload": {"$ref": _schema_of(frame)},
    }


def _schemas(client: tuple[Frame, ...], server: tuple[Frame, ...]) -> dict[str, Any]:
    structs = [*dict.fromkeys((*client, *server)), *_BODIES]
    _, found = msgspec.json.schema_components(
        structs, ref_template="#/components/schemas/{name}"
    )
    by_name: dict[str, dict[str, Any]] = dict(found)
    for struct in {*structs, *_inner(structs)}:
        schema = by_name[struct.__name__]
        for name, text in _sentences(struct).items():
            if name in schema["properties"]:
                schema["properties"][name] = _described(
                    schema["properties"][name], text
                )
    # The structs of long poll leave the frames in them undecoded.
    request = by_name["PollRequest"]["properties"]
    request["hello"] = _described(
        {"$ref": _schema_of(Hello)}, _sentences(PollRequest)["hello"]
    )
    request["frames"]["items"] = _one_of(client)
    by_name["ErrorCode"] = {"enum": sorted(ErrorCode)}
    by_name["CloseCode"] = {
        "enum": sorted(int(code) for code in CloseCode),
        "description": "Below 4100 final; 4100 to 4199 back off; above, reconnect.",
    }
    # What the server sends may grow: a newer one has codes, kinds and frames that a
    # client of today does not know, and must not fail on.
    by_name["ErrorFrame"]["properties"]["code"] = _open("ErrorCode", "string")
    by_name["Closed"]["properties"]["code"] = _open("CloseCode", "integer")
    for name in ("MessageFrame", "PageMessage"):
        by_name[name]["properties"]["kind"] = _open("MessageKind", "string")
    known = _one_of(server)["oneOf"]
    frame = {"type": "object", "required": ["t"]}
    items = {"anyOf": [*known, frame]}
    by_name["PollBatch"]["properties"]["frames"]["items"] = items
    return dict(sorted(by_name.items()))


def _open(name: str, kind: str) -> dict[str, Any]:
    """Return the schema of a value that is one of those known, or a newer one."""
    return {"anyOf": [{"$ref": f"#/components/schemas/{name}"}, {"type": kind}]}


def _schema_of(struct: Frame) -> str:
    return f"#/components/schemas/{struct.__name__}"


def _one_of(frames: tuple[Frame, ...]) -> dict[str, Any]:
    return {"oneOf": [{"$ref": _schema_of(frame)} for frame in frames]}


def _inner(structs: list[Frame]) -> set[Frame]:
    """Return the structs inside these."""
    found: set[Frame] = set()
    for struct in structs:
        for field in msgspec.structs.fields(struct):
            for kind in (field.type, *get_args(field.type)):
                if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
                    found.add(kind)
    return found


def _described(schema: dict[str, Any], text: str) -> dict[str, Any]:
    if "$ref" in schema:
        return {"allOf": [schema], "description": text}
    return {**schema, "description": text}


def _sentences(struct: Frame) -> dict[str, str]:
    """Return the text below each field."""
    tree = ast.parse(inspect.getsource(struct)).body[0]
    assert isinstance(tree, ast.ClassDef), "the source of a struct is a class"
    found: dict[str, str] = {}
    for field, text in zip(tree.body, tree.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
        ):
            found[field.target.id] = " ".join(str(text.value.value).split())
    return found


def text() -> str:
    """Return the document as it is written to its file."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), "utf-8")
