"""A worker says how it is, at a port of its own."""

from __future__ import annotations

import httpx

from support.processes import free_port, processes


def test_a_worker_answers_probes_and_prometheus(tmp_path, database):
    port = free_port()
    with processes(
        tmp_path,
        DATA_DIR=tmp_path,
        DATABASE_URL=database.service_url,
        GATEWAYS="simulator",
        WORK_PORT=port,
    ) as started:
        worker = started.work()
        base = f"http://127.0.0.1:{port}"
        assert httpx.get(f"{base}/livez").status_code == 200
        assert httpx.get(f"{base}/readyz").status_code == 200
        assert httpx.get(f"{base}/v1/payments").status_code == 404
        told = httpx.get(f"{base}/metrics").text
        assert "audit_unsealed_oldest_seconds" in told
        assert "streams_open" not in told, "by this the alerts know an API process"
        assert worker.stop() == 0
