"""Pages without scripts and without anything from elsewhere; every value is escaped."""

from __future__ import annotations

import base64
import hashlib
import re
from html import escape
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_STYLE = """
body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a;
  background: #fff }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem }
dd { margin: 0; overflow-wrap: anywhere }
button { font: inherit; padding: .6rem 1.6rem; margin: .5rem .5rem .5rem 0; border: 2px solid #1a1a1a;
  border-radius: .4rem; background: #fff; color: #1a1a1a; cursor: pointer }
button.primary { background: #0b5d2a; border-color: #0b5d2a; color: #fff }
button:focus-visible, a:focus-visible { outline: 3px solid #1b5fc1; outline-offset: 2px }
table { border-collapse: collapse }
th, td { text-align: left; padding: .2rem 1rem .2rem 0; border-bottom: 1px solid #ccc }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_ORIGIN = re.compile(
    r"(https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?|https?://\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?)(?:[/?#].*)?"
)


def origin_of(url: str | None) -> str | None:
    """Scheme, host and port of a web address; None for everything else (no other scheme is ever followed)."""
    found = _ORIGIN.fullmatch(url or "")
    return found.group(1) if found else None


def page(title: str, body: str, *, status: int = 200, leads_to: str | None = None) -> HTMLResponse:
    """A page. ``body`` is HTML; ``leads_to`` is the origin that its form may end at beside our own."""
    html = (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{_STYLE}</style>\n'
        f"</head>\n<body>\n<main>\n<h1>{escape(title)}</h1>\n{body}\n</main>\n</body>\n</html>\n"
    )
    return HTMLResponse(html, status, headers=_headers(leads_to))


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """Names and values, one below the other."""
    inner = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>\n" for name, value in rows)
    return f"<dl>\n{inner}</dl>"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with a head."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    lines = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>\n" for row in rows)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{lines}</tbody>\n</table>"


def _headers(leads_to: str | None) -> dict[str, str]:
    targets = " ".join(["'self'", *([leads_to] if leads_to else [])])
    return {
        "Cache-Control": "no-store",
        "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action {targets};"
        " base-uri 'none'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
