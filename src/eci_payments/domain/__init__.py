"""The words and laws of payments: pure, no I/O, no clock, no randomness, no logging."""
