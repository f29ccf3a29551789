"""Lets people read each other in their own languages, beside the way of the messages.

The idea
--------
A message is stored and told as ever. What it says in the languages of those who read
it (`readers`) comes after it, as lines of the same log that refer to it, so whoever
comes back gets them like everything else. Nothing waits for a service: a slow one
delays only its own lines, one that fails leaves the original and a line that says so,
and is asked again later.

The key of a line is made of the message and the language, so two nodes, or one that is
started again, write it once. What is missing is found by a look at the newest part of
the log: after each message, when somebody gets the conversation or reads another
language from now on, and at the start for all that is open.
"""

import logging
from collections.abc import Callable, Sequence

import anyio

from kefu_core.abc.store import Store
from kefu_core.abc.translator import (
    Interpreter,
    Preview,
    Reading,
    Translated,
    TranslationFailed,
    Trouble,
)
from kefu_core.errors import KefuError
from kefu_core.folding import is_visitor
from kefu_core.followers.readers import (
    FOR_AGENTS,
    TEXTS,
    Owed,
    Part,
    Readers,
    is_done,
    is_failed,
    owed_texts,
    part_of,
    unread_texts,
)
from kefu_core.hub import Hub
from kefu_core.hub.derived import append_derived, is_erased
from kefu_core.ids import SYSTEM, agent_participant
from kefu_core.languages import are_same, has_words, language_of
from kefu_core.model import (
    OWN_KEYS,
    Appended,
    Conversation,
    Cursor,
    Draft,
    Message,
    MessageKind,
    Site,
)
from kefu_core.records import VisitorAlias, VisitorProfile
from kefu_core.translators.economy import Economy
from kefu_core.types import ConversationId, ParticipantId

logger = logging.getLogger(__name__)

BY_AGENT = "agent"
"""Stands where else the service is named: the sender has said how it reads."""
PAGE = 50
"""So much of the end of a log is looked at."""
AT_ONCE = 16
"""Conversations; of one, one step after the other."""
WAITING_MAX = 5_000
"""Conversations that have news or are tried again; of more, each message is news."""
START_MAX = 1_000
"""Open conversations that are looked at when a node starts."""
LATE_MS = 86_400_000
"""What is older is not translated any more: nobody waits for it."""
RETRY_S = 20.0
RETRY_MAX_S = 3_600.0
SITES_S = 2.0
_INTERVAL_S = 1.0
PATIENCE_S = 0.25
"""So long a line waits to be committed with a message, so as not to hold up others."""
_SAMPLE = 5
"""So many of a visitor's texts say which language it writes."""
_AGAIN = frozenset({Trouble.LATER, Trouble.ACCOUNT, Trouble.BUDGET})
"""What may go another time."""
_NEWS = TEXTS | {MessageKind.TRANSLATING, MessageKind.ASSIGNMENT}
"""Who gets a conversation may read another language than who had it."""
Detect = Callable[[str, str], str]
"""The language of a text; what it probably is."""


