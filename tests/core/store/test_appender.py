"""The appender on SQLite against faults: of data, of the file, of whoever waits."""

import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kefu_core.abc.store import Outcome, PendingAppend
from kefu_core.errors import Conflict, Invalid, NotFound, StoreUnavailable
from kefu_core.limits import Limits
from kefu_core.model import Appended, Draft, Person, Role
from kefu_core.store.dialects import sqlite
from kefu_core.store.sql import SqlStore
from kefu_core.store.transaction import commit_drafts
from kefu_core.testing.stores import SITE, VISITOR, draft
from kefu_core.types import ConversationId, ParticipantId, Seq

pytestmark = pytest.mark.anyio
LIMITS = Limits(appender_wait_s=0.3)
AWAITS_OF_A_CALL = 40
"""More than any call of the store has: the last ones are not cancelled at all."""


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


def open_store(path: Path, limits: Limits = LIMITS) -> SqlStore:
    return SqlStore(
        f"sqlite+aiosqlite:///{path}",
        limits=limits,
        now=time.monotonic,
        now_ms=lambda: time.time_ns() // 1_000_000,
    )


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with open_store(tmp_path / "kefu.db") as store:
        await store.put_site(SITE)
        yield store
        assert store.reads_checked_out == 0


async def conversation_of(store: SqlStore) -> ConversationId:
    return (await store.open_conversation(SITE.id, VISITOR)).id


@pytest.mark.parametrize(
    "changes",
    [
        {"data": {"a": {None: 1}}},
        {"ref": Seq(2**70)},
        {"body": "a\0b"},
        {"key": "\udc00"},
        {"sender": ParticipantId("v\udc00")},
    ],
)
async def test_content_no_database_keeps_is_refused_and_the_store_goes_on(
    store: SqlStore, changes: dict[str, Any]
) -> None:
    conversation = await conversation_of(store)
    outcomes: list[Outcome] = []
    for number in range(5):
        one = draft(conversation, number, **(changes if number == 2 else {}))
        store.submit(_pending(one, outcomes.append))
    await store.append(draft(conversation, 9))
    assert [type(o) for o in outcomes] == [
        Appended,
        Appended,
        Invalid,
        Appended,
        Appended,
    ]
    assert [m.key for m in await store.history(conversation)] == [
        "k0",
        "k1",
        "k3",
        "k4",
        "k9",
    ]


async def test_all_that_waits_is_answered_when_the_opener_is_cancelled(
    tmp_path: Path,
) -> None:
    outcomes: list[Outcome] = []
    path = tmp_path / "kefu.db"
    with anyio.CancelScope() as scope:
        async with open_store(path, Limits()) as store:
            await store.put_site(SITE)
            conversation = await conversation_of(store)
            for number in range(600):
                store.submit(_pending(draft(conversation, number), outcomes.append))
            scope.cancel()
    stored = [o.message.seq for o in outcomes if isinstance(o, Appended)]
    assert len(outcomes) == 600
    rows = sqlite3.connect(path)
    found = rows.execute("SELECT seq FROM message ORDER BY seq").fetchall()
    rows.close()
    assert [row[0] for row in found] == stored


