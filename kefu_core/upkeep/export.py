"""Writing conversations out: as an archive, a table or a page.

What is written is read in pages and written in chunks, so the memory it takes does not
depend on how much there is. Conversations are walked by id: what is written meanwhile
is neither doubled nor skipped, and of each conversation exactly the log up to its row's
`last_seq` is written.
"""

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from datetime import tzinfo
from enum import StrEnum

from kefu_core.abc.archive import ConversationFilter
from kefu_core.abc.store import Store
from kefu_core.errors import NotFound
from kefu_core.model import Conversation, Message, MessageKind, Person, Site
from kefu_core.records import Ban, BanKind, PageView, Visit, VisitorProfile
from kefu_core.types import ConversationId, ParticipantId, Seq, UnixMs
from kefu_core.upkeep.csv_table import CsvWriter
from kefu_core.upkeep.html_page import HtmlWriter
from kefu_core.upkeep.jsonlines import JsonLinesWriter
from kefu_core.upkeep.writing import Heading, Page, Writer

CHUNK_BYTES = 65_536
_PAGE = 500
_NAMES_MAX = 5_000


class ExportFormat(StrEnum):
    """What to write."""

    JSONL = "jsonl"
    """Complete; `kefu import` reads it."""
    CSV = "csv"
    """A table for spreadsheets, a row a message."""
    HTML = "html"
    """A page for reading and printing."""


Selection = ConversationFilter | ConversationId
"""All conversations of a filter, or one by its id."""
OnProgress = Callable[[int, int], None]
"""Is told how many conversations and messages have been written."""


async def export(
    store: Store,
    selection: Selection,
    format: ExportFormat,
    tz: tzinfo | None,
    *,
    now_ms: Callable[[], int],
    language: str = "zh-CN",
    on_progress: OnProgress | None = None,
) -> AsyncGenerator[bytes]:
    """Yield the bytes of an export, in chunks of some 64 KiB.

    Internal notes and labels are in it: it is for agents. Closing the generator early
    leaves nothing behind.

    Args:
        store: An open store; reads only.
        selection: Which conversations, by id ascending.
        format: What to write.
        tz: Of the times in a table or a page, None for this machine's; an archive has
            Unix milliseconds.
        now_ms: The wall clock.
        language: Of the page's own few words: `zh-CN` or `en`.
        on_progress: Told after every page.

    Raises:
        NotFound: The one conversation does not exist; before the first chunk.
        StoreUnavailable: In mid-file; what was yielded is not whole.
    """
    walker = _Walker(store, _writer(format, tz, language), on_progress)
    chunk: list[bytes] = []
    size = 0
    async with aclosing(walker.run(selection, UnixMs(now_ms()))) as texts:
        async for text in texts:
            # What no encoding can say becomes a question mark, never an error.
            piece = text.encode("utf-8", "replace")
            chunk.append(piece)
            size += len(piece)
            if size >= CHUNK_BYTES:
                yield b"".join(chunk)
                chunk, size = [], 0
    yield b"".join(chunk)


def _writer(format: ExportFormat, tz: tzinfo | None, language: str) -> Writer:
    match format:
        case ExportFormat.JSONL:
            return JsonLinesWriter()
        case ExportFormat.CSV:
            return CsvWriter(tz)
        case ExportFormat.HTML:
            return HtmlWriter(tz, language)


