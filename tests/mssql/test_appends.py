"""Group commit through real drivers, against the answers of SQL Server."""

import json
import re

import anyio
import pytest

from kefu_core.errors import Invalid, StorageFull
from kefu_core.model import Message, MessageKind
from kefu_core.testing.stores import VISITOR, draft
from kefu_core.types import ParticipantId, Seq
from tests.mssql.script import (
    CONVERSATION,
    INSERT,
    KNOWN,
    LOCK,
    NOW,
    TOUCH,
    conversation,
    conversation_rows,
    message_rows,
    open_store,
    refuse_text,
)
from tests.mssql.server import BIGINT, Count, Cut, Refusal, Rows, ScriptedServer

pytestmark = pytest.mark.anyio

# FreeTDS begins a transaction as soon as the one before has ended, and declares long
# text as what it is.
with_microsofts_driver = pytest.mark.parametrize("server", ["microsoft"], indirect=True)
TEMPORARY = {
    "deadlock": 1205,
    "lock time-out": 1222,
    "update conflict": 3960,
    "snapshot gone": 3961,
    "no locks left": 1204,
}


def stored(number: int, seq: int) -> Message:
    """Return a draft as the database has it after its commit."""
    one = draft(CONVERSATION, number)
    return Message(
        conversation=CONVERSATION,
        seq=Seq(seq),
        sender=one.sender,
        key=one.key,
        kind=MessageKind.TEXT,
        body=one.body,
        at=NOW,
    )


@with_microsofts_driver
async def test_a_message_is_one_transaction_of_four_statements(
    server: ScriptedServer,
) -> None:
    async with open_store(server) as store:
        server.when(LOCK, conversation_rows(conversation(last_seq=Seq(4))))
        appended = await store.append(draft(CONVERSATION))
    assert (appended.message.seq, appended.duplicate) == (5, False)
    seen = [one.text for one in server.seen if one.text != "EXEC sp_unprepare"]
    begin, end = seen.index("BEGIN"), seen.index("COMMIT")
    transaction = seen[begin + 1 : end]
    assert len(transaction) == 4
    for found, pattern in zip(transaction, (LOCK, KNOWN, INSERT, TOUCH), strict=True):
        assert re.search(pattern, found), found


async def test_text_of_every_script_arrives_whole_and_comes_back(
    server: ScriptedServer,
) -> None:
    body = "你好🙂 приве́т مرحبا 𠮷" * 600
    async with open_store(server) as store:
        server.when("FROM message", message_rows(stored(1, 1)))
        await store.append(draft(CONVERSATION, body=body))
        [read] = await store.history(CONVERSATION, after=Seq(0))
    [insert] = server.statements(INSERT)
    [row] = json.loads(insert.values[0])
    assert row[5] == body
    assert read.body == "m1"


async def test_what_came_back_is_what_the_server_said(server: ScriptedServer) -> None:
    said = "在吗？🙂𠮷"
    async with open_store(server) as store:
        row = stored(1, 1)
        server.when(
            "FROM message",
            message_rows(
                Message(
                    conversation=row.conversation,
                    seq=row.seq,
                    sender=row.sender,
                    key=row.key,
                    kind=row.kind,
                    body=said,
                    at=row.at,
                )
            ),
        )
        [read] = await store.history(CONVERSATION, after=Seq(0))
    assert read.body == said


@with_microsofts_driver
async def test_long_values_are_cast_from_what_the_driver_declares(
    server: ScriptedServer,
) -> None:
    """pyodbc declares text past 2,000 characters as ntext; no function takes that."""
    async with open_store(server) as store:
        await store.append(draft(CONVERSATION, body="长" * 5_000))
    prepared = [one for one in server.seen if one.text == "PREPARE"]
    assert prepared, "the driver sends long values apart from their statement"
    for one in prepared:
        assert "ntext" in one.types
        assert "OPENJSON(CAST(@P1 AS NVARCHAR(MAX)))" in one.values[0]


@pytest.mark.parametrize("number", TEMPORARY.values(), ids=TEMPORARY.keys())
@pytest.mark.parametrize("statement", [LOCK, KNOWN, INSERT, TOUCH, "^COMMIT$"])
async def test_a_transaction_that_did_not_happen_is_run_again_whole(
    server: ScriptedServer, number: int, statement: str
) -> None:
    async with open_store(server) as store:
        later = {
            LOCK: conversation_rows(conversation()),
            KNOWN: message_rows(),
        }.get(statement, Count(1))
        server.when(statement, Refusal(number, severity=13), later)
        appended = await store.append(draft(CONVERSATION))
    assert (appended.message.seq, appended.duplicate) == (1, False)
    assert len(server.statements("UPDLOCK")) == 2
    # A lock that somebody else has says nothing against the connection.
    is_held = number in {1205, 1222, 3960, 3961}
    sessions = {one.session for one in server.statements("UPDLOCK")}
    assert len(sessions) == (1 if is_held else 2)


