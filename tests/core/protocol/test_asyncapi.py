"""The AsyncAPI document: fresh, whole, and true of every frame."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from kefu_core.errors import CloseCode, ErrorCode
from kefu_core.protocol import frames as f
from kefu_core.protocol.asyncapi import document, text
from tests.core.protocol.samples import CLIENT_FRAMES, SERVER_FRAMES

FILE = Path(__file__).parents[3] / "docs" / "asyncapi.json"
DOCUMENT = document()
CLIENT, SERVER = get_args(f.ClientFrame), get_args(f.ServerFrame)
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]


def tag(frame: type[msgspec.Struct]) -> str:
    return str(frame.__struct_config__.tag)


def test_the_file_is_of_today() -> None:
    assert FILE.read_text("utf-8") == text(), (
        "run: python -m kefu_core.protocol.asyncapi docs/asyncapi.json"
    )


def test_it_has_what_version_3_asks_for() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= set(DOCUMENT["info"])
    for server in DOCUMENT["servers"].values():
        assert {"host", "protocol"} <= set(server)
    for operation in DOCUMENT["operations"].values():
        assert operation["action"] in ("send", "receive")
        assert operation["channel"]["$ref"].startswith("#/channels/")


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_every_reference_leads_somewhere() -> None:
    for reference in set(references(DOCUMENT)):
        found: Any = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        assert found


@pytest.mark.parametrize("frame", {*CLIENT, *SERVER}, ids=lambda x: x.__name__)
def test_every_frame_is_a_message_with_every_field(frame: type[msgspec.Struct]) -> None:
    message = DOCUMENT["components"]["messages"][tag(frame)]
    schema = SCHEMAS[message["payload"]["$ref"].rpartition("/")[2]]
    assert message["summary"]
    assert set(schema["properties"]) == {"t", *frame.__struct_fields__}
    assert schema["properties"]["t"]["enum"] == [tag(frame)]


def test_each_side_sends_and_receives_its_own_frames() -> None:
    for name, operation in DOCUMENT["operations"].items():
        action, _, channel = name.partition(".")
        frames = CLIENT if action == "receive" else SERVER
        assert [m["$ref"].rpartition("/")[2] for m in operation["messages"]] == [
            tag(frame) for frame in frames
        ]
        assert channel in DOCUMENT["channels"]


def test_the_codes_are_listed() -> None:
    assert set(SCHEMAS["ErrorCode"]["enum"]) == set(ErrorCode)
    assert set(SCHEMAS["CloseCode"]["enum"]) == set(CloseCode)


@pytest.mark.parametrize(
    "sample",
    [*CLIENT_FRAMES.values(), *SERVER_FRAMES.values()],
    ids=lambda x: type(x).__name__,
)
def test_a_frame_on_the_wire_fits_its_schema(sample: f.Frame) -> None:
    wire = json.loads(msgspec.json.encode(sample))
    schema = SCHEMAS[type(sample).__name__]
    assert set(schema["required"]) <= set(wire)
    assert set(wire) <= set(schema["properties"])


def test_what_is_said_below_a_field_is_its_description() -> None:
    described = SCHEMAS["Welcome"]["properties"]["resumed"]["description"]
    assert described.startswith("False: drop cached logs")
