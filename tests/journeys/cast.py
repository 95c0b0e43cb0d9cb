"""Who plays a journey: each with a client of their own, registered and authenticated over HTTP like anybody's."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

import httpx

from calls import ok
from procure.demo.api import to_be_read
from procure.identity.commands import create_operator
from procure.kit.settings import Settings


@dataclass(frozen=True)
class Seat:
    """A caller with a token; `person_id` is None for a service client."""

    http: httpx.AsyncClient
    token: str
    organisation_id: str
    person_id: str | None

    async def send(self, method: str, path: str, body: Any = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}", "Idempotency-Key": str(uuid4())}
        if shown := to_be_read(method, path):
            headers["If-Match"] = (await self.send("GET", shown)).headers.get("etag", '"unseen"')
        return await self.http.request(method, path, json=body, headers=headers)

    async def get(self, path: str) -> Any:
        return ok(await self.send("GET", path))

    async def make(self, path: str, body: Any = None) -> Any:
        """A POST that creates."""
        return ok(await self.send("POST", path, body), 201)

    async def do(self, path: str, body: Any = None) -> Any:
        """A POST that acts."""
        return ok(await self.send("POST", path, body))

    async def put(self, path: str, body: Any) -> Any:
        return ok(await self.send("PUT", path, body))

    async def refused(self, path: str, body: Any, slug: str, *, method: str = "POST") -> dict[str, Any]:
        """The problem, which has to be this one."""
        reply = await self.send(method, path, body)
        problem: dict[str, Any] = reply.json()
        assert reply.status_code >= 400, reply.text
        assert problem["type"].endswith(f"/{slug}"), reply.text
        return problem


class Registry:
    """The operator at work: organisations, members and clients."""

    def __init__(self, http: httpx.AsyncClient, operator: Seat) -> None:
        self.http, self.operator = http, operator

    async def organisation(self, kind: str, name: str, identifier: str, **more: Any) -> dict[str, Any]:
        scheme = "GB-COH" if kind == "supplier" else "GB-LAE"
        body = {"kind": kind, "name": name, "identifier": {"scheme": scheme, "id": identifier}, "nation": "GB-ENG"}
        made: dict[str, Any] = await self.operator.make("/v1/organisations", body | more)
        return made

    async def person(self, organisation: dict[str, Any], *roles: str, budget_holder: bool = False) -> Seat:
        """A member with these roles, and the personal client that acts as them."""
        path = f"/v1/organisations/{organisation['id']}"
        label = f"The {' and '.join(roles)}"
        member = {"person": {"name": label}, "roles": list(roles), "budget_holder": budget_holder}
        person_id = (await self.operator.make(f"{path}/members", member))["person"]["id"]
        draft = {"name": label, "kind": "personal", "person_id": person_id}
        client = await self.operator.make(f"{path}/clients", draft)
        token = await get_token(self.http, client["id"], client["client_secret"])
        return Seat(self.http, token, organisation["id"], person_id)

    async def service(self, organisation: dict[str, Any], *roles: str) -> Seat:
        """A portal or finance system of the organisation's."""
        draft = {"name": "A system", "kind": "service", "roles": list(roles)}
        client = await self.operator.make(f"/v1/organisations/{organisation['id']}/clients", draft)
        token = await get_token(self.http, client["id"], client["client_secret"])
        return Seat(self.http, token, organisation["id"], None)


async def first_operator(http: httpx.AsyncClient, settings: Settings) -> Seat:
    """Made on the machine itself, by what `procure operator create` calls."""
    client_id, secret = await create_operator(settings, "The operator")
    return Seat(http, await get_token(http, str(client_id), secret), "", None)


async def get_token(http: httpx.AsyncClient, client_id: str, secret: str) -> str:
    reply = await http.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=(client_id, secret))
    token: str = ok(reply)["access_token"]
    return token


async def move_clock(operator: Seat, to: str | datetime) -> None:
    """To an instant; in a sandbox that is all the waiting there is."""
    moment = to if isinstance(to, str) else to.isoformat()
    await operator.do("/v1/sandbox/clock", {"to": moment})
