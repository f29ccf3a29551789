"""docs/reference/http-api.md names the routes and parameters that there are."""

import re
from pathlib import Path

import msgspec
import pytest

from kefu_core.limits import Limits
from kefu_core.model import ConversationStatus
from kefu_server.answers import STATUS
from kefu_server.app import WEBSOCKET_PATH, create_app
from kefu_server.lookups import Filters
from kefu_server.routes.export import ExportParameters
from kefu_server.routes.history import ListParameters, MessagesParameters
from kefu_server.routes.search import SearchParameters
from kefu_server.settings import Settings
from tests.server.test_app import http_routes

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "http-api.md").read_text("utf-8")


def section(title: str) -> str:
    """Return the text below a heading, up to the next one."""
    start = re.search(rf"^##+ {re.escape(title)}$", PAGE, re.MULTILINE)
    assert start, f"no section {title!r}"
    rest = PAGE[start.end() :]
    end = re.search(r"^##+ ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def parameters(text: str) -> list[str]:
    return re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)


def test_every_route_is_described_and_no_other() -> None:
    described = set(
        re.findall(
            r"^\| (GET|POST|PUT) \| `([^`]+)` \|", section("Routes"), re.MULTILINE
        )
    )
    routes = {
        (method, re.sub(r":\w+}", "}", path))
        for method, path in http_routes(create_app(Settings()))
    }
    assert described == routes
    assert f"`{WEBSOCKET_PATH}`" in PAGE


@pytest.mark.parametrize(
    ("title", "shape"),
    [
        ("Conversations", ListParameters),
        ("Messages", MessagesParameters),
        ("Search", SearchParameters),
        ("Export", ExportParameters),
    ],
)
def test_every_parameter_is_described(title: str, shape: type[msgspec.Struct]) -> None:
    shared = {field.encode_name for field in msgspec.structs.fields(Filters)}
    fields = list(msgspec.structs.fields(shape))
    own = {f.encode_name for f in fields} - (
        shared if issubclass(shape, Filters) else set()
    )
    assert set(parameters(section(title))) == own
    for field in fields:
        default = field.default
        if isinstance(default, int | str) and default:
            row = re.search(rf"^\| `{field.encode_name}` \|.*$", section(title), re.M)
            assert row, field.name
            assert f"{default}" in row[0], field.name


def test_every_filter_is_described() -> None:
    text = section("History")
    shared = [field.encode_name for field in msgspec.structs.fields(Filters)]
    assert parameters(text) == shared
    for status in ConversationStatus:
        assert f"`{status}`" in text


def test_the_numbers_are_those_of_the_code() -> None:
    limits = Limits()
    history = " ".join(section("History").split())
    assert limits.history_reads_max == 2
    assert "two requests *(setting)*" in history
    assert f"at most {limits.history_wait_s:.0f} s *(setting)*" in history
    assert f"at most {limits.agent_history_requests_max} *(setting)*" in history
    assert f"{limits.search_timeout_s:.0f} s, *setting*" in section("Search")
    assert f"{limits.frame_bytes_max // 1024} KiB" in PAGE


def test_the_statuses_are_those_of_the_codes() -> None:
    rows = re.findall(r"^\| (\d{3}) \| ([^|]+) \|", PAGE, re.MULTILINE)
    told = {
        (int(status), c) for status, text in rows for c in re.findall(r"`(\w+)`", text)
    }
    for code in ("bad_request", "unauthorized", "not_found", "rate_limited", "busy"):
        status = next(s for each, s in STATUS.items() if each == code)
        assert (status, code) in told
