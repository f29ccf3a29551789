"""Alembic migrations, run through `kefu_core.store.schema`."""
