"""The authorisation matrix: every operation of the document, asked by everybody, in a state in which the one who may succeeds.

What each may is declared in `matrix.TABLE`; an operation that is not there fails. What is only tried is taken back (`validate_only`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

import tagged
from build import council, organisation, seat, supplier
from calls import Call
from conftest import World
from described import client_of
from insights.scenes import service_client
from matrix import NOT_TRIED, OWN_CREDENTIALS, TOLD_APART, rows
from procure.app import create_app
from procure.identity import remembered, tokens
from procure.identity.models import Client, Membership, Person
from procure.identity.rules import ClientStatus, MembershipStatus, PersonStatus
from procure.kit.actor import Actor, OrganisationKind, Role
from procure.kit.clock import wall_now
from procure.kit.http import key_use
from procure.kit.idempotency import Key
from procure.kit.problems import handlers_at
from procure.organisations.models import Organisation
from procure.organisations.rules import OrganisationStatus
from storytelling import Story, begun, whole

BUYER_ROLES = (
    Role.ADMIN,
    Role.APPROVER,
    Role.AUDITOR,
    Role.EVALUATOR,
    Role.FINANCE,
    Role.OFFICER,
    Role.SERVICE_OWNER,
)
SUPPLIER_ROLES = (Role.ADMIN, Role.BIDDER, Role.VIEWER)
#: What is wrong with a token that was good, and what it is told then, wherever a token counts.
DEFECTS = {
    "expired": "401",
    "wrong audience": "401",
    "revoked token": "401",
    "revoked client": "401",
    "ended membership": "401",
    "suspended client": "suspended",
    "suspended membership": "suspended",
    "suspended person": "suspended",
    "suspended organisation": "organisation-suspended",
}


@dataclass
class Matrix:
    """Asks, and keeps what was answered: by operation and caller."""

    story: Story
    callers: dict[str, Actor | None] = field(default_factory=dict)
    found: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    defects: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    broken: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    #: By organisation, those who were seated there on the way.
    members: dict[Any, dict[str, Actor | None]] = field(default_factory=dict)
    #: Operations whose 404 tells what is not theirs from what is not there.
    told_apart: set[str] = field(default_factory=set)
    cells: int = 0

    @property
    def call(self) -> Call:
        return self.story.world.call

    async def look(self, name: str, actor: Actor | None, body: Any, at: dict[str, Any]) -> None:
        """Everybody asks for what `actor` is about to be given."""
        method, path, operation = self.story.addresses[name]
        url = path.format(**at) + self.story.query
        if method != "GET":
            found = handlers_at(self.call.app, url)
            handler = next(one for one in found if method in one.http_methods)
            if key_use(handler) is not Key.IGNORED:
                url += "?validate_only=true"
            else:
                assert name in NOT_TRIED, f"{name} can't be tried and taken back"
        for label, caller in {**self.callers, **await self._of(at), "own": actor}.items():
            if label in NOT_TRIED.get(name, ()):
                continue
            reply = await self._asked(method, caller, url, body)
            told = outcome(reply)
            self.found.setdefault(name, {}).setdefault(label, set()).add(told)
            self.cells += 1
            if told == "404" and at:
                nothing = await self._asked(method, caller, self._nowhere(name, at), body)
                if shape(reply) != shape(nothing):
                    self.told_apart.add(name)
        if any("oauth2" in scheme for scheme in operation.get("security", [])):
            await self._with_defects(name, actor or self.callers["buyer.officer"], method, url, body, operation)

    async def _of(self, at: Mapping[str, Any]) -> dict[str, Actor | None]:
        """People of the very organisation that is asked about."""
        id_ = at.get("organisation_id")
        if id_ is not None and id_ not in self.members:
            async with self.story.world.sessions() as db:
                party = await db.get_one(Organisation, UUID(id_))
                roles = BUYER_ROLES if party.kind is OrganisationKind.BUYER else SUPPLIER_ROLES
                self.members[id_] = {f"its.{role}": await seat(db, party, role) for role in roles}
                await db.commit()
        return self.members.get(id_, {})

    async def _asked(self, method: str, caller: Actor | None, url: str, body: Any) -> httpx.Response:
        tagged.forget()
        return await self.call(method, caller, url, body)

    def _nowhere(self, name: str, at: Mapping[str, Any]) -> str:
        """As what it is about, but nothing that there is."""
        method, path, _ = self.story.addresses[name]
        first = next(iter(at))
        url = path.format(**{**at, first: 10**9 if isinstance(at[first], int) else uuid4()})
        return url if method == "GET" else f"{url}?validate_only=true"

    async def _with_defects(
        self, name: str, of: Actor | None, method: str, url: str, body: Any, operation: dict[str, Any]
    ) -> None:
        assert of is not None
        key = str(of.client_id)
        if key not in self.broken:
            async with self.story.world.sessions() as db:
                self.broken[key] = await broken(db, self.call, of)
                await db.commit()
        for defect, headers in self.broken[key].items():
            tagged.forget()
            more = {"Idempotency-Key": str(uuid4()), "If-Match": '"anything"'} if method != "GET" else {}
            reply = await self.call.client.request(method, url, json=body, headers={**headers, **more})
            self.defects.setdefault(defect, {}).setdefault(outcome(reply), set()).add(name)
            self.cells += 1
        if scopes := [scope for scheme in operation["security"] for scope in scheme.get("oauth2", [])]:
            without = replace(of, scopes=frozenset(of.scopes) - set(scopes))
            reply = await self._asked(method, without, url, body)
            self.defects.setdefault("without scope", {}).setdefault(outcome(reply), set()).add(name)
            self.cells += 1


def outcome(reply: httpx.Response) -> str:
    """`may`, also where only the state of things stands against it (409), or why not: the status where it says all, else the slug."""
    if reply.is_success or reply.status_code == httpx.codes.CONFLICT:
        return "may"
    slug = str(reply.json()["type"].rpartition("/")[2])
    if reply.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.NOT_FOUND):
        return str(reply.status_code)
    return "403" if slug == "scope-missing" else slug


def shape(reply: httpx.Response) -> Any:
    said = {name: value for name, value in reply.json().items() if name not in ("instance", "request_id")}
    moving = {"x-request-id", "date", "content-length", "ratelimit"}
    return reply.status_code, said, sorted(set(reply.headers) - moving)


async def broken(db: AsyncSession, call: Call, of: Actor) -> dict[str, dict[str, str]]:
    """The Authorization of callers who could do what `of` can, had they not each one defect."""
    assert of.client_id is not None
    state, settings = call.app.state, call.app.state.settings
    signer = state.oauth.keys.signer()

    def header(token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}

    revoked = tokens.issue(signer, settings, of.client_id, of.scopes)
    await remembered.revoke_token(db, tokens.verify(state.oauth.keys, settings, revoked))
    elsewhere = msgspec.structs.replace(settings, base_url="https://another.example")
    found = {
        "expired": header(tokens.issue(signer, settings, of.client_id, of.scopes, now=wall_now() - timedelta(hours=2))),
        "wrong audience": header(tokens.issue(signer, elsewhere, of.client_id, of.scopes)),
        "revoked token": header(revoked),
    }
    party = await db.get_one(Organisation, of.organisation_id)
    for defect in list(DEFECTS)[3:]:
        where = party
        if defect == "suspended organisation":
            where = await organisation(db, party.kind, f"Suspended {uuid4()}")
            where.status = OrganisationStatus.SUSPENDED
        twin = await seat(db, where, *of.roles, budget_holder=of.budget_holder)
        await _afflict(db, twin, defect)
        found[defect] = call.headers(twin)
    return found


async def _afflict(db: AsyncSession, twin: Actor, defect: str) -> None:
    client = await db.get_one(Client, twin.client_id)
    person = await db.get_one(Person, twin.person_id)
    membership = (await db.scalars(select(Membership).where(Membership.person_id == twin.person_id))).one()
    match defect:
        case "revoked client":
            client.move_to(ClientStatus.REVOKED)
        case "suspended client":
            client.move_to(ClientStatus.SUSPENDED)
        case "ended membership":
            membership.move_to(MembershipStatus.ENDED)
        case "suspended membership":
            membership.move_to(MembershipStatus.SUSPENDED)
        case "suspended person":
            person.move_to(PersonStatus.SUSPENDED)
    await db.flush()


async def everybody(db: AsyncSession, story: Story) -> dict[str, Actor | None]:
    """One person for each role on every side, each without a part in the story; a system; nobody."""
    theirs = await db.get_one(Organisation, story.bidder.organisation_id)
    other, rival = await council(db, name="Otherham Council"), await supplier(db, "A rival")
    rivals = await db.get_one(Organisation, rival.organisation_id)
    found: dict[str, Actor | None] = {}
    for side, party, roles in (
        ("buyer", story.council.organisation, BUYER_ROLES),
        ("elsewhere", other.organisation, BUYER_ROLES),
        ("supplier", theirs, SUPPLIER_ROLES),
        ("rival", rivals, SUPPLIER_ROLES),
    ):
        for role in roles:
            found[f"{side}.{role}"] = await seat(db, party, role)
    return {
        **found,
        "operator": story.operator,
        "system": await service_client(db, story.council.officer, *BUYER_ROLES),
        "nobody": None,
    }


@pytest.fixture
async def matrix(world: World) -> Any:
    """The story's world, served without quotas: thousands of requests come from one address."""
    unlimited = msgspec.structs.replace(
        world.settings, rate_client=0, rate_address=0, rate_bids=0, rate_token_failures=0
    )
    app = create_app(
        unlimited,
        sessions=world.sessions,
        readers=world.app.state.readers,
        driver=world.app.state.driver,
        vault=world.vault,
    )
    async with client_of(app) as client:
        story = await begun(replace(world, app=app, client=client))
        found = Matrix(story)
        async with world.sessions() as db:
            found.callers = await everybody(db, story)
            await db.commit()
        story.look = found.look
        yield found


