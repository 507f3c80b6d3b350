"""A small collector, and traces drawn as trees: for the docs and the tests."""
