"""What Alembic runs: the migrations on the connection, and in the transaction, that `store.migrate` gives it."""

from alembic import context

from eci_payments.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
