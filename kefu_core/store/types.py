"""Column types that mean the same on every engine.

Text is Unicode everywhere (`NVARCHAR` on SQL Server, where `VARCHAR` turns Chinese into
question marks without an error) and names are compared byte for byte: by default MySQL
and SQL Server take `A` for `a`, and ignore spaces at the end.
"""

from typing import Any

from sqlalchemy import BigInteger, Integer, LargeBinary, Unicode, UnicodeText
from sqlalchemy.dialects import mssql, mysql
from sqlalchemy.types import TypeEngine

MSSQL_BINARY = "Latin1_General_100_BIN2"
MYSQL_OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}
"""Of every table: transactions, emoji, and comparison byte for byte."""

ROW_ID: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")
"""A primary key of one column. SQLite keeps a row under an INTEGER key itself; any
other type costs an index beside the table."""

LONG_TEXT: TypeEngine[str] = UnicodeText().with_variant(mysql.MEDIUMTEXT(), "mysql")
"""Text of people; never compared by the database."""

BYTES: TypeEngine[bytes] = LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql")


def name(chars: int) -> TypeEngine[str]:
    """Return text of at most `chars` that is compared byte for byte."""
    binary = mssql.NVARCHAR(chars, collation=MSSQL_BINARY)
    return Unicode(chars).with_variant(binary, "mssql")
