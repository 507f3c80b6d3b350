"""The way to the outside: the port every gateway fits, and who is asked for what."""
