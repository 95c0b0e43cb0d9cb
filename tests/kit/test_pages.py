"""Every page says what it may load, and that is its own alone."""

import re

import httpx
import pytest

from architecture.source import modules

#: Each page there is, and what its policy lets it load.
PAGES = {
    "/docs": ["script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'"],
    "/problems/lot-not-found": [],
    "/register": ["style-src 'sha256-…'"],
}


@pytest.mark.parametrize(("path", "allowed"), PAGES.items())
async def test_a_page_loads_its_own_alone_and_is_framed_by_nobody(
    client: httpx.AsyncClient, path: str, allowed: list[str]
) -> None:
    reply = await client.get(path)
    assert (reply.status_code, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = re.sub("sha256-[^']+", "sha256-…", reply.headers["content-security-policy"])
    assert policy.split("; ") == [
        "default-src 'none'",
        *allowed,
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
    assert (reply.headers["x-content-type-options"], reply.headers["referrer-policy"]) == ("nosniff", "no-referrer")


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_has_no_script_or_style_that_its_policy_stops(client: httpx.AsyncClient, path: str) -> None:
    """The register's style element is the one that its policy names by hash: `tests/register` holds them together."""
    text = (await client.get(path)).text
    assert re.findall(r"<script(?![^>]* src=\"/assets/)", text) == []
    assert re.findall(r"\s(?:style|on[a-z]+)=\"", text) == []
    assert ("<style" in text) == (path == "/register")


def test_pages_are_made_in_one_place() -> None:
    makers = {module.name for module in modules() if "MediaType.HTML" in module.text or "text/html" in module.text}
    assert makers == {"procure.kit.pages"}