class Translating(Interpreter):
    """One node's part in it."""

    def __init__(
        self,
        store: Store,
        hub: Hub,
        economy: Economy,
        *,
        now: Callable[[], float],
        now_ms: Callable[[], int],
        detect: Detect | None = None,
    ) -> None:
        """Take who keeps, tells and translates, clocks, and who knows languages."""
        self._store = store
        self._hub = hub
        self._economy = economy
        self._now = now
        self._now_ms = now_ms
        self._detect = detect
        self._news: dict[ConversationId, None] = {}
        self._later: dict[ConversationId, float] = {}
        self._busy: set[ConversationId] = set()
        self._needless: dict[tuple[ConversationId, Part], None] = {}
        """Texts that turned out to be in the reader's language."""
        self._agents: dict[ParticipantId, str | None] = {}
        """What agents read, as `Readers` has it."""
        self._agents_at = float("-inf")
        self._sites: dict[int, Site] = {}
        self._wanting: set[int] = set()
        """Sites that translate; of the others no message costs anything."""
        self._sites_at = float("-inf")
        self._wake = anyio.Event()

    # -- what the hub tells ------------------------------------------------------------

    def message_committed(self, appended: Appended) -> None:
        """Note that a conversation has a text, where its site wants translations."""
        message, row = appended.message, appended.conversation
        if row is not None and row.site_id not in self._wanting:
            return
        if message.kind in _NEWS:
            self._note(message.conversation)

    def message_found(self, repeated: Appended) -> None:
        """Note a text that was stored and perhaps told to nobody."""
        self.message_committed(repeated)

    def cursor_advanced(self, cursor: Cursor) -> None:
        """Nothing to translate."""

    def history_erased(self) -> None:
        """Nothing is kept of texts here; the cache is cleared by who watches."""

    def _note(self, conversation: ConversationId) -> None:
        if len(self._news) < WAITING_MAX:
            self._news[conversation] = None
            self._wake.set()

    # -- what the desk asks ------------------------------------------------------------

    def look_again(self, conversation: ConversationId) -> None:
        self._agents_at = float("-inf")
        self._note(conversation)

    async def preview(
        self, site: Site, row: Conversation, text: str, *, agent: ParticipantId
    ) -> Preview:
        log = await self._store.history(row.id, limit=PAGE)
        readers = await self._readers(row, site, log)
        target = readers.visitor
        source = self._language(text, readers.of(agent))
        if not target or are_same(source, target) or not has_words(text):
            return Preview(source=source, target=target)
        (told,) = await self._economy.translate(
            site, [text], source=source, target=target
        )
        source = told.source or source
        if are_same(source, target) or told.text.strip() == text:
            return Preview(source=source, target=target)
        return Preview(
            text=told.text, source=source, target=target, provider=told.provider
        )

    async def read(
        self, site: Site, row: Conversation, *, agent: ParticipantId
    ) -> list[Reading]:
        log = await self._store.history(row.id, limit=PAGE)
        unread = unread_texts(
            agent,
            row,
            log,
            await self._readers(row, site, log),
            language=self._language,
            since=self._now_ms() - LATE_MS,
            is_needless=lambda part: (row.id, part) in self._needless,
        )
        found: list[Reading] = []
        failure: TranslationFailed | None = None
        for group in _groups(unread):
            try:
                found += await self._read(site, group)
            except TranslationFailed as error:
                failure = error
        if failure is not None and not found:
            raise failure
        return sorted(found, key=lambda each: each.ref)

    async def _read(self, site: Site, owed: Sequence[Owed]) -> list[Reading]:
        """Return texts of one pair of languages as their reader reads them."""
        source, target = owed[0].source, owed[0].target
        told = await self._economy.translate(
            site, [each.message.body for each in owed], source=source, target=target
        )
        found: list[Reading] = []
        for each, translated in zip(owed, told, strict=True):
            message, text = each.message, translated.text
            if await is_erased(self._hub, message.conversation, message.seq):
                await self._economy.forget_texts(site, [message.body])
            elif text.strip() == message.body.strip() or are_same(
                translated.source, target
            ):
                self._pass_over(each)
            else:
                found.append(
                    Reading(
                        ref=message.seq,
                        text=text,
                        source=translated.source or source,
                        target=target,
                        by=translated.provider,
                    )
                )
        return found

    # -- the work ----------------------------------------------------------------------

    async def run(self) -> None:
        """Translate for ever; a store that is away is waited for."""
        async with anyio.create_task_group() as tasks:
            while True:
                self._wake = anyio.Event()
                await self._learn()
                for conversation in self._due():
                    self._busy.add(conversation)
                    tasks.start_soon(self._look, conversation)
                with anyio.move_on_after(_INTERVAL_S):
                    await self._wake.wait()

    async def _begin(self, sites: set[int]) -> None:
        """Note what is open: another process may have died before its last lines."""
        try:
            rows = await self._store.list_open_conversations(limit=START_MAX)
        except KefuError as error:
            logger.info("what is not translated is found later: %s", error)
            return
        self._news |= {row.id: None for row in rows if row.site_id in sites}

    def _due(self) -> list[ConversationId]:
        now = self._now()
        again = [each for each, at in self._later.items() if at <= now]
        for each in again:
            del self._later[each]
            self._news[each] = None
        room = AT_ONCE - len(self._busy)
        due = [each for each in self._news if each not in self._busy][: max(0, room)]
        for each in due:
            del self._news[each]
        return due

    async def _look(self, conversation: ConversationId) -> None:
        try:
            await self.bring_up(conversation)
        except KefuError as error:
            logger.info("conversation %d is translated later: %s", conversation, error)
            self._try_again(conversation, RETRY_S)
        except Exception:
            # A fault of ours in one text must not end the rest, nor spin.
            logger.exception("conversation %d cannot be translated", conversation)
        finally:
            self._busy.discard(conversation)
            self._wake.set()

    async def bring_up(self, conversation: ConversationId) -> None:
        """Write what is missing at the end of a log. Raises `StoreError`."""
        row = await self._store.find_conversation(conversation)
        await self._learn()
        site = self._sites.get(row.site_id) if row is not None else None
        if row is None or site is None or not site.settings.translation.is_on:
            return
        log = await self._store.history(conversation, limit=PAGE)
        owed = owed_texts(
            row,
            log,
            await self._readers(row, site, log),
            language=self._language,
            since=self._now_ms() - LATE_MS,
            is_needless=lambda part: (conversation, part) in self._needless,
        )
        failed = {part_of(m) for m in log if is_failed(m)}
        for each in owed:
            if each.given:
                by = Translated(text=each.given, provider=BY_AGENT)
                await self._append(site, each, by)
        for group in _groups([each for each in owed if not each.given]):
            await self._write(site, group, failed)

    async def _write(self, site: Site, owed: Sequence[Owed], failed: set[Part]) -> None:
        """Write the translations of texts of one pair of languages."""
        first = owed[0]
        try:
            found = await self._economy.translate(
                site,
                [each.message.body for each in owed],
                source=first.source,
                target=first.target,
            )
        except TranslationFailed as error:
            logger.info("a text of site %d is not translated: %s", site.id, error)
            for each in owed:
                if each.part not in failed:
                    await self._append(site, each, None, error.trouble)
            if error.trouble in _AGAIN:
                wait_s = max(RETRY_S, error.retry_after_s)
                self._try_again(first.message.conversation, wait_s)
            elif len(owed) > 1:
                # One of them may be at fault: each is asked for alone.
                for each in owed:
                    await self._write(site, [each], {*failed, each.part})
            else:
                self._pass_over(first)
            return
        for each, translated in zip(owed, found, strict=True):
            is_same = translated.text.strip() == each.message.body.strip()
            if is_same or are_same(translated.source, each.target):
                self._pass_over(each)
                await self._follow_erasure(site, each.message)
            else:
                await self._append(site, each, translated)

    async def _append(
        self,
        site: Site,
        owed: Owed,
        translated: Translated | None,
        trouble: Trouble | None = None,
    ) -> None:
        message, target = owed.message, owed.target
        data = {"to": target}
        if translated is not None:
            data |= {"from": translated.source or owed.source}
            data |= {"by": translated.provider}
        elif trouble is not None:
            data["failed"] = trouble.value
        if owed.is_for_agents:
            data["for"] = FOR_AGENTS
        # Somebody waits for this one: the visitor sees the message with it.
        is_visitors = not is_visitor(message.sender) and not owed.is_for_agents
        holds = site.settings.translation.holds_s and is_visitors
        what = "translation" if translated is not None else "untranslated"
        appended = await append_derived(
            self._hub,
            Draft(
                conversation=message.conversation,
                sender=SYSTEM,
                key=f"{OWN_KEYS}{what}-{message.seq}-{language_of(target)}",
                kind=MessageKind.TRANSLATION,
                body=translated.text if translated is not None else "",
                data=data,
                ref=message.seq,
            ),
            patience_s=0.0 if owed.given or holds else PATIENCE_S,
        )
        if appended is None:
            await self._economy.forget_texts(site, [message.body])

    async def _follow_erasure(self, site: Site, message: Message) -> None:
        """Drop what was cached of a message that went at the same moment.

        What was cached of it by then went with it; what has come since does here. If
        this process dies first, that goes with all that was cached so long ago.
        """
        if await is_erased(self._hub, message.conversation, message.seq):
            await self._economy.forget_texts(site, [message.body])

    # -- what it knows -----------------------------------------------------------------

    async def _learn(self) -> None:
        """Look now and then which sites translate; begin with those that are new."""
        if self._now() - self._sites_at <= SITES_S:
            return
        self._sites_at = self._now()
        try:
            self._sites = {site.id: site for site in await self._store.sites()}
        except KefuError as error:
            logger.info("the settings of sites are read later: %s", error)
            return
        was = self._wanting
        self._wanting = {
            site.id for site in self._sites.values() if site.settings.translation.is_on
        }
        if begun := self._wanting - was:
            await self._begin(begun)

    async def _readers(
        self, row: Conversation, site: Site, log: Sequence[Message]
    ) -> Readers:
        """Return what everybody in a conversation reads. Raises `StoreError`."""
        if self._now() - self._agents_at > SITES_S:
            self._agents_at = self._now()
            self._agents = {
                agent_participant(agent.id): agent.language if agent.is_active else None
                for agent in await self._store.agents()
            }
        # Who turned out to be somebody says it under that number.
        alias = await self._store.find_record(VisitorAlias, int(row.visitor[1:]))
        known = alias.visitor if alias is not None else row.visitor
        profile = await self._store.find_record(VisitorProfile, int(known[1:]))
        chosen = profile.chosen_language if profile is not None else ""
        browser = profile.language if profile is not None else ""
        return Readers(
            visitor=chosen or self._found_language(log, browser),
            is_chosen=bool(chosen),
            site=site.settings.translation.language,
            agents=self._agents,
        )

    def _found_language(self, log: Sequence[Message], likely: str) -> str:
        """Return what a visitor writes: by its texts, else what its browser says."""
        theirs = [m for m in log if m.kind in TEXTS and is_visitor(m.sender)]
        told = "\n".join(m.body for m in theirs[-_SAMPLE:])
        found = self._language(told, "") if self._detect is not None else ""
        if found:
            # `pt-BR` says more than `pt`, and both are the same to their readers.
            return likely if language_of(likely) == language_of(found) else found
        seqs = {m.seq for m in theirs}
        services = [
            str((m.data or {}).get("from") or "")
            for m in log
            if is_done(m) and m.ref in seqs
        ]
        return likely or (services[-1] if services else "")

    def _language(self, text: str, likely: str) -> str:
        """Return the language of a text; empty: a service is to find out."""
        return self._detect(text, likely) if self._detect is not None and text else ""

    def _try_again(self, conversation: ConversationId, wait_s: float) -> None:
        if len(self._later) < WAITING_MAX:
            self._later[conversation] = self._now() + min(wait_s, RETRY_MAX_S)

    def _pass_over(self, owed: Owed) -> None:
        self._needless[owed.message.conversation, owed.part] = None
        while len(self._needless) > WAITING_MAX:
            del self._needless[next(iter(self._needless))]


def _groups(owed: Sequence[Owed]) -> list[list[Owed]]:
    """Return texts by their pair of languages, in the order of the log."""
    groups: dict[tuple[str, str], list[Owed]] = {}
    for each in owed:
        groups.setdefault((each.source, each.target), []).append(each)
    return list(groups.values())