async def test_a_locked_database_is_unavailable_and_heals_by_itself(
    store: SqlStore, tmp_path: Path
) -> None:
    conversation = await conversation_of(store)
    other = sqlite3.connect(tmp_path / "kefu.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable):
        await store.append(draft(conversation))
    other.execute("ROLLBACK")
    other.close()
    assert (await store.append(draft(conversation))).message.seq == 1


async def test_a_commit_whose_answer_is_lost_is_not_stored_twice(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = await conversation_of(store)
    await store.append(draft(conversation, 1))
    writer: Any = store._appenders[0]._writer
    driver = writer.driver

    def lose_the_answer(*values: Any) -> Any:
        commit_drafts(*values)
        monkeypatch.undo()
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(sqlite, "commit_drafts", lose_the_answer)
    appended = await store.append(draft(conversation, 2))
    assert (appended.message.seq, appended.duplicate) == (2, True)
    assert writer.driver is not driver
    assert [m.seq for m in await store.history(conversation)] == [1, 2]


@pytest.mark.parametrize("call", ["append", "history", "open_conversation"])
async def test_a_call_cancelled_at_any_await_leaves_nothing_open(
    store: SqlStore, tmp_path: Path, call: str
) -> None:
    conversation = await conversation_of(store)
    calls: dict[str, Callable[[int], Any]] = {
        "append": lambda n: store.append(draft(conversation, n)),
        "history": lambda n: store.history(conversation),
        "open_conversation": lambda n: store.open_conversation(SITE.id, _visitor(n)),
    }
    for turns in range(AWAITS_OF_A_CALL):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(calls[call], turns)
            for _ in range(turns):
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
        assert store.reads_checked_out == 0
    appended = await store.append(draft(conversation, AWAITS_OF_A_CALL))
    # No transaction was left open: another connection gets the write lock at once.
    other = sqlite3.connect(tmp_path / "kefu.db", timeout=0, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("ROLLBACK")
    other.close()
    log = await store.history(conversation)
    assert [m.seq for m in log] == list(range(1, appended.message.seq + 1))


DRAFTS = st.lists(
    st.builds(
        lambda c, sender, key, body: (c, f"v{sender}", f"k{key}", f"m{body}"),
        st.integers(0, 2),
        st.integers(1, 2),
        st.integers(0, 5),
        st.integers(0, 1),
    ),
    max_size=40,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(DRAFTS, max_size=4))
async def test_any_batches_give_what_a_plain_dict_gives(
    store: SqlStore, batches: list[list[tuple[int, str, str, str]]]
) -> None:
    first = [(await store.open_conversation(SITE.id, _visitor(0))).id]
    ids = [ConversationId(999), *first]
    # The same two conversations serve every example: keys are made new instead.
    salt = (await store.heads(first))[first[0]]
    model: dict[tuple[int, str, str], tuple[int, str]] = {}
    head = salt
    for batch in batches:
        outcomes: list[Outcome] = []
        expected: list[Any] = []
        for number, sender, key, body in batch:
            conversation, key = ids[number % 2], f"{salt}.{key}"
            place = (conversation, sender, key)
            if conversation == 999:
                expected.append(NotFound)
            elif place not in model:
                head += 1
                model[place] = head, body
                expected.append((head, False))
            elif model[place][1] != body:
                expected.append(Conflict)
            else:
                expected.append((model[place][0], True))
            one = draft(conversation, sender=ParticipantId(sender), key=key, body=body)
            store.submit(_pending(one, outcomes.append))
        await _answered(outcomes, len(batch))
        assert [_brief(outcome) for outcome in outcomes] == expected


async def test_what_nobody_waits_for_is_committed_with_what_somebody_does(
    store: SqlStore,
) -> None:
    one = await conversation_of(store)
    other = (await store.open_conversation(SITE.id, _visitor(1))).id
    outcomes: list[Outcome] = []
    before = store.statistics().commits
    for number in range(3):
        store.submit(_pending(draft(one, number), outcomes.append, patience_s=60))
    await anyio.sleep(0.02)
    assert outcomes == []
    assert (await store.append(draft(other, 9))).message.seq == 1
    assert [_brief(outcome) for outcome in outcomes] == [
        (1, False),
        (2, False),
        (3, False),
    ]
    assert store.statistics().commits == before + 1
    # Nobody comes: then by itself.
    store.submit(_pending(draft(one, 4), outcomes.append, patience_s=0.02))
    await _answered(outcomes, 4)


async def test_what_waits_for_others_is_stored_when_the_store_closes(
    tmp_path: Path,
) -> None:
    outcomes: list[Outcome] = []
    async with open_store(tmp_path / "kefu.db") as store:
        await store.put_site(SITE)
        conversation = await conversation_of(store)
        one = draft(conversation, 1)
        store.submit(_pending(one, outcomes.append, patience_s=60))
    assert [_brief(outcome) for outcome in outcomes] == [(1, False)]


def _brief(outcome: Outcome) -> Any:
    if isinstance(outcome, Appended):
        return outcome.message.seq, outcome.duplicate
    return type(outcome)


async def _answered(outcomes: list[Outcome], count: int) -> None:
    with anyio.fail_after(10):
        while len(outcomes) < count:
            await anyio.lowlevel.checkpoint()


def _visitor(number: int) -> Person:
    return Person(id=ParticipantId(f"v{number + 100}"), name="访客", role=Role.VISITOR)


def _pending(
    one: Draft, took: Callable[[Outcome], None], *, patience_s: float = 0.0
) -> PendingAppend:
    return PendingAppend(
        one,
        lambda _, outcome: took(outcome),
        size=100,
        submitted_at=time.monotonic(),
        patience_s=patience_s,
    )
