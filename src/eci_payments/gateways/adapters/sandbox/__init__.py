"""The sandbox as a gateway over HTTP: the simulator, spoken to as one speaks to a stranger."""
