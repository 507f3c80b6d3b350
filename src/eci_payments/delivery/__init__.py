"""Committed events out to the peers: claim, send, back off, park."""
