"""Requests as a client makes them: a real token for the actor, JSON there and back."""

from typing import Any
from uuid import uuid4

import httpx
from litestar import Litestar

from identity.issuing import ISSUING
from procure.identity import tokens
from procure.kit.actor import Actor
from procure.kit.problems import handlers_at

READ_AGAIN_MAX = 50


class Call:
    """`await call.post(actor, "/v1/lots", {...})`; an actor of None sends no token."""

    def __init__(self, client: httpx.AsyncClient, app: Litestar) -> None:
        self.client, self.app = client, app

    def headers(self, actor: Actor | None) -> dict[str, str]:
        if actor is None:
            return {}
        if actor.client_id is None and actor.sign_on is not None:
            token = ISSUING[actor.sign_on.issuer].token(actor.sign_on.subject)
            named = {"Procure-Organisation": str(actor.organisation_id)} if actor.organisation_id else {}
            return {"Authorization": f"Bearer {token}", **named}
        assert actor.client_id is not None
        token = tokens.issue(self.app.state.oauth.keys.signer(), self.app.state.settings, actor.client_id, actor.scopes)
        return {"Authorization": f"Bearer {token}"}

    async def __call__(
        self,
        method: str,
        actor: Actor | None,
        path: str,
        json: Any = None,
        *,
        key: str | None = "",
        seen: str | None = "",
        **more: Any,
    ) -> httpx.Response:
        """What writes has a new Idempotency-Key unless one is given; `key=None` sends none.

        What has to have been seen is read first and its tag sent in If-Match, and again when it has changed meanwhile; or the tag that
        is given; `seen=None` sends none.
        """
        headers = {**self.headers(actor), **more.pop("headers", {})}
        if key is not None and method != "GET":
            headers.setdefault("Idempotency-Key", key or str(uuid4()))
        if seen:
            headers["If-Match"] = seen
        if seen != "" or "If-Match" in headers or not self._has_to_be_seen(method, path):
            return await self.client.request(method, path, json=json, headers=headers, **more)
        for _ in range(READ_AGAIN_MAX):
            headers["If-Match"] = await self.etag(actor, shown_at(method, path))
            reply = await self.client.request(method, path, json=json, headers=headers, **more)
            if reply.status_code != 412:
                return reply
        raise AssertionError(f"{method} {path}: changed each time that it was read")

    def _has_to_be_seen(self, method: str, path: str) -> bool:
        found = handlers_at(self.app, path.partition("?")[0])
        return any(one.opt.get("must_have_seen") for one in found if method in one.http_methods)

    async def etag(self, actor: Actor | None, path: str) -> str:
        """The tag of what is read there; one of nothing, if this actor can't read it."""
        reply = await self.client.get(path, headers=self.headers(actor))
        return str(reply.headers.get("etag", '"nothing"'))

    async def get(self, actor: Actor | None, path: str, **more: Any) -> httpx.Response:
        return await self("GET", actor, path, **more)

    async def post(self, actor: Actor | None, path: str, json: Any = None, **more: Any) -> httpx.Response:
        return await self("POST", actor, path, json, **more)

    async def put(self, actor: Actor | None, path: str, json: Any = None, **more: Any) -> httpx.Response:
        return await self("PUT", actor, path, json, **more)

    async def patch(self, actor: Actor | None, path: str, json: Any = None, **more: Any) -> httpx.Response:
        return await self("PATCH", actor, path, json, **more)


def shown_at(method: str, path: str) -> str:
    """Where the resource is read that an act or edit is held against: the one it stands under, or is."""
    path = path.partition("?")[0]
    return path if method == "PATCH" else path.rpartition("/")[0]


def ok(reply: httpx.Response, status: int = 200) -> Any:
    """The reply's body; any other status fails with the problem in view."""
    assert reply.status_code == status, f"{reply.status_code}: {reply.text}"
    return reply.json()


def problem(reply: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    """The problem's body, if that is the one which was expected."""
    assert reply.headers["content-type"].startswith("application/problem+json"), reply.text
    body: dict[str, Any] = reply.json()
    assert (reply.status_code, body["type"].rpartition("/")[2]) == (status, slug), reply.text
    assert body["request_id"] == reply.headers["x-request-id"]
    return body
