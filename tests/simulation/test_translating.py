"""Whatever a service does, messages come in the same order and at the same moment."""

import random
from collections.abc import Sequence

import anyio
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from kefu_core.abc.streams import FrameStream, PeerInfo
from kefu_core.abc.translator import Translated, TranslationFailed, Translator, Trouble
from kefu_core.client import Client
from kefu_core.followers.translating import Translating
from kefu_core.hub import Hub
from kefu_core.ids import IdGenerator
from kefu_core.languages import language_of
from kefu_core.limits import Limits
from kefu_core.model import (
    Agent,
    Message,
    MessageKind,
    Person,
    Principal,
    Role,
    Site,
)
from kefu_core.protocol import frames as f
from kefu_core.protocol.codec import JSON
from kefu_core.records import VisitorProfile
from kefu_core.site import SiteSettings, Translation
from kefu_core.store.memory import MemoryStore
from kefu_core.testing.sim.loop import SimLoop, run
from kefu_core.testing.sim.world import SimHandler
from kefu_core.translators.chain import Chain
from kefu_core.translators.economy import Economy
from kefu_core.transports.memory import memory_pair
from kefu_core.types import ConversationId, ParticipantId, Seq
from tests.depth import times

LIMITS = Limits(
    visitor_messages_burst=10_000,
    agent_messages_burst=10_000,
    revocation_check_s=60.0,
)
EPOCH_MS = 1_700_000_000_000
PATIENCE_S = 8_000
"""A day's worth of pauses would be no better: the longest one is an hour."""
RULES = SiteSettings(translation=Translation(is_on=True, language="zh-CN"))
SITE = Site(id=1, name="shop", embed_key="k", settings=RULES)
TEXTS = {
    "v1": ("olá", "preço?", "123"),
    "a1": ("好", "八十元", "👍"),
    "a2": ("good", "eighty", "👍"),
}
CHOICE = "the visitor chooses"
"""Stands for who speaks; the number says what is chosen."""
CHOSEN = ("en", "zh-CN", "")
READS = {"a1": "zh", "a2": "en"}
"""The second agent says so in its profile, the first reads what its site says."""

Line = tuple[str, int, float]
"""Who says which text, and how long after the line before."""
Seen = tuple[str, str, float]
"""Who said what, and when it came."""
lines = st.lists(
    st.tuples(
        st.sampled_from(["v1", "a1", "a2", CHOICE]),
        st.integers(0, 2),
        st.sampled_from([0.0, 0.001, 1.0, 30.0]),
    ),
    min_size=1,
    max_size=7,
)
Behaviour = tuple[float, Trouble | None]
behaviours = st.lists(
    st.tuples(
        st.sampled_from([0.0, 2.0, 45.0]),
        st.sampled_from([None, Trouble.LATER, Trouble.ACCOUNT]),
    ),
    max_size=6,
)


class Service(Translator):
    """Is as slow as it was told to be, and fails as often; then it is well."""

    name = "words"
    texts_max = 10

    def __init__(self, behaviours: Sequence[Behaviour]) -> None:
        self._behaviours = [*behaviours]

    async def translate(
        self, texts: Sequence[str], *, source: str, target: str
    ) -> Sequence[Translated]:
        took_s, trouble = self._behaviours.pop(0) if self._behaviours else (0.0, None)
        await anyio.sleep(took_s)
        if trouble is not None:
            raise TranslationFailed("not now", trouble)
        return [Translated(text=f"{text} [{target}]") for text in texts]


