"""docs/protocol.md says what the code says: names, codes, limits and examples."""

import re
from pathlib import Path
from typing import get_args

import pytest

from kefu_core.desk.access import QUEUE, RIGHTS, STAFFED
from kefu_core.desk.calls import CALLS
from kefu_core.desk.rows import agents_row, visitors_row
from kefu_core.errors import CloseCode, ErrorCode
from kefu_core.limits import Limits, SharedLimits
from kefu_core.model import Conversation, MessageKind, Person, Role
from kefu_core.protocol import frames as f
from kefu_core.protocol.codec import (
    JSON,
    BadFrame,
    client_frame_decoder,
    server_frame_decoder,
)
from kefu_core.protocol.server import ServerSession
from kefu_core.types import ConversationId, ParticipantId, UnixMs

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "protocol.md").read_text("utf-8")
CLIENT = get_args(f.ClientFrame)
FRAMES = {x.__struct_config__.tag: x for x in (*CLIENT, *get_args(f.ServerFrame))}
ROW = Conversation(id=ConversationId(1), site_id=1, visitor=ParticipantId("v1"))


def section(title: str, level: int = 2) -> str:
    """Return the text below a heading, up to the next of its level or above."""
    start = re.search(rf"^{'#' * level} {re.escape(title)}$", PAGE, re.MULTILINE)
    assert start, f"no section {title!r}"
    rest = PAGE[start.end() :]
    end = re.search(rf"^#{{1,{level}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def first_column(text: str) -> list[str]:
    """Return the names in backticks that begin the rows of tables."""
    return re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)


def test_every_frame_has_its_section_and_no_section_is_of_nothing() -> None:
    headings = re.findall(r"^### (?:Both directions: )?`(\w+)`$", PAGE, re.MULTILINE)
    assert sorted(headings) == sorted(FRAMES)


@pytest.mark.parametrize("tag", FRAMES)
def test_every_field_of_a_frame_is_described(tag: str) -> None:
    is_both = tag in ("ping", "pong")
    text = section(f"Both directions: `{tag}`" if is_both else f"`{tag}`", 3)
    described = first_column(text.partition("\n#### ")[0])
    assert described == list(FRAMES[tag].__struct_fields__)


@pytest.mark.parametrize(
    ("title", "struct"),
    [
        ("Fields of `limits`", SharedLimits),
        ("Fields of `me`", Person),
        ("Fields of `messages`", f.PageMessage),
    ],
)
def test_every_field_inside_a_frame_is_described(title: str, struct: type) -> None:
    assert first_column(section(title, 4)) == list(struct.__struct_fields__)


def test_every_kind_of_message_is_described() -> None:
    assert set(MessageKind) <= set(first_column(section("Types")))


def test_every_error_code_is_described() -> None:
    assert sorted(first_column(section("Errors"))) == sorted(ErrorCode)


def test_every_close_code_is_described() -> None:
    rows = re.findall(r"^\| (\d{4}) \| ([a-z ]+) \|", section("Close codes"), re.M)
    described = {int(code): name for code, name in rows}
    assert described == {
        code.value: code.name.lower().replace("_", " ") for code in CloseCode
    }


def test_close_codes_that_are_never_sent_are_marked_and_no_others() -> None:
    code = "".join(
        path.read_text("utf-8")
        for package in ("kefu_core", "kefu_server")
        for path in (ROOT / package).rglob("*.py")
    )
    unsent = {c.value for c in CloseCode if f"CloseCode.{c.name}" not in code}
    rows = re.findall(r"^\| (\d{4}) \|.*never sends", section("Close codes"), re.M)
    assert {int(row) for row in rows} == unsent


UNTAKEN = {
    "a malformed frame": b'{"t":"send","key":"a","conversation":1,"n":1,"body":3}',
    "an empty key": b'{"t":"send","key":"","conversation":1,"n":1,"body":"x"}',
    "a key too long": JSON.encode(
        f.Send(key="k" * 65, conversation=ConversationId(1), n=1, body="x")
    ),
    "a batch too large": JSON.encode(
        f.Send(key="a", conversation=ConversationId(1), n=1, body="x" * 70_000)
    ),
}


