"""The log: one clean line for each event, whatever text is in it.

A line is `time LEVEL logger event key=value …`, or the same as one JSON object. While a
request or a connection is served, its id stands in every line, whoever writes it.
Nothing here ever receives a message's text, a token or a cookie; what strangers can
choose (paths, names) is escaped, so that no line break or terminal escape of theirs
reaches the operator's screen.
"""

import json
import logging
import os
import re
import sys
from datetime import UTC, datetime
from typing import Literal, TextIO

from kefu_core import serving

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_FIELD_CHARS_MAX = 300
OUR_LOGGERS = ("kefu", "kefu_core", "kefu_server")
Form = Literal["readable", "json"]
_PRIORITIES = {"DEBUG": 7, "INFO": 6, "WARNING": 4, "ERROR": 3, "CRITICAL": 2}
"""What systemd's journal calls the levels (sd-daemon(3))."""
_NUMBERS = (bool, int, float)


def escape(text: str) -> str:
    """Return `text` with every control character written as its number."""
    return _CONTROL.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


class Event(str):
    """One event as a readable line that has kept its parts."""

    name: str
    fields: dict[str, object]


def event(name: str, **fields: object) -> Event:
    """Return one log line: an event and its fields, each cut to 300 characters."""
    line = Event(" ".join([name, *_pairs(fields)]))
    line.name, line.fields = name, fields
    return line


def _pairs(fields: dict[str, object]) -> list[str]:
    parts = []
    for key, value in fields.items():
        text = escape(str(value)[:_FIELD_CHARS_MAX])
        parts.append(f'{key}="{text}"' if " " in text else f"{key}={text}")
    return parts


def _ids() -> dict[str, object]:
    """Return whom the line is about: the request, the connection, or neither."""
    found = {"request": serving.request.get(), "connection": serving.connection.get()}
    return {key: value for key, value in found.items() if value}


def _stamp(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class LineFormatter(logging.Formatter):
    """Writes one record, with its traceback, as one line for people."""

    def __init__(self, *, is_journal: bool = False) -> None:
        """Where the journal reads, it has the time itself and takes a priority."""
        super().__init__()
        self._is_journal = is_journal

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        text = " ".join([record.getMessage(), *_pairs(_ids())])
        if record.exc_info:
            text += " traceback=" + self.formatException(record.exc_info)
        level = record.levelname
        front = f"<{_PRIORITIES.get(level, 5)}>" if self._is_journal else _stamp(record)
        space = "" if self._is_journal else " "
        return f"{front}{space}{level} {record.name} {escape(text)}"


class JsonFormatter(logging.Formatter):
    """Writes one record as one JSON object in ASCII, for programs that collect them."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record; what is always there stands as it is."""
        said = record.msg
        fields = said.fields if isinstance(said, Event) else {}
        line: dict[str, object] = {
            "time": _stamp(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": said.name if isinstance(said, Event) else record.getMessage(),
        }
        line |= _ids()
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        more = {
            key: value if isinstance(value, _NUMBERS) else str(value)[:_FIELD_CHARS_MAX]
            for key, value in fields.items()
        }
        return json.dumps(line | {k: v for k, v in more.items() if k not in line})


def _is_journal(stream: TextIO) -> bool:
    """Whether systemd's journal reads a stream (systemd.exec(5), JOURNAL_STREAM)."""
    try:
        state = os.fstat(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{state.st_dev}:{state.st_ino}"


def configure_logging(
    level: str, form: Form = "readable", stream: TextIO | None = None
) -> None:
    """Send every logger of the process to one stream; standard error by default.

    `debug` is for our own loggers.
    """
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        JsonFormatter()
        if form == "json"
        else LineFormatter(is_journal=_is_journal(stream))
    )
    others = "INFO" if level == "debug" else level.upper()
    logging.basicConfig(level=others, handlers=[handler], force=True)
    # Python's own warnings would be lines of another shape.
    logging.captureWarnings(True)
    # What libraries say at "debug" holds all that passes through them: the database's
    # driver, for one, every text and every hash. Ours never say such things.
    for name in OUR_LOGGERS:
        logging.getLogger(name).setLevel(level.upper())
    # These say much at "info" that an operator does not need.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    # MySQL warns of every primary key that it has a name of its own for it.
    logging.getLogger("asyncmy").setLevel(logging.ERROR)
