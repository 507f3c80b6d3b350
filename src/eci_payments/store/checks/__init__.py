"""What `store.verify` proves: one module per part of the books, each check a statement that returns what is broken."""
