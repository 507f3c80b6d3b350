"""Small stand-ins for Order, Inventory and Notification: they take what they are told and remember it."""

from eci_payments.standins.app import create_app

__all__ = ["create_app"]
