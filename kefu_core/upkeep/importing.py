"""Reading an archive: what is new goes in, what is there must agree, the rest is told.

A log may never have a hole, so of each conversation its beginning goes in, up to the
first line that cannot; what follows that line in the same conversation is left out,
and a later run with a mended file continues it. Everything else in the file goes in.
A second run of the same file changes nothing.

Sites, visitors and agents are made where they are absent and left alone where they are
not: agents as accounts that cannot log in, so that their names show; sites without
origins, since whose pages may show the widget is not for a file to say.
"""

from collections.abc import Callable, Iterator
from typing import BinaryIO

import anyio
import msgspec

from kefu_core.abc.store import Store
from kefu_core.abc.upkeep import Imported, LogPiece
from kefu_core.errors import Conflict, Invalid
from kefu_core.folding import is_visitor
from kefu_core.model import Agent, Conversation, Cursor, Message, Person, Role, Site
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs
from kefu_core.upkeep import checks, persons
from kefu_core.upkeep.records import (
    FORMAT,
    VERSION,
    ConversationRecord,
    CursorRecord,
    EndRecord,
    HeaderRecord,
    MessageRecord,
    PersonRecord,
    Record,
    SiteRecord,
    VisitRecord,
)

LINE_BYTES_MAX = 262_144
"""A record of the largest message, every character of it escaped, fits."""
FAULTS_MAX = 100
_BATCH = 200
_PIECES = 20
_BATCH_BYTES = 500_000
_INDEXED_AT_ONCE = 50
_NAMES_MAX = 10_000
_PAUSE_S = 0.005
"""Between two transactions: a running server's sends come in between."""
_UNUSABLE = "!"
"""What no password has for its hash."""
_LOCALES = ("zh-CN", "en")
_decode = msgspec.json.Decoder(Record).decode
_BOM = b"\xef\xbb\xbf"


class LineFault(msgspec.Struct, frozen=True, kw_only=True):
    """A line that did not go in."""

    line: int
    text: str

    def __str__(self) -> str:
        """Return it as one line."""
        return f"line {self.line}: {self.text}"


class ImportReport(msgspec.Struct, kw_only=True):
    """What was in the file, and what became of it."""

    conversations: int = 0
    messages: int = 0
    new_conversations: int = 0
    new_messages: int = 0
    left_out: int = 0
    """Messages that did not go in."""
    fault_count: int = 0
    faults: list[LineFault] = []
    """The first hundred."""


async def import_archive(
    store: Store,
    file: BinaryIO,
    *,
    now_ms: Callable[[], int],
    on_progress: Callable[[int], None] | None = None,
) -> ImportReport:
    """Take in an archive from an open file, line by line; memory is bounded.

    Args:
        store: Where to; other processes may serve it meanwhile.
        file: Read once, from where it stands.
        now_ms: The wall clock.
        on_progress: Told how many bytes have been read.

    Raises:
        Invalid: The file is no archive; nothing was changed.
        StoreUnavailable: What went in is in; run it again.
    """
    reader = _Reader(store, now_ms)
    lines = _Lines(file)
    for number, line in lines:
        await reader.take(number, line)
        if on_progress is not None:
            on_progress(lines.read)
    await reader.finish(lines.number)
    return reader.report


