"""What kefu says to SQL Server, MySQL and PostgreSQL, as text that people read.

`python -m tests.dialects.golden` writes the files anew; a change in them is a change of
what databases are asked, and is looked at as such.
"""

import importlib
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Select, UpdateBase
from sqlalchemy.sql import ClauseElement

import kefu_core.store
from kefu_core.store import migrating
from kefu_core.store.batching import Statements
from kefu_core.store.dialects.mssql import MssqlStatements
from kefu_core.store.dialects.mysql import MysqlStatements
from kefu_core.store.dialects.postgres import PostgresStatements
from kefu_core.store.rows import CHANGE_COLUMNS, MESSAGE_INSERT_COLUMNS, TOUCH_COLUMNS
from tests.dialects.watching import MSSQL, text_of

FOLDER = Path(__file__).parent / "golden"
STATEMENTS: dict[str, Statements] = {
    "mssql": MssqlStatements(),
    "mysql": MysqlStatements(),
    "postgresql": PostgresStatements(),
}


def group_commit(words: Statements) -> str:
    """Return the statements of one group commit of two messages."""

    def rows(columns: tuple[str, ...]) -> list[tuple[str, ...]]:
        return [tuple(f"{name} {number}" for name in columns) for number in (1, 2)]

    statements = [
        words.lock([1, 2]),
        *words.wait([1]),
        words.existing([1, 2]),
        words.known([(1, "v1", "k1"), (2, "v2", "k2")]),
        *words.insert(rows(MESSAGE_INSERT_COLUMNS)),
        *words.touch(rows((*TOUCH_COLUMNS, "id"))),
        *words.change(rows((*CHANGE_COLUMNS, "id"))),
        words.unlabel([1, 2]),
        *words.label(rows(("conversation_id", "label", "active_at"))),
        words.seat([7, 8]),
        words.loads(["a7", "a8"]),
    ]
    return "".join(f"{text};\n" for text, _ in statements)


def queries() -> Iterator[tuple[str, ClauseElement]]:
    """Yield every statement that a module of the store keeps, with its name."""
    for found in pkgutil.walk_packages(kefu_core.store.__path__, "kefu_core.store."):
        if ".migrations" in found.name:
            continue
        module = importlib.import_module(found.name)
        for name, value in vars(module).items():
            if isinstance(value, (Select, UpdateBase)):
                yield f"{found.name.removeprefix('kefu_core.store.')}.{name}", value


def files() -> dict[str, str]:
    """Return every file's text by its name."""
    found = {}
    for name, words in STATEMENTS.items():
        options = {"deprecate_large_types": True} if name == "mssql" else {}
        found[f"{name}-schema.sql"] = migrating.script(name, **options)
        found[f"{name}-commit.sql"] = group_commit(words)
    found["mssql-queries.sql"] = "".join(
        f"-- {name}\n{text_of(query, MSSQL, {})};\n" for name, query in queries()
    )
    return found


def main() -> int:
    """Write the files."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in files().items():
        (FOLDER / name).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
