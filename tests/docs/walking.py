"""What the walk over the OpenAPI document adds to schemathesis; it loads this file.

`KEFU_WALK_IDS` holds ids of things that are there, as JSON: `{"conversation": 1}`.
"""

import json
import os
from typing import Any

import schemathesis

_IDS: dict[str, int] = json.loads(os.environ.get("KEFU_WALK_IDS", "{}"))
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}


@schemathesis.hook
def map_path_parameters(
    context: schemathesis.HookContext, path_parameters: dict[str, Any]
) -> dict[str, Any]:
    """Ask for what is there in two of three requests."""
    for name, value in (path_parameters or {}).items():
        if name in _IDS and isinstance(value, int) and value % 3:
            path_parameters[name] = _IDS[name]
    return path_parameters


@schemathesis.check
def security_headers(
    context: schemathesis.CheckContext,
    response: schemathesis.Response,
    case: schemathesis.Case,
) -> None:
    """Every answer has them, a refusal too."""
    for name, value in _HEADERS.items():
        assert response.headers.get(name) == [value], f"{name} is missing"
    assert "content-security-policy" in response.headers
