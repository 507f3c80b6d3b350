"""All SQL, and the only door to a transaction."""
