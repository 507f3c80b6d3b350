"""``make bench``: charges per second over HTTP against what pgbench does with the same rows, in one run."""
