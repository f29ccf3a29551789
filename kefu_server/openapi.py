"""What the server answers, as an OpenAPI 3.1 document written from the code.

`python -m kefu_server.openapi docs/openapi.json` writes the file; a test fails when it
is stale. Methods of the desk come from their registry and need nothing here. Every
other route is in `OTHERS`, or in `PAGES` with the reason why it is not described.
"""

import inspect
import json
import sys
from pathlib import Path
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from kefu_core.desk.access import READING, RIGHTS
from kefu_core.desk.calls import CALLS
from kefu_core.desk.methods import Method
from kefu_core.errors import ErrorCode
from kefu_core.model import Role
from kefu_core.upkeep.erasing import ErasureReport
from kefu_server.answers import STATUS
from kefu_server.export import MEDIA_TYPES
from kefu_server.operations import Figures
from kefu_server.queries import NoParameters
from kefu_server.routes.agents import LoginRequest
from kefu_server.routes.api import names_in, path_of
from kefu_server.routes.erasure import EraseRequest
from kefu_server.routes.export import ExportParameters
from kefu_server.routes.history import ListParameters, MessagesParameters
from kefu_server.routes.operations import OperationsParameters
from kefu_server.routes.search import SearchParameters
from kefu_server.routes.setup import SetupAnswer, SetupRequest
from kefu_server.routes.visitors import TokenRequest
from kefu_server.routes.visits import VisitRequest

PATH = "/api/openapi.json"
_WHO = {"agent": (Role.AGENT, Role.ADMIN), "visitor": (Role.VISITOR,)}
_REF = "#/components/schemas/{name}"


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request was refused."""

    code: ErrorCode
    text: str
    retry_after_s: float


class ErrorAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The one shape of every error."""

    error: ErrorBody


class Other(msgspec.Struct, frozen=True, kw_only=True):
    """A route that is no method of the desk."""

    text: str
    query: type[msgspec.Struct] = NoParameters
    body: type[msgspec.Struct] | None = None
    result: Any = dict[str, Any]
    is_open: bool = False
    """Nobody has to be known."""
    media_types: tuple[str, ...] = ("application/json",)


_ROW = "/api/history/conversations/{conversation:int}"
OTHERS: dict[tuple[str, str], Other] = {
    ("GET", "/healthz"): Other(text="The process answers.", is_open=True),
    ("GET", "/readyz"): Other(text="The database answers.", is_open=True),
    ("POST", "/api/visit"): Other(
        text="A page reports a visit.", body=VisitRequest, is_open=True
    ),
    ("POST", "/api/visitor/token"): Other(
        text="A visitor's token.", body=TokenRequest, is_open=True
    ),
    ("POST", "/api/visitor/erase"): Other(
        text="An admin erases a visitor.", body=EraseRequest, result=ErasureReport
    ),
    ("POST", "/api/setup"): Other(
        text="The first admin and the first site, while there is no admin.",
        body=SetupRequest,
        result=SetupAnswer,
        is_open=True,
    ),
    ("POST", "/api/agent/login"): Other(
        text="An agent's login; sets the cookie.", body=LoginRequest, is_open=True
    ),
    ("POST", "/api/agent/logout"): Other(text="Ends the login.", is_open=True),
    ("GET", "/api/agent/me"): Other(text="Who is logged in."),
    ("GET", "/api/operations"): Other(
        text="How this process does its work, for admins.",
        query=OperationsParameters,
        result=Figures,
    ),
    ("GET", "/api/history/facets"): Other(text="What lists can be narrowed by."),
    ("GET", "/api/history/conversations"): Other(
        text="A page of conversations.", query=ListParameters
    ),
    ("GET", _ROW): Other(text="One conversation's row."),
    ("GET", f"{_ROW}/messages"): Other(
        text="A page of its messages, around any place.", query=MessagesParameters
    ),
    ("GET", "/api/history/search"): Other(
        text="Texts and notes that hold words.", query=SearchParameters
    ),
    ("GET", "/api/history/export"): Other(
        text="Conversations as a file.",
        query=ExportParameters,
        media_types=tuple(MEDIA_TYPES.values()),
    ),
}
_BYTES = "bytes, not JSON; described in docs/reference/http-api.md"
_OWN = "one's own account, for the console; docs/reference/http-api.md has it"
PAGES: dict[tuple[str, str], str] = {
    ("GET", "/widget.js"): "a script for a shop's pages",
    ("GET", "/static/{version}/{name:path}"): "files of the pages",
    ("GET", "/widget/{embed_key}"): "a page",
    ("GET", "/widget/{embed_key}/visit"): "a page",
    ("GET", "/console"): "a page",
    ("GET", "/setup"): "a page, while there is no admin",
    ("GET", "/metrics"): "figures in the format of Prometheus",
    ("POST", "/kefu/poll"): "frames; described in docs/asyncapi.json",
    ("PUT", "/api/conversations/{conversation:int}/files/{key}"): _BYTES,
    ("GET", "/api/files/{file:int}"): _BYTES,
    ("GET", "/api/files/{file:int}/thumbnail"): _BYTES,
    ("GET", PATH): "this document",
    ("GET", "/api/agent/account"): _OWN,
    ("POST", "/api/agent/password"): _OWN,
    ("POST", "/api/agent/factor"): _OWN,
    ("POST", "/api/agent/factor/on"): _OWN,
    ("POST", "/api/agent/factor/off"): _OWN,
    ("POST", "/api/agent/sessions/end"): _OWN,
}


