"""Gateway accounts and routing rules as a file says them."""
