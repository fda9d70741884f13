"""Owns how Alembic reaches the database: by the connection that migrate.py brings."""

from alembic import context

from control_plane.db.all_tables import metadata

connection = context.config.attributes["connection"]
# SQLite cannot alter a table; Alembic copies it.
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True, compare_type=True)
context.run_migrations()
