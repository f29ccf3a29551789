"""What every client of a run did and saw, as JSON Lines that the judge reads.

Times are monotonic seconds of one machine, so that "acknowledged before sent" can be
decided between processes. Bodies are kept as hashes; the database has the text.
"""

import hashlib
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path

import msgspec


class What(StrEnum):
    """What a line of the history tells."""

    INVOKE = "invoke"
    """A client put a message into its outbox."""
    OK = "ok"
    """The client was told that it is stored, and under which seq."""
    ERROR = "error"
    """The client was told that it will never be stored."""
    UNKNOWN = "unknown"
    """The run ended before the client was told anything."""
    SHOWN = "shown"
    """A reader got a message, in the order in which a person would see it."""
    END = "end"
    """A reader left after everything had come to rest: it must hold all of the log."""


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the history."""

    what: What
    at: float
    process: str
    """The client: one outbox, one display. Two tabs are two processes."""
    due: float = 0.0
    """On `invoke`: when a load with a rate was to send it; 0: at once."""
    conversation: int
    key: str = ""
    """The sender's own key; on `shown` only where the reader is the sender."""
    seq: int = 0
    sender: str = ""
    kind: str = ""
    body: str = ""
    """Hash of the text."""
    rolling: str = ""
    """On `shown`: hash of all that this reader was shown in this conversation."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One message as the database holds it."""

    conversation: int
    seq: int
    sender: str
    key: str
    kind: str
    body: str
    at: int = 0


def body_hash(body: str) -> str:
    """Return what stands for a text in histories."""
    return hashlib.blake2b(body.encode(), digest_size=8).hexdigest()


def roll(previous: str, *, seq: int, sender: str, kind: str, body: str) -> str:
    """Return the rolling hash after one more message.

    A reader is told the keys of its own messages only, so the key is no part of what
    all readers can agree on; the generator's bodies are unique and stand for it, and
    the judge compares the keys where they were shown.
    """
    text = f"{previous}|{seq}|{sender}|{kind}|{body}"
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


class Reader:
    """Records the display of one client, conversation by conversation."""

    def __init__(self, history: "History", process: str) -> None:
        self._history = history
        self._process = process
        self._rolling: dict[int, str] = {}
        self.last_seq: dict[int, int] = {}

    def shown(self, row: Row, at: float) -> None:
        """Note one message that was displayed; `row.body` is the text itself."""
        body = body_hash(row.body)
        rolling = roll(
            self._rolling.get(row.conversation, ""),
            seq=row.seq,
            sender=row.sender,
            kind=row.kind,
            body=body,
        )
        self._rolling[row.conversation] = rolling
        self.last_seq[row.conversation] = row.seq
        self._history.add(
            Record(
                what=What.SHOWN,
                at=at,
                process=self._process,
                conversation=row.conversation,
                key=row.key,
                seq=row.seq,
                sender=row.sender,
                kind=row.kind,
                body=body,
                rolling=rolling,
            )
        )

    def left(self, at: float) -> None:
        """Note that this reader has seen everything, after the run came to rest."""
        for conversation, seq in self.last_seq.items():
            self._history.add(
                Record(
                    what=What.END,
                    at=at,
                    process=self._process,
                    conversation=conversation,
                    seq=seq,
                )
            )


class History:
    """Records of one generator process, kept in memory until the run is over."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.add = self.records.append

    def write(self, path: Path) -> None:
        """Append all records to a file."""
        encode = msgspec.json.Encoder().encode_lines
        with path.open("ab") as file:
            file.write(encode(self.records))


def read_history(path: Path) -> Iterator[Record]:
    """Yield the records of a file, in file order.

    Raises:
        ValueError: A line is no record; names the line.
    """
    decode = msgspec.json.Decoder(Record).decode
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                yield decode(line)
            except msgspec.DecodeError as error:
                raise ValueError(f"{path}, line {number}: {error}") from error


def in_time_order(records: Iterable[Record]) -> list[Record]:
    """Return records by time; those of one process keep their order."""
    return sorted(records, key=lambda record: record.at)
