"""Alembic's entry: migrates the connection that `kefu_core.store.migrating` hands over.

Without a connection it writes the statements for a dialect (`migrating.script`).
"""

from alembic import context

from kefu_core.store.desk_tables import metadata

given = context.config.attributes
if "dialect" in given:
    context.configure(
        dialect_name=given["dialect"],
        output_buffer=given["output"],
        dialect_opts=given["options"],
        literal_binds=True,
        as_sql=True,
    )
else:
    context.configure(
        connection=given["connection"],
        target_metadata=metadata,
        render_as_batch=True,
    )
with context.begin_transaction():
    context.run_migrations()
