"""Alembic, which brings a database to another schema.

Apart from `store.schema`, since most programs find the schema they need: importing
Alembic takes longer than opening the database.
"""

import io
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(connection: Connection) -> None:
    """Run the migrations that are missing, in the connection's transaction."""
    command.upgrade(config_for(connection), "head")


def script(dialect_name: str, **options: object) -> str:
    """Return the migrations as SQL for an empty database; needs none.

    Args:
        dialect_name: SQLAlchemy's: `sqlite`, `mysql`, `postgresql` or `mssql`.
        options: Of SQLAlchemy's dialect.
    """
    output = io.StringIO()
    config = base_config()
    config.attributes.update(dialect=dialect_name, options=options, output=output)
    command.upgrade(config, "head", sql=True)
    return output.getvalue()


def config_for(connection: Connection) -> Config:
    """Return Alembic's configuration for commands on this connection."""
    config = base_config()
    config.attributes["connection"] = connection
    return config


def base_config() -> Config:
    """Return Alembic's configuration without a connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config
