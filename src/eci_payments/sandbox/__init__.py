"""The sandbox: the gateway simulator with a door of its own, for customers' browsers and for shops that speak HTTP."""

from eci_payments.sandbox.app import create_app
from eci_payments.sandbox.options import SandboxOptions
from eci_payments.sandbox.server import serve

__all__ = ["SandboxOptions", "create_app", "serve"]