def document() -> dict[str, Any]:
    """Return the document; the same for every installation."""
    shapes: list[Any] = [ErrorAnswer]
    for method in CALLS.values():
        shapes += [method.params, method.result]
    for other in OTHERS.values():
        shapes += [other.query, other.result]
        shapes += [other.body] if other.body is not None else []
    schemas, components = msgspec.json.schema_components(shapes, ref_template=_REF)
    named = {id(shape): schema for shape, schema in zip(shapes, schemas, strict=True)}
    writer = _Writer(named, components)
    paths: dict[str, dict[str, Any]] = {}
    for name, method in sorted(CALLS.items()):
        verb, path = path_of(method)
        paths.setdefault(path, {})[verb.lower()] = writer.of_method(name, method)
    for (verb, path), other in OTHERS.items():
        plain = path.replace(":int}", "}")
        paths.setdefault(plain, {})[verb.lower()] = writer.of_route(plain, other)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "kefu",
            "version": "1",
            "description": "Live chat whose acknowledged messages are kept. How to "
            "authenticate, repeat and page is said in docs/reference/rest-api.md.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(components.items())),
            "responses": {"Error": _error(named[id(ErrorAnswer)])},
            "securitySchemes": {
                "agent": {"type": "apiKey", "in": "cookie", "name": "kefu_session"},
                "program": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "kefu_…, within its scopes.",
                },
                "visitor": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            },
        },
    }


class _Writer:
    """Writes operations from structs that are components already."""

    def __init__(self, named: dict[int, Any], components: dict[str, Any]) -> None:
        self._named = named
        self._components = components

    def of_method(self, name: str, method: Method) -> dict[str, Any]:
        verb, path = path_of(method)
        text = inspect.cleandoc(method.params.__doc__ or "").removeprefix(f"`{name}`: ")
        security: list[dict[str, list[str]]] = [
            {each: []}
            for each, roles in _WHO.items()
            if any(name in RIGHTS[role].calls for role in roles)
        ]
        if method.scope:
            security.append({"program": [method.scope]})
            text += f"\n\nA program's token needs the scope `{method.scope}`."
        operation = self._operation(name, text, path, method.result, security)
        properties, required = self._fields(method.params)
        in_path = names_in(path)
        rest = {key: each for key, each in properties.items() if key not in in_path}
        operation["parameters"] = [
            _parameter(key, "path", properties[key], is_required=True)
            for key in in_path
        ]
        if verb == "GET":
            operation["parameters"] += [
                _parameter(key, "query", each, is_required=key in required)
                for key, each in rest.items()
            ]
        else:
            needed = [key for key in required if key in rest]
            schema = {
                "type": "object",
                "properties": rest,
                "required": needed,
                "additionalProperties": False,
            }
            operation["requestBody"] = _body(schema, is_required=bool(needed))
        return operation

    def of_route(self, path: str, other: Other) -> dict[str, Any]:
        name = "_".join(part for part in path.split("/") if part)
        name = name.replace("{", "").replace("}", "")
        operation = self._operation(name, other.text, path, other.result, None)
        if other.media_types != ("application/json",):
            content: dict[str, Any] = {each: {} for each in other.media_types}
            operation["responses"]["200"]["content"] = content
        operation["security"] = [] if other.is_open else [{"agent": []}]
        if path.startswith("/api/history/"):
            operation["security"].append({"program": [READING]})
        ids = {"type": "integer", "minimum": 1}
        properties, required = self._fields(other.query)
        operation["parameters"] = [
            _parameter(key, "path", ids, is_required=True) for key in names_in(path)
        ] + [
            _parameter(key, "query", each, is_required=key in required)
            for key, each in properties.items()
        ]
        if other.body is not None:
            operation["requestBody"] = _body(
                self._named[id(other.body)], is_required=True
            )
        return operation

    def _operation(
        self, name: str, text: str, path: str, result: Any, security: Any
    ) -> dict[str, Any]:
        return {
            "operationId": name,
            "tags": [next(p for p in path.split("/") if p not in ("", "api", "v1"))],
            "summary": text.split("\n", 1)[0],
            "description": text,
            "security": security,
            "responses": {
                "200": {
                    "description": "Done.",
                    "content": {
                        "application/json": {"schema": self._named[id(result)]}
                    },
                },
                **{
                    str(status): {"$ref": "#/components/responses/Error"}
                    for status in sorted({*STATUS.values(), 408, 415} - {500})
                },
            },
        }

    def _fields(self, shape: type[msgspec.Struct]) -> tuple[dict[str, Any], list[str]]:
        schema = self._named[id(shape)]
        component = self._components[schema["$ref"].rpartition("/")[2]]
        return component.get("properties", {}), component.get("required", [])


def _parameter(
    name: str, place: str, schema: dict[str, Any], *, is_required: bool
) -> dict[str, Any]:
    return {
        "name": name,
        "in": place,
        "required": is_required,
        "schema": _in_url(schema),
    }


def _in_url(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without null, which a URL cannot say: it leaves out."""
    options = [s for s in schema.get("anyOf", []) if s != {"type": "null"}]
    if len(options) != 1:
        return schema
    return {**options[0]}


def _body(schema: dict[str, Any], *, is_required: bool) -> dict[str, Any]:
    return {
        "required": is_required,
        "content": {"application/json": {"schema": schema}},
    }


def _error(schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "description": "Refused; the sentence says why.",
        "headers": {
            "Retry-After": {
                "description": "Seconds to wait, with 429 and 503.",
                "schema": {"type": "integer"},
            }
        },
        "content": {"application/json": {"schema": schema}},
    }


def text() -> str:
    """Return the document as it is written to its file."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


_SERVED = msgspec.json.encode(document())


async def serve_document(request: Request) -> Response:
    """Answer `/api/openapi.json`."""
    return Response(_SERVED, media_type="application/json")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), "utf-8")
