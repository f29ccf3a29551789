"""The AsyncAPI document: fresh, whole, and true of every frame."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from jsonschema import Draft7Validator

from kefu_core.errors import CloseCode, ErrorCode
from kefu_core.protocol import frames as f
from kefu_core.protocol.asyncapi import document, text
from kefu_core.protocol.longpoll import PollAnswer, PollBatch, PollRefusal, PollRequest
from tests.core.protocol.samples import CLIENT_FRAMES, SERVER_FRAMES

ROOT = Path(__file__).parents[3]
FILE = ROOT / "docs" / "asyncapi.json"
RULES = ROOT / "node_modules" / "@asyncapi" / "specs" / "schemas" / "3.0.0.json"
DOCUMENT = document()
CLIENT, SERVER = get_args(f.ClientFrame), get_args(f.ServerFrame)
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]


def schema_of(struct: type[msgspec.Struct]) -> Draft7Validator:
    """Return what checks a value against one schema of the document."""
    return Draft7Validator(
        {
            "$ref": f"#/components/schemas/{struct.__name__}",
            "components": DOCUMENT["components"],
        }
    )


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


@pytest.mark.skipif(
    not RULES.exists(),
    reason="@asyncapi/specs is missing (npm ci): AsyncAPI's own rules did not judge",
)
def test_asyncapis_own_rules_accept_it() -> None:
    rules = Draft7Validator(json.loads(RULES.read_text("utf-8")))
    assert [error.message for error in rules.iter_errors(DOCUMENT)] == []
    assert not rules.is_valid(DOCUMENT | {"operations": {"x": {"action": "shout"}}})


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


@pytest.mark.parametrize(
    "frame", dict.fromkeys([*CLIENT, *SERVER]), ids=lambda x: x.__name__
)
def test_every_frame_is_a_message_with_every_field(frame: type[msgspec.Struct]) -> None:
    message = DOCUMENT["components"]["messages"][tag(frame)]
    schema = SCHEMAS[message["payload"]["$ref"].rpartition("/")[2]]
    assert message["summary"]
    assert set(schema["properties"]) == {"t", *frame.__struct_fields__}
    assert schema["properties"]["t"]["enum"] == [tag(frame)]


def test_each_side_sends_and_receives_its_own_frames() -> None:
    operations = dict(DOCUMENT["operations"])
    assert operations.pop("poll")["messages"][0]["$ref"].endswith("/PollRequest")
    for name, operation in operations.items():
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
def test_a_frame_on_the_wire_fits_its_schema_and_a_spoilt_one_does_not(
    sample: f.Frame,
) -> None:
    wire = json.loads(msgspec.json.encode(sample))
    schema = schema_of(type(sample))
    assert [error.message for error in schema.iter_errors(wire)] == []
    assert not schema.is_valid(wire | {"t": "nonsense"})
    for field in msgspec.structs.fields(type(sample)):
        if field.required:
            assert not schema.is_valid({k: wire[k] for k in wire if k != field.name})


def test_a_body_of_long_poll_fits_its_schema_with_whole_frames_inside() -> None:
    up, down, hello = (
        msgspec.Raw(msgspec.json.encode(frame))
        for frame in (f.Ping(), f.Drain(within_s=1.0), f.Hello(token="t"))
    )
    for body in (
        PollRequest(poll=1, hello=hello),
        PollRequest(rid=1, ack=2, frames=[up]),
        PollAnswer(batches=[PollBatch(n=1, frames=[down])]),
        PollAnswer(superseded=True),
        PollRefusal(error="out_of_order", text="no", expect=3),
    ):
        wire = json.loads(msgspec.json.encode(body))
        errors = schema_of(type(body)).iter_errors(wire)
        assert [error.message for error in errors] == []
    request = schema_of(PollRequest)
    assert not request.is_valid({"rid": 1, "frames": [{"t": "sent"}]})
    assert not request.is_valid({"poll": 1, "hello": {"t": "ping"}})


def test_what_is_said_below_a_field_is_its_description() -> None:
    described = SCHEMAS["Welcome"]["properties"]["resumed"]["description"]
    assert described.startswith("False: drop cached logs")
