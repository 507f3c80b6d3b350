"""What each outcome makes of each kind of operation. Pure; `operations.conclude` chooses among them."""
