"""``eci-payments demo``: everything on one machine, supervised, for the first five minutes."""
