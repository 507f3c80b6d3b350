"""A private PostgreSQL 18 in the data folder, for whoever has named no other database.

Public names: ``EmbeddedPostgres`` (start, stop, addresses), ``Urls``, ``claim_data_dir`` (one ``demo`` per data
folder), ``pgbench_path``, and the errors ``EmbeddedError`` and ``DataDirInUse``, each with a message of one line.
"""

from eci_payments.store.embedded.errors import DataDirInUse, EmbeddedError
from eci_payments.store.embedded.locks import claim_data_dir
from eci_payments.store.embedded.programs import pgbench_path
from eci_payments.store.embedded.server import EmbeddedPostgres, Urls

__all__ = ["DataDirInUse", "EmbeddedError", "EmbeddedPostgres", "Urls", "claim_data_dir", "pgbench_path"]
