"""What every table is made of: the metadata with its names, the merchant in every key, times, transaction numbers."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, MetaData, text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.types import UserDefinedType

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    }
)


class TransactionNumber(UserDefinedType[str]):
    """PostgreSQL's xid8: the full, never wrapping number of a transaction."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """The type's name in DDL."""
        return "xid8"


TIME = TIMESTAMP(timezone=True)
NOW = text("now()")


def merchant() -> Column[int]:
    """Whose row it is: the first column of every key."""
    return Column("merchant_id", BigInteger, nullable=False, autoincrement=False)


def committed_in() -> Column[str]:
    """The transaction that wrote the row."""
    return Column(
        "committed_in", TransactionNumber(), nullable=False, server_default=text("pg_current_xact_id()")
    )
