"""``make soak``: many minutes at half the maximum rate; nothing may grow that should not."""
