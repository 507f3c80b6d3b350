"""What PostgreSQL does when the same rows are written one charge at a time: pgbench, prepared statements, two commits.

Every constant travels as a parameter, as it would from a service; ids and names are new for every charge, random where
the service's are random. It has no HTTP to read, nothing to decide and nobody to answer.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bench.load import Outcome
from eci_payments.store.embedded import EmbeddedPostgres, pgbench_path
from eci_payments.store.embedded.cluster import DATABASE, SERVICE_ROLE
from eci_payments.store.embedded.layout import PORT

if TYPE_CHECKING:
    from bench.rows import Row, Sample

TWO_COMMITS = 2
IDS_FROM = 10**12
"""Far above what the service's sequences give out in a run."""
PER_CLIENT = 10**9
IDS = ("payment_id", "operation_id", "charge_operation_id", "open_operation_id", "event_id", "entry_id")
RANDOM = {"transaction_id": "TXN", "gateway_key": "", "gateway_reference": "", "reference": "REF"}
"""Columns of random text, and what it begins with."""
KEYS = {
    "payments": ("merchant_id", "payment_id"),
    "operations": ("merchant_id", "operation_id"),
    "idempotency_keys": ("merchant_id", "scope", "key"),
}


@dataclass(slots=True)
class Script:
    """The script's text and the parameters that it names."""

    text: str = ""
    parameters: dict[str, str] = field(default_factory=dict)

    def parameter(self, value: str) -> str:
        """The name of a parameter with this value."""
        for name, known in self.parameters.items():
            if known == value:
                return name
        name = f"v{len(self.parameters)}"
        self.parameters[name] = value
        return name


def script(sample: Sample, *, commits: int = 2) -> Script:
    """One charge in its two commits; or all of it in one, which no service that calls a gateway in between can do."""
    made = Script()
    lines = [
        "\\set n :n + 1",
        f"\\set id {IDS_FROM} + :run * {PER_CLIENT} * 1000 + :client_id * {PER_CLIENT} + :n",
        f"\\set id2 :id + {PER_CLIENT} / 2",
        "BEGIN;",
        *(
            _insert(made, row, guarded=row.table in {"payments", "idempotency_keys"})
            for row in sample.inserted
        ),
        *(["COMMIT;", "BEGIN;"] if commits == TWO_COMMITS else []),
        *(_update(made, before, after) for before, after in _pairs(sample)),
        *(
            _insert(made, row, again=row.table in {each.table for each in sample.inserted})
            for row in sample.added
        ),
        "COMMIT;",
    ]
    made.text = "\n".join(lines) + "\n"
    return made


def _pairs(sample: Sample) -> list[tuple[Row, Row]]:
    before = {row.table: row for row in sample.inserted}
    return [(before[row.table], row) for row in sample.updated]


def _insert(made: Script, row: Row, *, guarded: bool = False, again: bool = False) -> str:
    columns = ", ".join(f'"{name}"' for name in row.values)
    values = ", ".join(_value(made, row, name, again=again) for name in row.values)
    conflict = " ON CONFLICT DO NOTHING" if guarded else ""
    return f"INSERT INTO {row.table} ({columns}) VALUES ({values}){conflict};"  # noqa: S608 - our own tables


def _update(made: Script, before: Row, after: Row) -> str:
    changed = [name for name in after.values if after.values[name] != before.values[name]]
    sets = ", ".join(f'"{name}" = {_value(made, after, name)}' for name in changed)
    same = " AND ".join(f'"{name}" = {_value(made, after, name)}' for name in KEYS[after.table])
    guard = _guard(made, before)
    return f"UPDATE {after.table} SET {sets} WHERE {same} AND {guard};"  # noqa: S608 - names of our own tables


def _guard(made: Script, before: Row) -> str:
    if before.table == "idempotency_keys":
        return "response_status IS NULL"
    name = "version" if before.table == "payments" else "lease_epoch"
    return f"{name} = {_value(made, before, name)}"


def _value(made: Script, row: Row, name: str, *, again: bool = False) -> str:
    value = row.values[name]
    if value is None:
        return "NULL"
    if name == "transaction_log_id":
        return "(:id2)::bigint" if again else "(:id)::bigint"
    if name in IDS:
        return "(:id)::bigint"
    if name == "order_id" or (name == "key" and row.table in {"operations", "idempotency_keys"}):
        return "('pgbench-' || (:id)::bigint)"
    if name in RANDOM:
        begin = RANDOM[name]
        return f"('{begin}' || left(upper(md5(((:id)::bigint)::text)), {len(value) - len(begin)}))"
    if row.types[name].startswith("timestamp"):
        return "now()"
    return f"CAST(:{made.parameter(value)} AS {row.types[name]})"


class PgBench:
    """pgbench over one embedded server. ``runs_from`` keeps the ids of two scripts apart."""

    def __init__(self, server: EmbeddedPostgres, script: Script, *, runs_from: int = 0) -> None:
        self._server = server
        self._script = script
        self._runs = runs_from

    def run(self, clients: int, seconds: int) -> Outcome:
        """One run. Raises RuntimeError with what pgbench said when it fails."""
        self._runs += 1
        with tempfile.TemporaryDirectory(prefix="eci-bench-") as folder:
            path = Path(folder) / "charge.sql"
            path.write_text(self._script.text)
            done = subprocess.run(
                self._command(path, clients, seconds), cwd=folder, capture_output=True, text=True, check=False
            )
            said = done.stdout + done.stderr
            if done.returncode or "number of failed transactions: 0" not in said:
                raise RuntimeError(f"pgbench failed: {said[-2000:]}")
            latencies = [
                int(line.split()[2]) / 1e6
                for log in Path(folder).glob("log.*")
                for line in log.read_text().splitlines()
            ]
        found = re.search(r"tps = ([0-9.]+)", said)
        if found is None:
            raise RuntimeError(f"pgbench said no rate: {said[-2000:]}")
        return Outcome.of_rate(float(found.group(1)), seconds, latencies)

    def _command(self, script: Path, clients: int, seconds: int) -> list[str]:
        given = {"n": "0", "run": str(self._runs), **self._script.parameters}
        return [
            str(pgbench_path()),
            "--no-vacuum", "--protocol=prepared", "--log", "--log-prefix=log",
            f"--file={script}", f"--client={clients}", f"--jobs={min(clients, 2)}", f"--time={seconds}",
            f"--host={self._server.socket_folder}", f"--port={PORT}", f"--username={SERVICE_ROLE}",
            *(f"--define={name}={value}" for name, value in given.items()),
            DATABASE,
        ]  # fmt: skip
