"""Where microseconds are booked: by room, by package, by function, by statement."""

from __future__ import annotations

from bench.profile import by_place, by_statement, place_of, stacks_in

RAW = """\
<module> (runpy.py:1);charge (/x/src/eci_payments/api/routes/charging.py:10);run (sqlalchemy/engine/base.py:5) 3
<module> (runpy.py:1);charge (/x/src/eci_payments/api/routes/charging.py:11) 1
<module> (runpy.py:1);decide (/x/src/eci_payments/domain/payment.py:7) 4
process 12 0
"""
LOG = """\
2026-11-26 00:00:00.000 UTC [7] LOG:  duration: 1.500 ms  bind __asyncpg_stmt_1__: SELECT 1
\tFROM payments
2026-11-26 00:00:00.001 UTC [7] LOG:  duration: 2.500 ms  execute __asyncpg_stmt_1__: SELECT 1
\tFROM payments
2026-11-26 00:00:00.002 UTC [7] LOG:  duration: 6.000 ms  statement: COMMIT;
2026-11-26 00:00:00.003 UTC [7] LOG:  duration: 90.000 ms  execute __asyncpg_stmt_2__: ALTER SYSTEM RESET ALL
2026-11-26 00:00:00.004 UTC [7] LOG:  checkpoint starting: time
"""


def test_samples_are_booked_to_the_innermost_room_and_package_and_add_up_to_the_whole():
    booked = by_place(stacks_in(RAW), 800.0)
    assert booked["rooms"] == {"eci_payments.api": 400.0, "eci_payments.domain": 400.0}
    assert booked["packages"] == {
        "eci_payments.domain": 400.0,
        "sqlalchemy": 300.0,
        "eci_payments.api": 100.0,
    }
    assert booked["functions"]["run (sqlalchemy/engine/base.py)"] == 300.0


def test_a_frame_is_a_room_a_package_or_the_standard_library():
    assert place_of("f (/a/src/eci_payments/bootstrap.py:3)") == "eci_payments.bootstrap"
    assert place_of("f (/v/lib/python3.11/site-packages/asyncpg/connection.py:3)") == "asyncpg"
    assert place_of("f (/usr/lib/python3.11/selectors.py:3)") == "standard library"
    assert place_of("MainThread") is None


def test_a_statement_takes_what_its_parsing_binding_and_execution_took_together():
    first, second = by_statement(LOG, charges=2)
    assert (first["statement"], first["calls"], first["us_per_charge"]) == ("COMMIT;", 1, 3000.0)
    assert second == {
        "statement": "SELECT 1 FROM payments",
        "calls": 1,
        "mean_ms": 4.0,
        "us_per_charge": 2000.0,
    }
