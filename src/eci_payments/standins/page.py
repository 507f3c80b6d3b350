"""The page that shows what arrived."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eci_payments.standins.switches import Switch

COLUMNS = ("number", "received_at", "peer", "method", "path", "order_id", "answered", "repeat", "body")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_STYLE = (
    "body{font:14px/1.4 system-ui,sans-serif;margin:2rem;color:#222}table{border-collapse:collapse;width:100%}"
    "td,th{border-bottom:1px solid #ddd;padding:.3rem .6rem;text-align:left;vertical-align:top}"
    "td:last-child{font-family:monospace;word-break:break-all}"
)


def page(calls: list[dict[str, Any]], counts: dict[str, int], switches: dict[str, Switch]) -> str:
    """The last calls as HTML, newest first."""
    peers = "".join(
        f"<li>{escape(name)}: {counts.get(name, 0)} taken, {escape(switch.mode)}</li>"
        for name, switch in switches.items()
    )
    head = "".join(f"<th>{column.replace('_', ' ')}</th>" for column in COLUMNS)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(str(call[column]))}</td>" for column in COLUMNS) + "</tr>"
        for call in calls
    )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Stand-in peers</title>"
        f"<style>{_STYLE}</style><h1>What the stand-in peers were told</h1><ul>{peers}</ul>"
        "<p>As JSON: <code>/received?order_id=…&amp;peer=…&amp;after=…&amp;limit=…</code></p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></html>"
    )