@pytest.mark.parametrize("statement", [LOCK, KNOWN, INSERT, TOUCH])
async def test_a_connection_that_breaks_costs_no_message(
    server: ScriptedServer, statement: str
) -> None:
    async with open_store(server) as store:
        later = {
            LOCK: conversation_rows(conversation()),
            KNOWN: message_rows(),
        }.get(statement, Count(1))
        server.when(statement, Cut(), later)
        appended = await store.append(draft(CONVERSATION))
    assert (appended.message.seq, appended.duplicate) == (1, False)


async def test_a_commit_of_unknown_outcome_that_happened_is_found_by_its_key(
    server: ScriptedServer,
) -> None:
    async with open_store(server) as store:
        server.when("^COMMIT$", Cut(), None)
        server.when(
            LOCK,
            conversation_rows(conversation()),
            conversation_rows(conversation(last_seq=Seq(1))),
        )
        server.when(KNOWN, message_rows(), message_rows(stored(1, 1)))
        appended = await store.append(draft(CONVERSATION))
    assert (appended.message.seq, appended.duplicate) == (1, True)
    assert len(server.statements(INSERT)) == 1


async def test_a_commit_of_unknown_outcome_that_did_not_happen_is_made_again(
    server: ScriptedServer,
) -> None:
    async with open_store(server) as store:
        server.when("^COMMIT$", Cut(), None)
        appended = await store.append(draft(CONVERSATION))
    assert (appended.message.seq, appended.duplicate) == (1, False)
    assert len(server.statements(INSERT)) == 2


@pytest.mark.parametrize("number", [2628, 8152, 8115, 515])
async def test_what_the_database_refuses_fails_alone(
    server: ScriptedServer, number: int
) -> None:
    outcomes: dict[int, object] = {}
    async with open_store(server) as store:
        server.when(INSERT, refuse_text("poison", number))

        async def send(which: int) -> None:
            body = "poison" if which == 3 else f"m{which}"
            try:
                outcomes[which] = await store.append(
                    draft(CONVERSATION, which, body=body)
                )
            except Invalid as error:
                outcomes[which] = error

        async with anyio.create_task_group() as tasks:
            for which in range(6):
                tasks.start_soon(send, which)
    refused = [which for which, one in outcomes.items() if isinstance(one, Invalid)]
    assert refused == [3]


@pytest.mark.parametrize("number", [1105, 9002])
async def test_a_full_disk_or_log_is_said_so(
    server: ScriptedServer, number: int
) -> None:
    async with open_store(server) as store:
        server.when(INSERT, Refusal(number, severity=17))
        with pytest.raises(StorageFull):
            await store.append(draft(CONVERSATION))


async def test_a_row_that_another_node_holds_is_left_for_the_next_round(
    server: ScriptedServer,
) -> None:
    async with open_store(server) as store:
        server.when(LOCK, conversation_rows(), conversation_rows(conversation()))
        server.when("NOLOCK", Rows([("id", BIGINT)], [[CONVERSATION]]))
        appended = await store.append(draft(CONVERSATION))
    assert appended.message.seq == 1
    assert len(server.statements("UPDLOCK")) == 2


async def test_an_upsert_that_meets_another_goes_on_behind_its_savepoint(
    server: ScriptedServer,
) -> None:
    """An update finds nothing, the insert a duplicate: then it is an update after all.

    With XACT_ABORT the duplicate would have ended the transaction.
    """
    async with open_store(server) as store:
        server.when("UPDATE visitor", Count(1))
        server.when("INSERT INTO visitor", Refusal(2627, severity=14))
        server.when(
            "FROM site", Rows([("id", conversation_rows().columns[0][1])], [[1]])
        )
        server.when("FROM conversation", conversation_rows())
        server.when("INSERT INTO conversation", Count(1))
        opened = await store.open_conversation(1, VISITOR)
    assert opened.visitor == ParticipantId("v1")
    said = [one.text for one in server.seen]
    save = next(at for at, one in enumerate(said) if "SAVE TRAN" in one)
    back = next(at for at, one in enumerate(said) if "ROLLBACK TRAN" in one)
    insert = next(at for at, one in enumerate(said) if "INSERT INTO visitor" in one)
    assert save < insert < back < said.index("COMMIT")