@pytest.mark.parametrize("untaken", UNTAKEN.values(), ids=UNTAKEN)
def test_a_send_that_was_never_taken_has_not_used_its_number(untaken: bytes) -> None:
    decode = client_frame_decoder(JSON, Limits()).decode
    server = ServerSession(Limits(), 0.0)
    server.receive(decode(b'{"t":"hello"}'), 0.0)
    server.welcome(
        session="s",
        epoch="e",
        resumed=True,
        me=Person(id=ParticipantId("v1"), name="", role=Role.VISITOR),
        heads={},
        at=UnixMs(0),
        expires_at=None,
    )
    server.frames_to_send()
    later = b'{"t":"send","key":"b","conversation":1,"n":2,"body":"y"}'
    server.receive(decode(untaken), 0.0)
    server.receive(decode(later), 0.0)
    refused, out_of_order = server.frames_to_send()
    assert isinstance(refused, f.ErrorFrame)
    assert isinstance(out_of_order, f.ErrorFrame)
    assert (refused.retry, out_of_order.code) == ("none", "out_of_order")


def test_every_method_is_described() -> None:
    text, _, rows = section("Calls").partition("A row:")
    assert sorted(first_column(text)) == sorted(CALLS)
    assert first_column(rows) == list(agents_row(ROW, "n", 0))
    own = re.findall(r"^\| `(\w+)` \| [^|]+ \| yes \|", rows, re.MULTILINE)
    assert own == list(visitors_row(ROW))


def test_every_list_is_described() -> None:
    topics = set().union(*(rights.topics for rights in RIGHTS.values()))
    assert set(first_column(section("Watched lists"))) == (
        topics | {f"{STAFFED}SITE", f"{QUEUE}SITE.VISITOR"}
    )


def test_the_numbers_are_those_of_the_limits() -> None:
    limits = Limits()
    text = section("Limits")
    for number in (
        f"{limits.frame_bytes_max // 1024} KiB",
        f"{limits.batch_frames_max} frames",
        f"{limits.depth_max} levels",
        f"{limits.visitor_text_chars_max:,} characters",
        f"{limits.text_chars_max:,} from an agent",
        f"{limits.visitor_messages_burst} at once",
        f"{limits.agent_messages_burst} at once",
        f"{limits.frames_burst} at once and {limits.frames_per_s:.0f} a second",
        f"{limits.visitor_connections_max} of a visitor",
        f"{limits.agent_connections_max} of an agent",
        f"{limits.address_connections_max} of one address",
        f"{limits.hello_timeout_s:.0f} s",
        f"{limits.requests_waiting_max} a connection",
        f"{limits.new_conversations_per_h} an hour a visitor",
        f"{limits.new_conversations_per_address_h} an hour an address",
    ):
        assert number in text, number
    assert f"({limits.heartbeat_s:.0f} s)" in section("Heartbeats")
    assert f"{limits.receipt_interval_s} s" in section("Acks, reads and receipts")
    assert f"{limits.list_rows_max} rows" in section("Watched lists")
    page = f"{limits.page_bytes_max // 1024} KiB"
    assert page in section("History: fetch and page")


def test_every_link_leads_to_a_heading() -> None:
    titles = re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", t.lower()).replace(" ", "-") for t in titles}
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= anchors


EXAMPLES = [
    line
    for block in re.findall(r"```jsonl\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
]


@pytest.mark.parametrize("line", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_is_a_frame_of_its_direction(line: str) -> None:
    arrow, _, text = line.partition(" ")
    make = {"→": client_frame_decoder, "←": server_frame_decoder}[arrow]
    (frame,) = make(JSON, Limits()).decode(text)
    assert not isinstance(frame, BadFrame), frame
    known = set(FRAMES[frame.__struct_config__.tag].__struct_fields__) | {"t"}
    assert set(re.findall(r'[{,]"(\w+)":', re.sub(r"(?<=:)\{.*?\}", "0", text))) <= (
        known
    )
