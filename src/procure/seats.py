"""A seat for everybody in a procurement, for `make run`: one buyer, three suppliers, an API client for each person.

Made over HTTP, as an operator would. What exists already is found and kept, so that a lost file of credentials costs new
clients and nothing else. The organisations are made up, and their scheme says so; persons are named by what they do.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

if TYPE_CHECKING:
    import httpx

SCHEME = "XX-PROCURE-SEATS"
BUYER = "Demo Council"
SUPPLIERS = ("First Supplier", "Second Supplier", "Third Supplier")
TIMEOUT_S = 30

#: Persons of the buyer, by seat: roles, and whether they hold a budget.
BUYER_SEATS: dict[str, tuple[list[str], bool]] = {
    "officer": (["officer"], False),
    "approver one": (["approver"], False),
    "approver two": (["approver"], False),
    "budget holder": (["approver"], True),
    "service owner": (["service_owner"], False),
    "evaluator, service design": (["evaluator"], False),
    "evaluator, engineering": (["evaluator"], False),
    "finance": (["finance"], False),
    "auditor": (["auditor"], False),
    "administrator": (["admin"], False),
}


class Seat(msgspec.Struct, frozen=True, kw_only=True):
    """Who may act as whom: an API client bound to one person, and its secret."""

    seat: str
    organisation: str
    organisation_id: UUID | None
    person_id: UUID | None
    client_id: UUID
    client_secret: str


class Seats(msgspec.Struct, frozen=True):
    """What the file of credentials holds."""

    base_url: str
    seats: list[Seat]

    def of(self, seat: str) -> Seat:
        return next(found for found in self.seats if found.seat == seat)

    def table(self) -> list[str]:
        """A line for each seat. Not fitted to the terminal: a wrapped secret can't be copied."""
        names = [f"{found.organisation}: {found.seat}" for found in self.seats]
        width = max(map(len, names))
        lines = [
            f"{name:<{width}}  {found.client_id}  {found.client_secret}"
            for name, found in zip(names, self.seats, strict=True)
        ]
        return [f"{'Seat':<{width}}  {'client_id':<36}  client_secret", *lines]

    def first_calls(self) -> list[str]:
        """A token into a variable, something that only its holder may read, something that anyone may."""
        officer = self.of("officer")
        credentials = f"{officer.client_id}:{officer.client_secret}"
        token = f"curl -s -u {credentials} -d grant_type=client_credentials {self.base_url}/oauth/token"
        return [
            f"TOKEN=$({token} | cut -d '\"' -f 4)",
            f'curl -s -H "Authorization: Bearer $TOKEN" {self.base_url}/v1/organisations',
            f"curl -s {self.base_url}/v1/time",
        ]


def read(path: Path) -> Seats | None:
    """What the file of credentials says, or None where there is none to be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Seats)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def write(path: Path, seats: Seats) -> None:
    """For its user alone (0600), and whole or not at all."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(seats), indent=2) + b"\n")
    fresh.replace(path)


def operator_seat(client_id: UUID, client_secret: str) -> Seat:
    return Seat(
        seat="operator",
        organisation="Platform",
        organisation_id=None,
        person_id=None,
        client_id=client_id,
        client_secret=client_secret,
    )


def make(base_url: str, operator: Seat) -> Seats:
    """Everybody's seat, made with the operator's. Raises httpx.HTTPError where the service refuses."""
    with _http(base_url) as http:
        reply = _token_request(http, operator).raise_for_status()
        http.headers["Authorization"] = f"Bearer {reply.json()['access_token']}"
        buyer = _organisation(http, "buyer", BUYER)
        found = [_seat(http, buyer, seat, *duties) for seat, duties in BUYER_SEATS.items()]
        for number, name in enumerate(SUPPLIERS, start=1):
            supplier = _organisation(http, "supplier", name)
            found.append(_seat(http, supplier, f"bidder {number}", ["bidder"], False))
    return Seats(base_url, [operator, *found])


def _http(base_url: str) -> "httpx.Client":
    import httpx  # noqa: PLC0415 - a third of a second, which a start that keeps its seats does without

    # A proxy of the environment can't reach this machine's own loopback.
    return httpx.Client(base_url=base_url, timeout=TIMEOUT_S, trust_env=False)


def _token_request(http: "httpx.Client", seat: Seat) -> "httpx.Response":
    credentials = (str(seat.client_id), seat.client_secret)
    return http.post("/oauth/token", auth=credentials, data={"grant_type": "client_credentials"})


def _organisation(http: "httpx.Client", kind: str, name: str) -> dict[str, Any]:
    identifier = name.replace(" ", "-")
    known = _items(http, "/v1/organisations", scheme=SCHEME, identifier=identifier)
    draft = {
        "kind": kind,
        "name": name,
        "identifier": {"scheme": SCHEME, "id": identifier},
        "nation": "GB-ENG",
    }
    return next(known, None) or _post(http, "/v1/organisations", draft)


def _seat(http: "httpx.Client", organisation: dict[str, Any], seat: str, roles: list[str], budget_holder: bool) -> Seat:
    path = f"/v1/organisations/{organisation['id']}"
    name = seat.capitalize()
    member = next((one for one in _items(http, f"{path}/members") if one["person"]["name"] == name), None)
    if member is None:
        draft = {"person": {"name": name}, "roles": roles, "budget_holder": budget_holder}
        member = _post(http, f"{path}/members", draft)
    client = _post(http, f"{path}/clients", {"name": name, "kind": "personal", "person_id": member["person"]["id"]})
    return Seat(
        seat=seat,
        organisation=organisation["name"],
        organisation_id=UUID(organisation["id"]),
        person_id=UUID(member["person"]["id"]),
        client_id=UUID(client["id"]),
        client_secret=client["client_secret"],
    )


def _items(http: "httpx.Client", path: str, **parameters: str) -> Iterator[dict[str, Any]]:
    reply = http.get(path, params={"limit": "200", **parameters}).raise_for_status()
    yield from reply.json()["items"]


def _post(http: "httpx.Client", path: str, body: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = http.post(path, json=body).raise_for_status().json()
    return made
