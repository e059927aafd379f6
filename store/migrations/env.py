"""What Alembic runs for any tier's folder of migrations; `store.migration` hands in the connection."""

from alembic import context

attributes = context.config.attributes
context.configure(connection=attributes["connection"], version_table=attributes["version_table"])
context.run_migrations()
