"""The gateway simulator: a deterministic gateway with a record of its own, for tests, demonstrations and benchmarks."""
