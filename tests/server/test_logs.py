"""The log: one clean line for each event."""

import contextvars
import io
import json
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kefu_core import serving
from kefu_server.logs import JsonFormatter, LineFormatter, configure_logging, event


@pytest.mark.parametrize(
    "nasty", ["a\r\nb", "\x1b[31m", "\x00", "\u2028", "\u202e", "\x9b"]
)
def test_a_log_line_is_one_clean_line_whatever_is_in_it(nasty: str) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter())
    logger = logging.getLogger("kefu.test.lines")
    logger.addHandler(handler)
    logger.propagate = False
    try:
        raise ValueError(nasty)
    except ValueError:
        logger.exception(event("fault", path=nasty, many=nasty * 1000))
    logger.removeHandler(handler)
    line = stream.getvalue()
    assert line.endswith("\n")
    assert nasty not in line
    assert line[:-1].isprintable()
    assert len(line.split(" traceback=")[0]) < 4000
    assert " ERROR kefu.test.lines fault " in line


@pytest.fixture
def _own_logging() -> Iterator[None]:
    root, levels = logging.getLogger(), {}
    handlers = list(root.handlers)
    for name in ("", "kefu", "kefu_core", "kefu_server", "alembic", "asyncio"):
        levels[name] = logging.getLogger(name).level
    yield
    root.handlers = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.usefixtures("_own_logging")
@pytest.mark.parametrize(
    ("level", "ours", "others"),
    [("debug", "DEBUG", "INFO"), ("info", "INFO", "INFO"), ("error", "ERROR", "ERROR")],
)
def test_libraries_never_say_all_that_passes_through_them(
    level: str, ours: str, others: str
) -> None:
    configure_logging(level, stream=io.StringIO())
    found = {
        name: logging.getLevelName(logging.getLogger(name).getEffectiveLevel())
        for name in ("kefu.http", "kefu_core.hub.hub", "aiosqlite", "websockets")
    }
    assert found == {
        "kefu.http": ours,
        "kefu_core.hub.hub": ours,
        "aiosqlite": others,
        "websockets": others,
    }


def test_a_field_with_blanks_is_quoted() -> None:
    assert event("x", a="b c", d=1) == 'x a="b c" d=1'


# -- JSON ------------------------------------------------------------------------------


def _json(message: object, **more: object) -> dict[str, object]:
    record = logging.LogRecord("kefu.x", logging.INFO, "", 0, message, None, None)
    for name, value in more.items():
        setattr(record, name, value)
    line = JsonFormatter().format(record)
    assert "\n" not in line
    assert line.isascii()
    assert line.isprintable()
    found: dict[str, object] = json.loads(line)
    return found


def test_an_event_keeps_its_fields_as_they_are() -> None:
    found = _json(event("request", path="/a\x1b茶", status=401, ms=1.5, who=None))
    assert found.pop("time")
    assert found == {
        "level": "info",
        "logger": "kefu.x",
        "message": "request",
        "path": "/a\x1b茶",
        "status": 401,
        "ms": 1.5,
        "who": "None",
    }


def test_no_field_takes_the_place_of_what_every_line_has() -> None:
    said = event("x", level="error", message="other", time="never", many="a" * 999)
    found = _json(said)
    assert (found["level"], found["message"]) == ("info", "x")
    assert found["time"] != "never"
    assert found["many"] == "a" * 300


def test_a_fault_is_one_line_with_its_traceback() -> None:
    try:
        raise ValueError("a\r\nb\ud800")
    except ValueError:
        found = _json("it failed", exc_info=sys.exc_info())
    assert found["message"] == "it failed"
    assert "ValueError: a\r\nb\ud800" in str(found["traceback"])


def test_whom_a_line_is_about_stands_in_it() -> None:
    def line(text: str) -> tuple[str, dict[str, object]]:
        record = logging.LogRecord("kefu", logging.INFO, "", 0, text, None, None)
        return LineFormatter().format(record), _json(text)

    def served() -> None:
        serving.request.set("r1")
        serving.connection.set("17")
        readable, found = line("waits")
        assert readable.endswith(" INFO kefu waits request=r1 connection=17")
        assert (found["request"], found["connection"]) == ("r1", "17")

    contextvars.copy_context().run(served)
    readable, found = line("waits")
    assert readable.endswith(" INFO kefu waits")
    assert "request" not in found


@pytest.mark.usefixtures("_own_logging")
def test_the_journal_gets_a_priority_and_keeps_the_time_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "journal").open("w+") as journal:
        state = os.fstat(journal.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{state.st_dev}:{state.st_ino}")
        configure_logging("info", stream=journal)
        logging.getLogger("kefu").warning(event("slow", ms=3))
        configure_logging("info", stream=io.StringIO())
        journal.seek(0)
        assert journal.read() == "<4>WARNING kefu slow ms=3\n"
