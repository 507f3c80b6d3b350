"""Pages for people: the API's description in Swagger UI, and one page for each problem, where its ``type`` leads.

Swagger UI comes from the package ``fastapi-swagger``, so that the page works where no other host can be reached.
"""

from __future__ import annotations

import base64
import html
import importlib.resources
import re
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from eci_payments.api.openapi_30 import as_openapi_30
from eci_payments.operations.problems import CATALOGUE

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request

    from eci_payments.operations.problems import Problem

JSON = "application/json"
_ASSETS = {
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "favicon-32x32.png": "image/png",
}
_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width"></head>
<body><h1>{title}</h1><p><code>{code}</code>, HTTP status {status}</p><p>{advice}</p>
<p><a href="../docs">All endpoints</a></p></body></html>
"""


def add_pages(app: FastAPI) -> None:
    """/docs, /openapi.json, /openapi-3.0.json and /problems/{code}: none of them part of the api itself."""
    _add_documents(app)
    app.add_route("/docs", _docs, include_in_schema=False)
    app.add_route("/docs/{name}", _asset, include_in_schema=False)
    app.add_route("/problems/{code}", _problem, include_in_schema=False)


def _add_documents(app: FastAPI) -> None:
    async def openapi_31(_request: Request) -> Response:
        return Response(msgspec.json.encode(app.openapi()), media_type=JSON)

    async def openapi_30(_request: Request) -> Response:
        return Response(msgspec.json.encode(as_openapi_30(app.openapi())), media_type=JSON)

    app.add_route("/openapi.json", openapi_31, include_in_schema=False)
    app.add_route("/openapi-3.0.json", openapi_30, include_in_schema=False)


async def _docs(_request: Request) -> Response:
    page = get_swagger_ui_html(
        openapi_url="openapi.json",
        title="ECI Payments",
        swagger_js_url="docs/swagger-ui-bundle.js",
        swagger_css_url="docs/swagger-ui.css",
        swagger_favicon_url="docs/favicon-32x32.png",
    )
    page.headers["Content-Security-Policy"] = _policy(bytes(page.body).decode())
    return page


def _policy(page: str) -> str:
    """Our own files, and the scripts that stand in this very page, by their hashes."""
    hashes = (base64.b64encode(sha256(script.encode()).digest()).decode() for script in _INLINE.findall(page))
    scripts = " ".join(f"'sha256-{each}'" for each in hashes)
    return (
        f"default-src 'none'; script-src 'self' {scripts}; style-src 'self' 'unsafe-inline';"
        " img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
    )


async def _asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _ASSETS:
        raise HTTPException(404)
    content = (importlib.resources.files("fastapi_swagger.resources") / name).read_bytes()
    headers = {"Content-Type": _ASSETS[name], "Cache-Control": "public, max-age=3600"}
    return Response(content, headers=headers)


async def _problem(request: Request) -> Response:
    found = CATALOGUE.get(request.path_params["code"])
    if found is None:
        raise HTTPException(404)
    if "text/html" in request.headers.get("accept", ""):
        return HTMLResponse(_html(found))
    return Response(msgspec.json.encode(found), media_type=JSON)


def _html(problem: Problem) -> str:
    return _PAGE.format(
        title=html.escape(problem.title),
        code=html.escape(problem.code),
        status=problem.status,
        advice=html.escape(problem.advice),
    )
