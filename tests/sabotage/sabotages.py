"""What is broken on purpose, each in a line or two, and which check must see it."""

from pathlib import Path

import msgspec


class Edit(msgspec.Struct, frozen=True):
    """One change of a file: `old` stands there once."""

    path: str
    old: str
    new: str

    def applied(self, text: str) -> str:
        """Return the file's text with the change.

        Raises:
            ValueError: The code has moved on; write the change anew.
        """
        if text.count(self.old) != 1:
            raise ValueError(f"{self.path} has not once: {self.old!r}")
        return text.replace(self.old, self.new)


class Sabotage(msgspec.Struct, frozen=True, kw_only=True):
    """One fault, and the test that must fail with it."""

    name: str
    edits: tuple[Edit, ...]
    check: str
    """A file or a test, as pytest takes it."""

    def apply(self, root: Path) -> None:
        """Break the code below a folder. Raises `ValueError` as `Edit.applied`."""
        for edit in self.edits:
            path = root / edit.path
            path.write_text(edit.applied(path.read_text("utf-8")), "utf-8")


SABOTAGES = (
    Sabotage(
        name="acknowledge before the commit",
        edits=(
            Edit(
                "kefu_core/store/transaction.py",
                '    connection.execute("BEGIN IMMEDIATE")',
                '    connection.in_transaction and connection.execute("COMMIT")\n'
                '    connection.execute("BEGIN IMMEDIATE")',
            ),
            Edit(
                "kefu_core/store/transaction.py",
                '    connection.execute("COMMIT")\n    return planned',
                "    return planned",
            ),
        ),
        check="tests/faults/test_durability.py",
    ),
    Sabotage(
        name="have the database flush now and then (NORMAL instead of FULL)",
        edits=(
            Edit(
                "kefu_core/store/dialects/sqlite.py",
                '_run(connection, "PRAGMA synchronous=FULL")',
                '_run(connection, "PRAGMA synchronous=NORMAL")',
            ),
            Edit("kefu_core/store/dialects/sqlite.py", "_FULL = 2", "_FULL = 1"),
        ),
        check="tests/faults/test_durability.py",
    ),
    Sabotage(
        name="take the uniqueness of a message's key from the database",
        edits=(
            Edit(
                "kefu_core/store/migrations/versions/0001_first.py",
                "        sa.UniqueConstraint(\n"
                '            "conversation_id",\n'
                '            "sender",\n'
                '            "key",\n'
                '            name="uq_message_conversation_id_sender_key",\n'
                "        ),\n",
                "",
            ),
        ),
        check="tests/core/store/test_migrations.py::"
        "test_the_migrations_bring_the_tables_that_the_code_declares",
    ),
    Sabotage(
        name="number messages by a counter in memory",
        edits=(
            Edit(
                "kefu_core/store/planner.py",
                "        seq=Seq(row.last_seq + 1),",
                "        seq=_COUNT.setdefault(row.id, [Seq(row.last_seq)]).__iadd__("
                "[Seq(_COUNT[row.id][-1] + 1)])[-1],",
            ),
            Edit(
                "kefu_core/store/planner.py",
                "def _next(row:",
                "_COUNT: dict[ConversationId, list[Seq]] = {}\n\n\ndef _next(row:",
            ),
        ),
        check="tests/contract/test_stores.py",
    ),
    Sabotage(
        name="show a message to others before the commit",
        edits=(
            Edit(
                "kefu_core/hub/hub.py",
                "        append.done = done\n        self.store.submit(append)",
                "        append.done = done\n"
                "        row = self._rows.get(append.draft.conversation)\n"
                "        if row is not None:\n"
                "            from kefu_core.store.planner import _next\n"
                "            m = _next(row, append.draft, row.last_at)\n"
                "            self._committed(Appended(message=m, conversation=row))\n"
                "        self.store.submit(append)",
            ),
        ),
        check="tests/faults/test_crash.py::"
        "test_a_server_killed_again_and_again_loses_doubles_and_reorders_nothing",
    ),
    Sabotage(
        name="forget what a poll was answered before its client has it",
        edits=(
            Edit(
                "kefu_core/protocol/longpoll.py",
                "        return [batch for batch, _ in self._retained]",
                "        said = [batch for batch, _ in self._retained]\n"
                "        self.acknowledge(self.last_batch)\n"
                "        return said",
            ),
        ),
        check="tests/faults/test_network.py",
    ),
    Sabotage(
        name="let what waits for a slow reader grow without bound",
        edits=(
            Edit(
                "kefu_core/hub/outbox.py",
                "            len(self._queue) < self._frames_max\n"
                "            and self._bytes < self._bytes_max\n"
                "            and not self._is_sealed",
                "            not self._is_sealed",
            ),
        ),
        check="tests/faults/test_readers.py",
    ),
    Sabotage(
        name="read the log on by time",
        edits=(
            Edit(
                "kefu_core/store/history.py",
                '_m.seq > bindparam("seq")\n    )\n    .order_by(_m.seq)',
                "_m.at > func.coalesce(select(_o.c.at).where("
                '_o.c.conversation_id == bindparam("conversation"), '
                '_o.c.seq == bindparam("seq")).scalar_subquery(), 0)\n    )\n'
                "    .order_by(_m.at)",
            ),
            Edit(
                "kefu_core/store/history.py",
                "_AFTER = (",
                "_o = t.message.alias()\n_AFTER = (",
            ),
        ),
        check="tests/contract/test_stores.py::TestSqlStore::"
        "test_pages_read_at_once_are_those_read_alone",
    ),
    Sabotage(
        name="take leases and timers from the wall clock",
        edits=(
            Edit(
                "kefu_core/node.py",
                "    return time.monotonic()",
                "    return time.time()",
            ),
        ),
        check="tests/faults/test_clocks.py",
    ),
    Sabotage(
        name="let a caller who goes away cancel its read",
        edits=(
            Edit(
                "kefu_core/store/access.py",
                "        with anyio.CancelScope(shield=True):\n"
                "            connection = self._readers.connect()",
                "        with anyio.CancelScope():\n"
                "            connection = self._readers.connect()",
            ),
        ),
        check="tests/faults/test_cancels.py",
    ),
    Sabotage(
        name="let whoever closes a store cancel a commit",
        edits=(
            Edit(
                "kefu_core/store/appender.py",
                "                    with anyio.CancelScope(shield=True):\n"
                "                        if self._queue:",
                "                    with anyio.CancelScope():\n"
                "                        if self._queue:",
            ),
        ),
        check="tests/core/store/test_appender.py",
    ),
    Sabotage(
        name="go on with the cursors of another history",
        edits=(
            Edit(
                "kefu_core/hub/hello.py",
                'same_history = hello.epoch in ("", hub.store.epoch)',
                "same_history = True",
            ),
        ),
        check="tests/core/hub/test_hello.py",
    ),
    Sabotage(
        name="give up at the first temporary fault of the database",
        edits=(
            Edit(
                "kefu_core/store/committing.py",
                "            except TemporaryError as error:\n"
                "                if self._now() >= give_up_at:",
                "            except TemporaryError as error:\n"
                "                if self._now() >= give_up_at or error:",
            ),
        ),
        check="tests/faults/test_commits.py",
    ),
)
