"""``make chaos``: outages of real parts under load, and one table of what was found."""