def declared(cells: Mapping[str, str], label: str) -> str:
    """What this caller is to be told."""
    if label == "own" or "everyone" in cells:
        return "may"
    named = cells.get(label) or cells.get(f"{label.partition('.')[0]}.*")
    return named or ("401" if label == "nobody" else "403")


async def test_every_cell_is_as_it_is_declared(matrix: Matrix) -> None:
    await whole(matrix.story)
    document = {name: one for name, (_, _, one) in matrix.story.addresses.items()}
    assert matrix.found.keys() == document.keys() - OWN_CREDENTIALS
    table = rows()
    missing = matrix.found.keys() - table.keys()
    assert not missing, f"say in tests/matrix.py who may do {sorted(missing)}, and what others are told"
    assert table.keys() == matrix.found.keys(), "rows of operations that are not there"
    wrong = {
        f"{name}: {label}": (declared(table[name], label), told)
        for name, row in matrix.found.items()
        for label, told in row.items()
        if told != {declared(table[name], label)}
    }
    assert not wrong, f"declared, and told: {wrong}"
    assert matrix.told_apart == TOLD_APART
    heeds = {name for name, one in document.items() if any("oauth2" in scheme for scheme in one.get("security", []))}
    scoped = {name for name in heeds if any(scheme.get("oauth2") for scheme in document[name]["security"])}
    assert matrix.defects == {
        **{defect: {told: heeds} for defect, told in DEFECTS.items()},
        "without scope": {"403": scoped},
    }
    assert matrix.cells > 4000
    await a_token_is_no_credential_of_a_client(matrix)


async def a_token_is_no_credential_of_a_client(matrix: Matrix) -> None:
    for name in OWN_CREDENTIALS:
        method, path, _ = matrix.story.addresses[name]
        for caller in matrix.callers.values():
            form = matrix.story.example(name)
            reply = await matrix.call.client.request(method, path, data=form, headers=matrix.call.headers(caller))
            assert (reply.status_code, reply.json()["error"]) == (401, "invalid_client"), name
