"""The sandbox's own server as a process: ``python -m support.sandbox_server RECORD DESCRIPTOR OPTIONS(JSON)``."""

from __future__ import annotations

import json
import socket
import sys

from eci_payments.gateways.adapters.simulator.pace import Pace
from eci_payments.gateways.adapters.simulator.record import SimulatorRecord
from eci_payments.sandbox.options import SandboxOptions
from eci_payments.sandbox.server import serve

if __name__ == "__main__":
    record, descriptor, options = sys.argv[1:]
    told = json.loads(options)
    told["webhook_secrets"] = tuple(told.get("webhook_secrets", ()))
    pace = Pace(settle_s=0.4, late_s=1.5, deemed_s=0.8)
    serve(SimulatorRecord(record, pace=pace), SandboxOptions(**told), socket.socket(fileno=int(descriptor)))
