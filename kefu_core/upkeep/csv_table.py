"""A table that spreadsheets open as it is meant.

Excel takes a file for UTF-8 only by its byte order mark, a cell that begins with one of
`= + - @` for a formula, and a number of more than fifteen digits for a rounded one. So
the file begins with the mark, such cells get a `'` in front, and a conversation's id is
written with a `#`.
"""

import csv
import io
from datetime import UTC, datetime, tzinfo

import msgspec

from kefu_core.model import Conversation, Cursor, Message
from kefu_core.types import ParticipantId, UnixMs
from kefu_core.upkeep.writing import Heading, Page, Writer

COLUMNS = (
    "conversation",
    "site",
    "visitor",
    "seq",
    "time",
    "zone",
    "sender",
    "name",
    "role",
    "kind",
    "text",
    "data",
    "ref",
)
# The wide forms too: Excel reads them as the plain ones in Chinese and Japanese.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_ROLES = {"v": "visitor", "a": "agent", "s": "system"}
_encode = msgspec.json.Encoder().encode


class CsvWriter(Writer):
    """RFC 4180, with a byte order mark."""

    def __init__(self, tz: tzinfo | None) -> None:
        self._tz = tz

    def begin(self, heading: Heading) -> str:
        return "\ufeff" + _rows([COLUMNS])

    def conversation(self, page: Page) -> str:
        return ""

    def messages(self, page: Page) -> str:
        site = page.site.name
        visitor = _name(page, page.conversation.visitor)
        return _rows(
            [
                (
                    f"#{message.conversation}",
                    safe_cell(site),
                    safe_cell(visitor),
                    str(message.seq),
                    *local_time(message.at, self._tz),
                    safe_cell(message.sender),
                    safe_cell(_name(page, message.sender)),
                    _ROLES.get(message.sender[:1], ""),
                    message.kind.value,
                    safe_cell(message.body),
                    safe_cell(_data(message)),
                    "" if message.ref is None else str(message.ref),
                )
                for message in page.messages
            ]
        )

    def cursors(self, conversation: Conversation, cursors: list[Cursor]) -> str:
        return ""

    def end(self, conversations: int, messages: int) -> str:
        return ""


def safe_cell(text: str) -> str:
    """Return a cell that no spreadsheet takes for a formula, with plain line ends."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{text}" if text.startswith(_FORMULA) else text


def local_time(at: UnixMs, tz: tzinfo | None) -> tuple[str, str]:
    """Return a moment as people write it there, and how far that is from UTC."""
    try:
        local = datetime.fromtimestamp(at / 1000, UTC).astimezone(tz)
    except (ValueError, OverflowError, OSError):
        # Only a damaged row has such a time; the rest of the file is written.
        return str(at), ""
    zone = local.strftime("%z")
    return local.strftime("%Y-%m-%d %H:%M:%S"), f"UTC{zone[:3]}:{zone[3:5]}"


def _rows(rows: list[tuple[str, ...]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def _name(page: Page, who: ParticipantId) -> str:
    person = page.names.get(who)
    return person.name if person is not None else ""


def _data(message: Message) -> str:
    return _encode(message.data).decode() if message.data is not None else ""
