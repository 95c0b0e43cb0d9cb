"""The interactive documentation: Swagger UI from vendored assets, so that it works without internet; and the document itself."""

import asyncio
from functools import cache
from html import escape
from importlib.resources import files

from litestar import Litestar, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from procure import document
from procure.kit.coding import constant
from procure.kit.errors import Fact
from procure.kit.http import ApiRequest
from procure.kit.pages import html
from procure.kit.problems import BY_STATUS

_ASSETS = {
    "docs.js": ("docs.js", "text/javascript; charset=utf-8"),
    "swagger-ui-bundle.js": ("swagger/swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
    "swagger-ui.css": ("swagger/swagger-ui.css", "text/css; charset=utf-8"),
    "favicon-32x32.png": ("swagger/favicon-32x32.png", "image/png"),
}
#: What the page may load: files of this service, the images that Swagger UI's style sheet has in itself, and this API's answers.
_OWN = ("script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'")

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Procure: interactive documentation</title>
<link rel="stylesheet" href="/assets/swagger-ui.css"><link rel="icon" href="/assets/favicon-32x32.png">
</head>
<body>
<div id="docs"></div>
<script src="/assets/swagger-ui-bundle.js"></script>
<script src="/assets/docs.js"></script>
</body>
</html>
"""

_PROBLEM = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title} - Procure</title></head>
<body><h1>{title}</h1><p>{text}</p><p>HTTP status: {status}. Type: <code>{slug}</code>.</p>
<p><a href="/docs">Interactive documentation</a></p></body>
</html>
"""


@get("/docs", include_in_schema=False, sync_to_thread=False)
def docs_page() -> Response[str]:
    """The page that reads the document."""
    return html(_PAGE, *_OWN)


@get("/openapi.json", include_in_schema=False)
async def openapi_json(request: ApiRequest) -> Response[bytes]:
    """The document, built once per process."""
    constant(request)
    # In a thread: it takes most of a second, in which bids must not wait.
    return Response(await asyncio.to_thread(encoded, request.app), media_type="application/vnd.oai.openapi+json")


@cache
def encoded(app: Litestar) -> bytes:
    return document.encode(document.build(app))


@get("/assets/{name:str}", include_in_schema=False)
async def asset(request: ApiRequest, name: FromPath[str]) -> Response[bytes]:
    """A file of the documentation page."""
    if name not in _ASSETS:
        raise NotFoundException
    constant(request)
    path, media_type = _ASSETS[name]
    headers = {"Cache-Control": "public, max-age=86400", "X-Content-Type-Options": "nosniff"}
    return Response(_content(path), media_type=media_type, headers=headers)


@cache
def _content(path: str) -> bytes:
    return files("procure").joinpath("assets", path).read_bytes()


@get("/problems/{slug:str}", include_in_schema=False)
async def problem_page(slug: FromPath[str]) -> Response[str]:
    """What a problem's `type` leads to."""
    if slug not in _problems():
        raise NotFoundException
    title, text, status = _problems()[slug]
    return html(_PROBLEM.format(title=escape(title), text=escape(text), status=status, slug=slug))


@cache
def _problems() -> dict[str, tuple[str, str, int]]:
    """Title, explanation and status of every problem there is, by slug: the framework's own, and every Fact."""
    found = {slug: (title, f"{title}.", status) for status, (slug, title) in BY_STATUS.items()}
    waiting: list[type[Fact]] = [Fact]
    while waiting:
        fact = waiting.pop()
        waiting.extend(fact.__subclasses__())
        if "slug" in fact.__dict__:
            found[fact.slug] = fact.title, " ".join((fact.__doc__ or fact.title).split()), fact.status
    return found
