"""The command line of the next release."""

from support.next_release import become

become()

from eci_payments import cli  # noqa: E402 - it is to find what `become` has changed

cli.main()