class _Walker:
    """Reads page after page and has each written."""

    def __init__(
        self, store: Store, writer: Writer, on_progress: OnProgress | None
    ) -> None:
        self._store = store
        self._writer = writer
        self._on_progress = on_progress
        self._sites: dict[int, Site] = {}
        self._names: dict[ParticipantId, Person] = {}
        self._visited: set[tuple[ParticipantId, int]] = set()
        """Whose visits were written lately."""
        self._conversations = 0
        self._messages = 0

    async def run(self, selection: Selection, at: UnixMs) -> AsyncGenerator[str]:
        self._sites = {site.id: site for site in await self._store.sites()}
        if isinstance(selection, ConversationFilter):
            rows = self._walk(selection)
        else:
            rows = self._one(await self._find(selection))
        yield self._writer.begin(Heading(epoch=self._store.epoch, at=at))
        async with aclosing(rows):
            async for row in rows:
                async with aclosing(self._conversation(row)) as texts:
                    async for text in texts:
                        yield text
        yield self._writer.end(self._conversations, self._messages)

    async def _find(self, conversation: ConversationId) -> Conversation:
        row = await self._store.find_conversation(conversation)
        if row is None:
            raise NotFound(f"There is no conversation {conversation}.")
        return row

    async def _one(self, row: Conversation) -> AsyncGenerator[Conversation]:
        yield row

    async def _walk(self, wanted: ConversationFilter) -> AsyncGenerator[Conversation]:
        after: ConversationId | None = ConversationId(0)
        while after is not None:
            walk = await self._store.walk_conversations(wanted, after=after)
            for row in walk.conversations:
                yield row
            after = walk.next

    async def _conversation(self, row: Conversation) -> AsyncGenerator[str]:
        site = self._sites.get(row.site_id) or Site(
            id=row.site_id, name="", embed_key=""
        )
        profile, bans = None, []
        if self._writer.wants_profiles:
            number = int(row.visitor[1:])
            profile = await self._store.find_record(VisitorProfile, number)
            bans = await self._bans(row)
        names = await self._known(_named(row, []))
        page = Page(
            conversation=row, site=site, names=names, profile=profile, bans=bans
        )
        yield self._writer.conversation(page)
        async with aclosing(self._visits(row)) as visits:
            async for text in visits:
                yield text
        after = Seq(0)
        while after < row.last_seq:
            limit = min(_PAGE, row.last_seq - after)
            messages = await self._store.history(row.id, after=after, limit=limit)
            if not messages:
                break
            names = await self._known(_named(row, messages))
            page = Page(conversation=row, site=site, names=names, messages=messages)
            yield self._writer.messages(page)
            after = messages[-1].seq
            self._messages += len(messages)
            self._tell()
        yield self._writer.cursors(row, await self._store.cursors(row.id))
        self._conversations += 1
        self._tell()

    async def _bans(self, row: Conversation) -> list[Ban]:
        where = {"kind": BanKind.VISITOR, "value": row.visitor}
        found = await self._store.list_records(Ban, where=where)
        return [ban for ban in found if ban.site_id in (0, row.site_id)]

    async def _visits(self, row: Conversation) -> AsyncGenerator[str]:
        """Yield the stored visits of a visitor to this site, once where it can be."""
        whose = (row.visitor, row.site_id)
        if not self._writer.wants_profiles or whose in self._visited:
            return
        if len(self._visited) >= _NAMES_MAX:
            self._visited.clear()
        self._visited.add(whose)
        where = {"visitor": row.visitor}
        after = 0
        while page := await self._store.list_records(Visit, where=where, after=after):
            after = page[-1].id
            for visit in page:
                if visit.site_id != row.site_id:
                    continue
                pages = await self._store.list_records(
                    PageView, where={"visit_id": visit.id}, after=0
                )
                yield self._writer.visit(visit, pages)

    async def _known(
        self, wanted: Iterable[ParticipantId]
    ) -> dict[ParticipantId, Person]:
        names = {who: self._names[who] for who in wanted if who in self._names}
        missing = [who for who in wanted if who not in names]
        for start in range(0, len(missing), _PAGE):
            for person in await self._store.people(missing[start : start + _PAGE]):
                names[person.id] = self._names[person.id] = person
        if len(self._names) > _NAMES_MAX:
            self._names = {}
        return names

    def _tell(self) -> None:
        if self._on_progress is not None:
            self._on_progress(self._conversations, self._messages)


def _named(row: Conversation, messages: Iterable[Message]) -> set[ParticipantId]:
    """Return whose names a reader of these messages needs."""
    named = {row.visitor} | ({row.assignee} if row.assignee else set())
    for message in messages:
        named.add(message.sender)
        if message.kind is MessageKind.ASSIGNMENT:
            assignee = (message.data or {}).get("assignee")
            if isinstance(assignee, str):
                named.add(ParticipantId(assignee))
        elif message.kind is MessageKind.AUTO:
            # The system quotes an agent.
            agent = (message.data or {}).get("agent")
            if isinstance(agent, str):
                named.add(ParticipantId(agent))
    return named
