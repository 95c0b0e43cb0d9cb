"""HTML answers. Each says what it may load, which is nothing that it does not name (Content Security Policy, level 3)."""

from litestar import MediaType, Response


def html(markup: str, *allowed: str) -> Response[str]:
    """A page that loads only what the directives in `allowed` name, is framed by nobody, and tells no other site where one came from."""
    policy = ("default-src 'none'", *allowed, "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'")
    headers = {
        "Content-Security-Policy": "; ".join(policy),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(markup, media_type=MediaType.HTML, headers=headers)
