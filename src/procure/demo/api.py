"""The service as a client sees it: tokens, calls, problems; bounded in how much runs at once and how often it is tried again."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx

from procure.demo.documents import Document
from procure.kit.ids import unordered_id

CALLS_AT_ONCE = 8
TRIES_MAX = 8
RETRY_DELAY_MAX_S = 10.0
_LATER = {429, 503}
#: Acts that are done on sight: what they stand under is read first, and its tag is sent with them, as with every edit.
ON_SIGHT = {"activate", "approve", "decide", "open", "publish", "sign"}
#: A token is renewed this long before it ends.
TOKEN_SPARE_S = 60.0


class Refused(Exception):
    """The service said no; `slug` is the problem's type."""

    def __init__(self, act: str, status: int, slug: str, said: str) -> None:
        super().__init__(f"{act}: {status} {slug}: {said}")
        self.status, self.slug = status, slug


class Disagreement(Exception):
    """The service did what its rules forbid, refused for another reason, or says something else than the play has seen."""


class ServiceBroken(Exception):
    """The service can't be reached, stays away, or answered what it never should."""


@dataclass(eq=False, slots=True)
class Seat:
    """One API client: its credential, whom it acts for, and the token that it holds."""

    client_id: str
    client_secret: str = field(repr=False)
    organisation_id: str = ""
    person_id: str = ""
    token: str = field(default="", repr=False)
    token_ends: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)


class Api:
    """Calls against one running service. `refusals` counts what was refused, by slug."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._room = asyncio.Semaphore(CALLS_AT_ONCE)
        self.refusals: Counter[str] = Counter()
        self.calls = 0

    async def get(self, seat: Seat | None, path: str, **query: str) -> Any:
        return await self.call(seat, "GET", path, query=query)

    async def post(self, seat: Seat | None, path: str, body: Document | None = None) -> Any:
        return await self.call(seat, "POST", path, body)

    async def put(self, seat: Seat | None, path: str, body: Document) -> Any:
        return await self.call(seat, "PUT", path, body)

    async def patch(self, seat: Seat | None, path: str, body: Document) -> Any:
        return await self.call(seat, "PATCH", path, body)

    async def all(self, seat: Seat | None, path: str, **query: str) -> list[Document]:
        """Every item of a list, page by page."""
        items: list[Document] = []
        page = await self.get(seat, path, limit="200", **query)
        while True:
            items += page["items"]
            if not page["next"]:
                return items
            page = await self.get(seat, page["next"])

    async def read(self, seat: Seat | None, path: str) -> bytes:
        """The exact bytes at an address."""
        reply = await self._request(seat, "GET", path)
        return reply.content if reply.is_success else self._answer("GET", path, reply)

    async def find(self, seat: Seat | None, path: str) -> Document | None:
        """The document at an address, or None while there is none; that is no refusal."""
        reply = await self._request(seat, "GET", path)
        found: Document | None = None if reply.status_code == 404 else self._answer("GET", path, reply)
        return found

    async def dare(self, seat: Seat, method: str, path: str, body: Document | None = None, *, refused_as: str) -> None:
        """Do what the rules forbid; raises Disagreement unless it is refused for the reason that they give."""
        try:
            await self.call(seat, method, path, body)
        except Refused as refused:
            if refused.slug == refused_as:
                return
            raise Disagreement(f"{refused}; that should have been {refused_as}") from refused
        raise Disagreement(f"{method} {path} was done; it should have been refused as {refused_as}")

    async def call(
        self,
        seat: Seat | None,
        method: str,
        path: str,
        body: Document | None = None,
        *,
        query: dict[str, str] | None = None,
    ) -> Any:
        """The reply's document; raises Refused or ServiceBroken."""
        return self._answer(method, path, await self._request(seat, method, path, json=body, params=query or None))

    async def _request(self, seat: Seat | None, method: str, path: str, **request: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {await self._token(seat)}"} if seat else {}
        if shown := to_be_read(method, path):
            headers["If-Match"] = (await self._send("GET", shown, headers=headers)).headers.get("etag", '"unseen"')
        if method != "GET":
            headers["Idempotency-Key"] = str(
                unordered_id()
            )  # one for each act, and the same for each time that it is tried
        return await self._send(method, path, headers=headers, **request)

    def _answer(self, method: str, path: str, reply: httpx.Response) -> Any:
        if reply.is_success:
            return reply.json() if reply.content else None
        problem = _problem(reply)
        if reply.status_code >= 500:
            raise ServiceBroken(f"{method} {path}: {reply.status_code}: {problem.get('detail', 'no reason given')}")
        slug = str(problem.get("type", "")).rpartition("/")[2] or str(reply.status_code)
        self.refusals[slug] += 1
        raise Refused(f"{method} {path}", reply.status_code, slug, _said(problem))

    async def _token(self, seat: Seat) -> str:
        async with seat.lock:
            if time.monotonic() > seat.token_ends - TOKEN_SPARE_S:
                await self._renew(seat)
            return seat.token

    async def _renew(self, seat: Seat) -> None:
        form = {"grant_type": "client_credentials"}
        credential = httpx.BasicAuth(seat.client_id, seat.client_secret)
        reply = await self._send("POST", "/oauth/token", data=form, auth=credential)
        if not reply.is_success:
            error = _problem(reply)
            slug = str(error.get("error", reply.status_code))
            self.refusals[slug] += 1
            raise Refused("POST /oauth/token", reply.status_code, slug, str(error.get("error_description", "")))
        granted = reply.json()
        seat.token, seat.token_ends = granted["access_token"], time.monotonic() + granted["expires_in"]

    async def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Tried again while the service says that it is away for a moment, or asked too often; nothing has happened then."""
        reply: httpx.Response | None = None
        for _ in range(TRIES_MAX):
            self.calls += 1
            try:
                async with self._room:
                    reply = await self._http.request(method, path, **request)
            except httpx.ConnectError as error:
                raise ServiceBroken(f"Nobody answers at {self._http.base_url}; is the service running?") from error
            except httpx.HTTPError as error:
                raise ServiceBroken(f"{method} {path}: no reply ({type(error).__name__}).") from error
            if reply.status_code not in _LATER:
                return reply
            await asyncio.sleep(_retry_after_s(reply))
        assert reply is not None
        return reply


def to_be_read(method: str, path: str) -> str | None:
    """Where what is edited or approved is read; None where it need not have been."""
    if method == "PATCH":
        return path
    resource, _, act = path.rpartition("/")
    return resource if method == "POST" and act in ON_SIGHT else None


def _retry_after_s(reply: httpx.Response) -> float:
    said = reply.headers.get("retry-after", "")
    return min(float(said), RETRY_DELAY_MAX_S) if said.isascii() and said.isdigit() else 1.0


def _problem(reply: httpx.Response) -> Document:
    try:
        document = reply.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _said(problem: Document) -> str:
    faults = problem.get("errors") or []
    told = "; ".join(f"{fault.get('pointer')}: {fault.get('message')}" for fault in faults)
    return f"{problem.get('detail', '')} {told}".strip()
