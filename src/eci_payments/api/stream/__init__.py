"""Streams: payments followed as they move, by Server-Sent Events."""
