"""The proof: crash points, faults and seeded runs against the whole service, judged by an auditor of its own."""
