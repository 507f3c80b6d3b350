"""Our own guards, taken away one at a time: some test has to notice each."""
