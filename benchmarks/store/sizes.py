"""How much room a database takes."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from benchmarks.store.filling import open_engine

_MYSQL = """
SELECT table_name, data_length + index_length
FROM information_schema.tables WHERE table_schema = DATABASE()
"""
_POSTGRES = """
SELECT relname, pg_total_relation_size(oid) FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""
_SQLITE = """
SELECT m.tbl_name, SUM(s.pgsize) FROM dbstat AS s
JOIN sqlite_master AS m ON m.name = s.name
WHERE s.aggregate = TRUE GROUP BY 1
"""


async def size_of(url: str) -> dict[str, int]:
    """Return bytes by table, its indexes included; settles the database before."""
    engine = open_engine(url)
    try:
        async with engine.connect() as connection:
            kind = connection.dialect.name
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            if kind == "sqlite":
                return await _ask(
                    connection, "PRAGMA wal_checkpoint(TRUNCATE)", _SQLITE
                )
            if kind == "postgresql":
                return await _ask(connection, "VACUUM ANALYZE", _POSTGRES)
            names = await connection.execute(text("SHOW TABLES"))
            tables = ", ".join(f"`{row[0]}`" for row in names)
            return await _ask(connection, f"ANALYZE TABLE {tables}", _MYSQL)
    finally:
        await engine.dispose()


async def _ask(connection: AsyncConnection, settle: str, query: str) -> dict[str, int]:
    await connection.execute(text(settle))
    rows = (await connection.execute(text(query))).all()
    return {str(name): int(size) for name, size in rows}


def split(sizes: dict[str, int]) -> tuple[int, int]:
    """Return the bytes of everything but the search index, and of the index."""
    index = sum(size for name, size in sizes.items() if _is_index(name))
    return sum(sizes.values()) - index, index


def _is_index(table: str) -> bool:
    return table.startswith("search_") or table == "follower"
