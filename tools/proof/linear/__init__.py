"""Concurrent histories of the public API, each explained by one order of its calls, or not at all."""
