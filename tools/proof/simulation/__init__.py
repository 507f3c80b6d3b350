"""Seeded runs: random commands, faults and turns over the real service, replayed exactly by their seed."""