class _Lines:
    """Lines of a file with their numbers; None for one that is too long."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.number = 0
        self.read = 0
        """Bytes."""

    def __iter__(self) -> Iterator[tuple[int, bytes | None]]:
        while line := self._file.readline(LINE_BYTES_MAX):
            self.number += 1
            self.read += len(line)
            is_whole = line.endswith(b"\n") or len(line) < LINE_BYTES_MAX
            while not line.endswith(b"\n"):
                line = self._file.readline(LINE_BYTES_MAX)
                self.read += len(line)
                if not line:
                    break
            yield self.number, line if is_whole else None


class _Piece:
    """A conversation on its way in."""

    def __init__(self, line: int, number: int) -> None:
        self.line = line
        self.id = number
        self.opened: Conversation | None = None
        """None: no more of it is taken; why has been told."""
        self.visitor = Person(id=ParticipantId("v0"), name="", role=Role.VISITOR)
        self.person: PersonRecord | None = None
        """What the archive knows of the visitor."""
        self.next = Seq(1)
        self.waiting: list[tuple[int, Message]] = []
        """Messages with their lines, for the next transaction."""
        self.cursors: list[tuple[int, CursorRecord]] = []
        self.head = Seq(0)
        """The last seq that has gone in."""


class _Reader:
    """The state between two lines."""

    def __init__(self, store: Store, now_ms: Callable[[], int]) -> None:
        self.report = ImportReport()
        self._store = store
        self._now_ms = now_ms
        self._has_end = False
        self._sites: set[int] | None = None
        self._agents: set[ParticipantId] = set()
        """Known to exist here."""
        self._names: dict[ParticipantId, PersonRecord] = {}
        """Of visitors, until their conversation comes."""
        self._piece: _Piece | None = None
        """The conversation whose messages come now."""
        self._pieces: list[_Piece] = []
        """What waits for the next transaction; the piece of now may be in it."""
        self._waiting = 0
        """Messages in all of them."""
        self._bytes = 0
        self._touched: list[ConversationId] = []
        """Conversations to index."""

    # -- lines -------------------------------------------------------------------------

    async def take(self, number: int, line: bytes | None) -> None:
        """Take the next line. Raises `Invalid` if the first is no header."""
        if number == 1:
            self._header((line or b"").removeprefix(_BOM))
            return
        if line is None:
            self._find(number, f"is longer than {LINE_BYTES_MAX:,} bytes")
            return
        if not line.strip():
            return
        try:
            await self._record(number, _decode(line), len(line))
        except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
            self._find(number, f"cannot be read: {str(error)[:200]}")
        except (Invalid, Conflict) as error:
            self._find(number, str(error))

    def _header(self, line: bytes) -> None:
        try:
            header = _decode(line)
        except (msgspec.DecodeError, RecursionError, UnicodeError):
            header = None
        if not isinstance(header, HeaderRecord) or header.format != FORMAT:
            raise Invalid("This file is no archive of kefu: its first line says other.")
        if header.version != VERSION:
            raise Invalid(
                f"This archive is of version {header.version}; this program reads "
                f"{VERSION}. Install a newer one."
            )

    async def _record(self, number: int, record: Record, size: int) -> None:
        match record:
            case SiteRecord():
                await self._site(record)
            case PersonRecord():
                await self._person(record)
            case ConversationRecord():
                await self._conversation(number, record)
            case MessageRecord():
                await self._message(number, record, size)
            case CursorRecord():
                await self._cursor(number, record)
            case EndRecord():
                await self._end(record)
            case VisitRecord():
                pass  # Where somebody was stays where it was kept, as long as there.
            case HeaderRecord():
                raise Invalid("is a second header")

    def _find(self, line: int, text: str) -> None:
        report = self.report
        report.fault_count += 1
        if len(report.faults) < FAULTS_MAX:
            report.faults.append(LineFault(line=line, text=text.rstrip(".")))

    # -- people and places -------------------------------------------------------------

    async def _site(self, record: SiteRecord) -> None:
        checks.check_site(record)
        if self._sites is None:
            self._sites = {site.id for site in await self._store.sites()}
        if record.id in self._sites:
            return
        await self._store.put_site(
            Site(
                id=record.id,
                name=record.name,
                embed_key=record.embed_key,
                locale=record.locale if record.locale in _LOCALES else _LOCALES[0],
                retention_days=record.retention_days,
            )
        )
        self._sites.add(record.id)

    async def _person(self, record: PersonRecord) -> None:
        checks.check_person(record)
        persons.check_facts(record)
        who = ParticipantId(record.id)
        if is_visitor(who):
            if len(self._names) >= _NAMES_MAX:
                self._names.clear()
            self._names[who] = record
        else:
            await self._agent(who, record)

    async def _agent(self, who: ParticipantId, record: PersonRecord | None) -> None:
        """See to it that an agent has an account, so that its name shows."""
        if who in self._agents or not who.startswith("a"):
            return
        number = int(who[1:])
        if await self._store.find_agent(agent_id=number) is None:
            await self._store.put_agent(
                Agent(
                    id=number,
                    login=f"imported-{number}",
                    name=record.name if record is not None else "",
                    password_hash=_UNUSABLE,
                    role=Role.AGENT,
                    is_active=False,
                )
            )
        if len(self._agents) >= _NAMES_MAX:
            self._agents.clear()
        self._agents.add(who)

    # -- conversations -----------------------------------------------------------------

    async def _conversation(self, number: int, record: ConversationRecord) -> None:
        self.report.conversations += 1
        self._piece = piece = _Piece(number, record.id)
        checks.check_conversation(record, UnixMs(self._now_ms()))
        piece.opened = Conversation(
            id=ConversationId(record.id),
            site_id=record.site,
            visitor=ParticipantId(record.visitor),
            opened_at=UnixMs(record.opened_at),
        )
        piece.person = named = self._names.get(piece.opened.visitor)
        piece.visitor = Person(
            id=piece.opened.visitor,
            name=named.name if named is not None else "",
            role=Role.VISITOR,
        )
        if len(self._pieces) >= _PIECES or any(
            other.id == piece.id for other in self._pieces
        ):
            await self._flush()
        self._pieces.append(piece)

    async def _message(self, number: int, record: MessageRecord, size: int) -> None:
        self.report.messages += 1
        piece = self._piece
        if piece is None or record.conversation != piece.id:
            self.report.left_out += 1
            raise Invalid("is of a conversation that does not stand before it")
        if piece.opened is None:
            self.report.left_out += 1
            return  # Why it is left out has been told.
        if record.seq < piece.next:
            self.report.left_out += 1
            raise Invalid(f"comes after seq {piece.next - 1}, with seq {record.seq}")
        try:
            message = checks.read_message(
                record, piece.opened.visitor, UnixMs(self._now_ms())
            )
            if record.seq != piece.next:
                raise Invalid(f"seq {piece.next} is missing before it")
            await self._agent(message.sender, None)
        except (Invalid, Conflict) as error:
            # What waits of it goes in first; then nothing more of it is taken.
            await self._flush()
            self.report.left_out += 1
            piece.opened = None
            text = f"{error}; the rest of its conversation is left out"
            raise Invalid(text) from error
        piece.next = Seq(record.seq + 1)
        piece.waiting.append((number, message))
        if piece not in self._pieces:
            self._pieces.append(piece)
        self._waiting += 1
        self._bytes += size
        if self._waiting >= _BATCH or self._bytes >= _BATCH_BYTES:
            await self._flush()

    async def _cursor(self, number: int, record: CursorRecord) -> None:
        piece = self._piece
        if piece is None or record.conversation != piece.id:
            raise Invalid("is of a conversation that does not stand before it")
        if piece.opened is None:
            return
        piece.cursors.append((number, record))
        if piece not in self._pieces:
            self._pieces.append(piece)

    # -- writing -----------------------------------------------------------------------

    async def _flush(self) -> None:
        """Write what waits; a message that does not fit ends its conversation."""
        pieces = [
            (piece, piece.opened, piece.visitor)
            for piece in self._pieces
            if piece.opened is not None
        ]
        self._pieces, self._waiting, self._bytes = [], 0, 0
        if not pieces:
            return
        done = await self._store.import_logs(
            [
                LogPiece(
                    opened=opened,
                    visitor=visitor,
                    messages=[message for _, message in piece.waiting],
                )
                for piece, opened, visitor in pieces
            ]
        )
        cursors: list[Cursor] = []
        for (piece, opened, _), imported in zip(pieces, done, strict=True):
            self._note(piece, imported)
            if imported.is_new and piece.person is not None:
                await persons.restore(self._store, piece.person)
            self._touched.append(opened.id)
            cursors += self._cursors_of(piece, opened.id)
        if cursors:
            await self._store.advance_cursors(cursors)
        if len(self._touched) >= _INDEXED_AT_ONCE:
            await self._index()
        await anyio.sleep(_PAUSE_S)

    def _note(self, piece: "_Piece", imported: Imported) -> None:
        waiting, piece.waiting = piece.waiting, []
        self.report.new_conversations += imported.is_new
        self.report.new_messages += imported.messages
        if imported.fault is None:
            piece.head = waiting[-1][1].seq if waiting else piece.head
            return
        left = [each for each in waiting if each[1].seq >= (imported.at or 0)]
        line = left[0][0] if imported.at is not None else piece.line
        self._find(line, f"{imported.fault}; the rest of its conversation is left out")
        self.report.left_out += len(left)
        piece.head = Seq(max(piece.head, (imported.at or 1) - 1))
        piece.opened = None

    def _cursors_of(
        self, piece: "_Piece", conversation: ConversationId
    ) -> list[Cursor]:
        records, piece.cursors = piece.cursors, []
        found: list[Cursor] = []
        for line, record in records:
            try:
                checks.check_cursor(record, piece.head)
            except Invalid as error:
                if piece.opened is not None:
                    self._find(line, str(error))
                continue
            found.append(
                Cursor(
                    conversation=conversation,
                    participant=ParticipantId(record.participant),
                    delivered=Seq(record.delivered),
                    read=Seq(record.read),
                )
            )
        return found

    # -- the end -----------------------------------------------------------------------

    async def _index(self) -> None:
        """Have what went in found by searching."""
        touched, self._touched = list(dict.fromkeys(self._touched)), []
        while touched and await self._store.index_some(touched):
            await anyio.sleep(_PAUSE_S)
        # What many small steps added is merged as it comes: no server may be running.
        while touched and await self._store.tend_index():
            await anyio.sleep(_PAUSE_S)

    async def _end(self, record: EndRecord) -> None:
        await self._flush()
        self._has_end = True
        report = self.report
        if (record.conversations, record.messages) != (
            report.conversations,
            report.messages,
        ):
            raise Invalid(
                f"says {record.conversations:,} conversations and "
                f"{record.messages:,} messages, which is not what was read"
            )

    async def finish(self, number: int) -> None:
        """Take the end of the file."""
        if not number:
            self._header(b"")
        await self._flush()
        await self._index()
        if not self._has_end:
            self._find(number + 1, "the file is cut off here")
