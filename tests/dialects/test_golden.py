"""The schema and the group commit in each engine's words, held to files and rules."""

import io
import re
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import ForeignKeyConstraint, UniqueConstraint
from sqlalchemy.schema import CreateTable
from sqlalchemy.types import LargeBinary

import kefu_core.store
from kefu_core.store import migrating, schema
from kefu_core.store.desk_tables import metadata
from kefu_core.store.types import MSSQL_BINARY
from tests.dialects.golden import FOLDER, STATEMENTS, files, group_commit, queries
from tests.dialects.watching import DIALECTS, MSSQL, faults_of, text_of

FILES = files()
TABLES = list(metadata.tables.values())


@pytest.mark.parametrize("name", FILES)
def test_what_databases_are_told_is_what_was_read_and_agreed(name: str) -> None:
    assert (FOLDER / name).read_text("utf-8") == FILES[name], (
        "look at what changed, then run: python -m tests.dialects.golden"
    )


def test_a_migrated_sql_server_has_the_tables_of_the_metadata() -> None:
    script = FILES["mssql-schema.sql"]
    for table in TABLES:
        assert f"CREATE TABLE {table.name} (" in script
        for column in table.columns:
            said = column.type.compile(dialect=MSSQL)
            assert re.search(rf"\[?\b{column.name}\]? {re.escape(said)}", script), (
                f"{table.name}.{column.name} is not {said} in the migrations"
            )


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_sql_server_keeps_text_times_and_names_as_they_are(table: object) -> None:
    ddl = str(CreateTable(table).compile(dialect=MSSQL))  # type: ignore[arg-type]
    # VARCHAR turns Chinese into question marks; DATETIME rounds to 1/300 s.
    assert not re.search(r"(?<!N)\b(VARCHAR|TEXT|CHAR)\b", ddl)
    assert "DATETIME" not in ddl
    assert "IDENTITY" not in ddl, "ids come from the program"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_what_is_compared_is_compared_byte_for_byte(table: object) -> None:
    keys = {c.name for c in table.primary_key}  # type: ignore[attr-defined]
    for constraint in table.constraints:  # type: ignore[attr-defined]
        if isinstance(constraint, UniqueConstraint):
            keys |= {column.name for column in constraint.columns}
    for index in table.indexes:  # type: ignore[attr-defined]
        keys |= {column.name for column in index.columns}
    for name in keys:
        column = table.columns[name]  # type: ignore[attr-defined]
        said = column.type.compile(dialect=MSSQL)
        assert "NVARCHAR" not in said or MSSQL_BINARY in said


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_no_unique_column_may_be_null_and_nothing_is_deleted_by_cascade(
    table: object,
) -> None:
    for constraint in table.constraints:  # type: ignore[attr-defined]
        if isinstance(constraint, UniqueConstraint):
            # SQL Server's UNIQUE takes one NULL, and not a second.
            assert not any(column.nullable for column in constraint.columns)
        if isinstance(constraint, ForeignKeyConstraint):
            assert constraint.ondelete is None
    for column in table.columns:  # type: ignore[attr-defined]
        assert not column.unique or not column.nullable
        if isinstance(column.type, LargeBinary):
            assert "VARBINARY" in column.type.compile(dialect=MSSQL)


def test_the_way_back_drops_defaults_before_their_columns() -> None:
    """SQL Server drops no column that a constraint speaks of, and a default is one."""
    output = io.StringIO()
    config = migrating.base_config()
    options = {"deprecate_large_types": True}
    config.attributes.update(dialect="mssql", options=options, output=output)
    command.downgrade(config, f"{schema.newest()}:0001", sql=True)
    script = output.getvalue()
    for name in ("active_at", "kept_from", "retention_days"):
        column = script.index(f"DROP COLUMN {name}")
        before = script.rindex("drop constraint", 0, column)
        assert f"'{name}'" in script[script.rindex("declare", 0, before) : column]


def test_a_full_batch_stays_within_what_one_statement_takes() -> None:
    ids = list(range(256))
    rows = [(number, f"v{number}", "k") for number in ids]
    words = STATEMENTS["mssql"]
    for text, values in (words.lock(ids), words.existing(ids), words.known(rows)):
        assert text.count("?") == len(values) <= 2_000


def test_rows_that_others_hold_are_left_out_and_not_waited_for() -> None:
    # Without the last of them READPAST reads old versions where snapshots are on.
    hints = "WITH (UPDLOCK, ROWLOCK, READPAST, READCOMMITTEDLOCK)"
    assert hints in group_commit(STATEMENTS["mssql"])
    for name in ("mysql", "postgresql"):
        first = group_commit(STATEMENTS[name]).splitlines()[0]
        assert first.endswith("UPDATE SKIP LOCKED;")
        assert "ORDER BY id" in first


def test_every_query_that_a_module_keeps_is_one_that_all_engines_take() -> None:
    """Whether a test runs it or not."""
    faults = []
    for name, query in queries():
        for dialect in DIALECTS.values():
            text = text_of(query, dialect, {})
            if dialect is MSSQL:
                faults += [f"{name}: {fault}" for fault in faults_of(query, text)]
    assert not faults, "\n".join(faults)


def test_statements_in_an_engines_own_words_come_from_its_dialect() -> None:
    """What a driver is told as it is, nobody could compile for the others."""
    root = Path(kefu_core.store.__file__).parent
    raw = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if "exec_driver_sql" in path.read_text("utf-8")
    }
    assert {path for path in raw if not path.startswith("dialects/")} == {
        "bulk.py",  # what SQLAlchemy compiled for the dialect
    }
