"""``python -m eci_payments`` is the command line ``eci-payments``."""

from eci_payments.cli import main

main()
