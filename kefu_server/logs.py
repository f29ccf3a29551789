"""The log: one clean line for each event, whatever text is in it.

A line is `time level logger event key=value …`. Nothing here ever receives a message's
text, a token or a cookie; what strangers can choose (paths, names) is escaped, so that
no line break or terminal escape of theirs reaches the operator's screen.
"""

import logging
import re
import sys
from datetime import UTC, datetime
from typing import TextIO

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_FIELD_CHARS_MAX = 300
OUR_LOGGERS = ("kefu", "kefu_core", "kefu_server")


def escape(text: str) -> str:
    """Return `text` with every control character written as its number."""
    return _CONTROL.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def event(name: str, **fields: object) -> str:
    """Return one log line: an event and its fields, each cut to 300 characters."""
    parts = [name]
    for key, value in fields.items():
        text = escape(str(value)[:_FIELD_CHARS_MAX])
        parts.append(f'{key}="{text}"' if " " in text else f"{key}={text}")
    return " ".join(parts)


class LineFormatter(logging.Formatter):
    """Writes one record, with its traceback, as one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        at = datetime.fromtimestamp(record.created, UTC)
        stamp = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        text = record.getMessage()
        if record.exc_info:
            text += " traceback=" + self.formatException(record.exc_info)
        return f"{stamp} {record.levelname} {record.name} {escape(text)}"


def configure_logging(level: str, stream: TextIO | None = None) -> None:
    """Send every logger of the process to one stream; standard error by default.

    `debug` is for our own loggers.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(LineFormatter())
    others = "INFO" if level == "debug" else level.upper()
    logging.basicConfig(level=others, handlers=[handler], force=True)
    # What libraries say at "debug" holds all that passes through them: the database's
    # driver, for one, every text and every hash. Ours never say such things.
    for name in OUR_LOGGERS:
        logging.getLogger(name).setLevel(level.upper())
    # These two say much at "info" that an operator does not need.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    # MySQL warns of every primary key that it has a name of its own for it.
    logging.getLogger("asyncmy").setLevel(logging.ERROR)
