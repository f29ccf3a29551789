"""docs/openapi.json is what the code says, and leaves out no route without a reason."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kefu_core.desk.calls import CALLS
from kefu_server.app import create_app
from kefu_server.openapi import OTHERS, PAGES, document, text
from kefu_server.routes.api import names_in, path_of
from kefu_server.settings import Settings
from tests.server.test_app import http_routes

FILE = Path(__file__).parents[2] / "docs" / "openapi.json"


def test_the_committed_file_is_what_the_code_says() -> None:
    stale = "run: python -m kefu_server.openapi docs/openapi.json"
    assert FILE.read_text("utf-8") == text(), stale


def test_every_route_is_described_or_left_out_for_a_reason() -> None:
    assert http_routes(create_app(Settings())) == {*OTHERS, *PAGES}
    assert all(PAGES.values())


def test_every_method_has_a_path_of_its_own_and_flat_parameters_in_a_url() -> None:
    paths = [path_of(method) for method in CALLS.values()]
    shapes = {(verb, re.sub(r"{\w+}", "{}", path)) for verb, path in paths}
    assert len(shapes) == len(CALLS)
    for name, method in CALLS.items():
        verb, path = path_of(method)
        fields = {each.encode_name for each in msgspec.structs.fields(method.params)}
        assert set(names_in(path)) <= fields, name
        if verb == "GET":
            operation = document()["paths"][path]["get"]
            for parameter in operation["parameters"]:
                assert parameter["schema"].get("type") not in ("array", "object"), name


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [r for each in value.values() for r in _references(each)]
    if isinstance(value, list):
        return [r for each in value for r in _references(each)]
    return []


def test_every_reference_leads_somewhere_and_every_name_is_used_once() -> None:
    whole = document()
    for reference in set(_references(whole)):
        place: Any = whole
        for part in reference.removeprefix("#/").split("/"):
            place = place[part]
    names = [
        operation["operationId"]
        for verbs in whole["paths"].values()
        for operation in verbs.values()
    ]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", sorted(CALLS))
def test_every_method_says_what_it_does(name: str) -> None:
    verb, path = path_of(CALLS[name])
    operation = document()["paths"][path][verb.lower()]
    assert operation["operationId"] == name
    assert operation["summary"]
    assert "`" not in operation["summary"][:1]
