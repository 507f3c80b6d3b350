"""The command line ``eci-payments``: one file per command, each imported only when it runs."""

from eci_payments.cli.app import main

__all__ = ["main"]
