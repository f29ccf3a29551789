"""The judge of statements finds what it is there to find."""

import pytest
from sqlalchemy import (
    String,
    bindparam,
    case,
    cast,
    func,
    insert,
    select,
    text,
    tuple_,
)

from kefu_core.store import tables as t
from tests.dialects.watching import MSSQL, Watcher, faults_of, text_of


def seen(statement: object, values: dict[str, object] | None = None) -> str:
    watcher = Watcher()
    watcher.see(statement, [], values or {})
    return "\n".join(watcher.faults)


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        (select(t.site.c.id).limit(3), "cut without an order"),
        (select(t.site.c.id).with_for_update(), "the lock is dropped"),
        (select(cast(t.site.c.id, String)), "without Unicode"),
        (select(t.site.c.id).where(t.site.c.id.in_(range(2_001))), "2001 values"),
        (text("SELECT id FROM site LIMIT 3"), "LIMIT on SQL Server"),
        (text("INSERT INTO site VALUES (1) ON CONFLICT DO NOTHING"), "ON CONFLICT"),
        (text("MERGE INTO site USING site ON 1 = 1"), "MERGE"),
        (select(t.site.c.id).order_by(t.site.c.name.is_(None)), "say it by case()"),
        (select(t.site.c.id > 3), "say it by case()"),
        (
            select(t.site.c.id).where(tuple_(t.site.c.id, t.site.c.name) > (1, "a")),
            "compared as a whole",
        ),
        (select(func.length(t.site.c.name)), "length() is not known"),
    ],
)
def test_what_breaks_a_rule_is_named(statement: object, fault: str) -> None:
    assert fault in seen(statement)


@pytest.mark.parametrize(
    "statement",
    [
        select(t.site.c.id).order_by(t.site.c.id).limit(3),
        select(t.site.c.id)
        .with_for_update()
        .with_hint(t.site, "WITH (UPDLOCK, ROWLOCK)", "mssql"),
        select(t.site.c.id).where(t.site.c.id.in_(range(500))),
        select(t.message.c.body).where(t.message.c.body == "LIMIT"),
        select(t.agent.c.is_active).order_by(t.agent.c.is_active.desc()),
        select(t.site.c.id).order_by(case((t.site.c.name.is_(None), 1), else_=0)),
        select(t.site.c.id).order_by(t.site.c.id).limit(bindparam("limit")),
    ],
)
def test_what_all_engines_take_is_let_through(statement: object) -> None:
    assert seen(statement) == ""


def test_an_insert_is_judged_with_the_columns_it_has() -> None:
    statement = insert(t.follower)
    line = text_of(statement, MSSQL, {"name": "search", "position": 1})
    assert line == "INSERT INTO follower (name, position) VALUES (:name, :position)"
    assert faults_of(statement, line) == []
