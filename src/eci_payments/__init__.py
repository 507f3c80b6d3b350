"""ECI Payments: a self-hosted payment service that never loses a rupee."""

__version__ = "0.1.0"
