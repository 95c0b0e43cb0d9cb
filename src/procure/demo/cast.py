"""The organisations of a run and the people who act for them: registered once, each person with a client of their own."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from procure.demo.api import Api, Refused, Seat
from procure.demo.documents import Document
from procure.demo.parties import Party
from procure.demo.reasons import CannotPlay, Reason

T = TypeVar("T")

#: A made-up name says what a person does: nobody real is meant.
_PEOPLE: dict[str, Document] = {
    "officer": {"roles": ["officer"]},
    # Also an officer, to show that who has prepared a step can't approve it, whatever roles they hold.
    "deputy": {"roles": ["approver", "officer"]},
    "approver": {"roles": ["approver"], "budget_holder": True},
    "service_owner": {"roles": ["service_owner"]},
    "designer": {"roles": ["evaluator"]},
    "engineer": {"roles": ["evaluator"]},
}


@dataclass(frozen=True, slots=True)
class Council:
    """A buyer with everybody whom a play needs; `finance` is a system, not a person."""

    id: str
    name: str
    officer: Seat
    deputy: Seat
    approver: Seat
    service_owner: Seat
    designer: Seat
    engineer: Seat
    finance: Seat


class Cast:
    """Who takes part in a run. An organisation that is known is used as it is; its people are new in every run."""

    def __init__(self, api: Api, operator: Seat) -> None:
        self.api, self.operator = api, operator
        self._councils: dict[tuple[str, str], asyncio.Task[Council]] = {}
        self._bidders: dict[tuple[str, str], asyncio.Task[Seat]] = {}

    async def council(self, party: Party) -> Council:
        """The buyer's people; raises CannotPlay where the party can't be a buyer here."""
        return await _once(self._councils, party, self._new_council)

    async def bidder(self, party: Party) -> Seat:
        """The supplier's bidder; raises CannotPlay where the party can't be a supplier here."""
        return await _once(self._bidders, party, self._new_bidder)

    async def _new_council(self, party: Party) -> Council:
        organisation = await self._organisation(party, "buyer")
        seats = {name: await self._person(organisation, name, member) for name, member in _PEOPLE.items()}
        finance = await self._client(organisation, {"name": "Finance system", "kind": "service", "roles": ["finance"]})
        return Council(id=organisation, name=party.name, finance=finance, **seats)

    async def _new_bidder(self, party: Party) -> Seat:
        organisation = await self._organisation(party, "supplier")
        return await self._person(organisation, "bidder", {"roles": ["bidder"]})

    async def _organisation(self, party: Party, kind: str) -> str:
        found = await self._find(party)
        if found is None:
            try:
                found = await self.api.post(self.operator, "/v1/organisations", _draft(party, kind))
            except Refused as refused:
                found = await self._find(party) if refused.slug == "organisation-known" else None
                if found is None:
                    raise
        if found["kind"] != kind:
            said = f"{party.name} is registered as a {found['kind']}; one organisation is of one kind."
            raise CannotPlay(Reason.TWO_KINDS, said)
        if found["status"] != "active":
            raise CannotPlay(Reason.NOT_ACTIVE, f"{party.name} is {found['status']}.")
        return str(found["id"])

    async def _find(self, party: Party) -> Document | None:
        asked = {"scheme": party.scheme, "identifier": party.identifier}
        page = await self.api.get(self.operator, "/v1/organisations", **asked)
        items: list[Document] = page["items"]
        return items[0] if items else None

    async def _person(self, organisation: str, name: str, member: Document) -> Seat:
        person = {"name": f"Demo {name.replace('_', ' ')}"}
        path = f"/v1/organisations/{organisation}/members"
        joined = await self.api.post(self.operator, path, {"person": person, **member})
        client = {**person, "kind": "personal", "person_id": joined["person"]["id"]}
        return await self._client(organisation, client)

    async def _client(self, organisation: str, client: Document) -> Seat:
        made = await self.api.post(self.operator, f"/v1/organisations/{organisation}/clients", client)
        return Seat(made["id"], made["client_secret"], organisation, made["person_id"] or "")


def _draft(party: Party, kind: str) -> Document:
    return {
        "kind": kind,
        "name": party.name,
        "identifier": {"scheme": party.scheme, "id": party.identifier},
        "nation": party.nation.value,
        "is_central_government": kind == "buyer" and party.is_central_government,
    }


async def _once(
    known: dict[tuple[str, str], asyncio.Task[T]], party: Party, make: Callable[[Party], Coroutine[Any, Any, T]]
) -> T:
    """The first who asks for a party makes it; the others wait for the same."""
    if party.key not in known:
        known[party.key] = asyncio.create_task(make(party))
    return await known[party.key]