class Quiet(SimHandler):
    """Lets everybody in at once."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store  # type: ignore[assignment]

    async def authenticate(self, token: str, peer: PeerInfo) -> Principal:
        is_agent = token.startswith("a")
        return Principal(
            participant=ParticipantId(token),
            role=Role.AGENT if is_agent else Role.VISITOR,
            site_id=0 if is_agent else 1,
        )


class Talk:
    """One conversation of a visitor and two agents in virtual time."""

    def __init__(self, script: Sequence[Line], service: Service | None) -> None:
        self.script = script
        self.service = service
        self.seen: dict[str, list[Seen]] = {who: [] for who in TEXTS}
        self.acknowledged: dict[str, list[Seen]] = {who: [] for who in TEXTS}
        self.faults: list[str] = []

    def play(self) -> "Talk":
        run(self._play, self.faults.append)
        assert self.faults == []
        return self

    async def _play(self, loop: SimLoop) -> None:
        self.now = loop.time
        self.moment = lambda: round(loop.time(), 6)

        def now_ms() -> int:
            return EPOCH_MS + int(loop.time() * 1000)

        store = MemoryStore(LIMITS, now=loop.time, now_ms=now_ms)
        hub = Hub(
            store,
            Quiet(store),
            LIMITS,
            now=loop.time,
            now_ms=now_ms,
            rng=random.Random(0),
        )
        async with store, anyio.create_task_group() as tasks:
            await store.put_site(SITE)
            visitor = Person(id=ParticipantId("v1"), name="", role=Role.VISITOR)
            number = (await store.open_conversation(SITE.id, visitor)).id
            # Else nobody would know what an agent's first words are to be.
            known = VisitorProfile(id=1, site_id=SITE.id, language="pt")
            await store.put_records(known)
            await store.put_agent(EMMA)
            await tasks.start(hub.run)
            follower = None
            if self.service is not None:
                follower = self._follower(store, hub, now_ms)
                hub.observers.append(follower)
                tasks.start_soon(follower.run)

            async def dial() -> FrameStream:
                ours, theirs = memory_pair(JSON, LIMITS)
                theirs.peer = PeerInfo(transport="memory")
                tasks.start_soon(hub.serve, theirs)
                return ours

            async with (
                self._client("v1", dial) as one,
                self._client("a1", dial) as two,
                self._client("a2", dial) as three,
            ):
                people = {"v1": one, "a1": two, "a2": three}
                for name, client in people.items():
                    await client.follow(number)
                    tasks.start_soon(self._listen, name, client)
                await anyio.sleep(1.0)
                for at, (who, text, pause_s) in enumerate(self.script):
                    await anyio.sleep(pause_s)
                    if who == CHOICE:
                        known = replace(known, chosen_language=CHOSEN[text])
                        await store.put_records(known)
                        if follower is not None:
                            follower.look_again(number)
                        continue
                    people[who].send_nowait(number, TEXTS[who][text], key=f"k{at}")
                await anyio.sleep(60.0)
                if self.service is not None:
                    await self._until_translated(store, number, known.chosen_language)
            tasks.cancel_scope.cancel()

    def _client(self, name: str, dial: object) -> Client:
        return Client(token=name, dial=dial, rng=random.Random(1), now=self.now)

    def _follower(self, store: MemoryStore, hub: Hub, now_ms: object) -> Translating:
        economy = Economy(
            Chain([self.service], now=self.now, rng=random.Random(2)),
            store,
            ids=IdGenerator(now_ms),
            now=self.now,
            now_ms=now_ms,
        )
        return Translating(
            store,
            hub,
            economy,
            now=self.now,
            now_ms=now_ms,
            detect=detect,
        )

    async def _listen(self, name: str, client: Client) -> None:
        async for notice in client.events():
            if isinstance(notice, f.MessageFrame) and notice.kind is MessageKind.TEXT:
                self.seen[name].append((notice.sender, notice.body, self.moment()))
            elif isinstance(notice, f.Sent):
                self.acknowledged[name].append((notice.key, "", self.moment()))

    async def _until_translated(
        self, store: MemoryStore, number: int, chosen: str
    ) -> None:
        """Wait until all who speak can read every text, in one line of a language."""
        with anyio.fail_after(PATIENCE_S):
            while True:
                log = await store.history(ConversationId(number), limit=200)
                done = [
                    (m.ref, language_of((m.data or {})["to"]).partition("-")[0])
                    for m in log
                    if m.kind is MessageKind.TRANSLATION and m.body
                ]
                assert len(done) == len({*done})
                if self._wanted(log, chosen) <= {*done}:
                    return
                await anyio.sleep(10.0)

    def _wanted(
        self, log: Sequence[Message], chosen: str
    ) -> set[tuple[Seq | None, str]]:
        """Return which texts somebody reads in which language."""
        speak = {m.sender for m in log if m.sender in READS}
        wanted: set[tuple[Seq | None, str]] = set()
        for m in log:
            if m.kind is not MessageKind.TEXT or m.body not in WITH_WORDS:
                continue
            # While nobody has it, it is read as the site says as well.
            readers = {READS[who] for who in speak} | {"zh"}
            if m.sender in READS:
                readers -= {READS[m.sender]}
                readers |= {chosen.partition("-")[0] or "pt"}
            wanted |= {(m.seq, tag) for tag in readers - {detect(m.body, "")}}
        return wanted


def detect(text: str, likely: str) -> str:
    """Tell the three languages of the texts apart."""
    if max(text) > "\u4e00":
        return "zh"
    return "en" if {*text.split()} & {*TEXTS["a2"]} else "pt"


WITH_WORDS = {text for some in TEXTS.values() for text in some[:2]}
EMMA = Agent(id=2, login="emma", name="Emma", password_hash="-", language="en")


@given(script=lines, first=behaviours)
@example(script=[("v1", 0, 0.0), ("a1", 0, 1.0)], first=[(45.0, None), (45.0, None)])
@example(script=[("v1", 0, 0.0)], first=[(2.0, Trouble.LATER)] * 5)
@example(
    script=[("v1", 0, 0.0), ("a1", 0, 1.0), ("a2", 0, 0.0), (CHOICE, 0, 1.0)],
    first=[(2.0, None)],
)
@settings(max_examples=times(12, 300), deadline=None)
def test_a_service_changes_neither_the_messages_nor_when_they_come(
    script: list[Line], first: list[Behaviour]
) -> None:
    without = Talk(script, None).play()
    with_it = Talk(script, Service(first)).play()
    said = [(who, TEXTS[who][text]) for who, text, _ in script if who in TEXTS]
    for name, seen in without.seen.items():
        assert sorted((who, body) for who, body, _ in seen) == sorted(said)
        assert with_it.seen[name] == seen
        assert with_it.acknowledged[name] == without.acknowledged[name]
