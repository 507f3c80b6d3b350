"""Writes ``.env.example`` to standard output."""

import sys

from eci_payments.settings import example

sys.stdout.write(example())
