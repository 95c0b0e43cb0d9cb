"""Parties and documents for tests: a council with every seat, suppliers, and drafts that the shipped policy takes."""

from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from procure.identity.models import Client, Membership, Person
from procure.identity.rules import ClientKind
from procure.kit import clock
from procure.kit.actor import Actor, OrganisationKind, Role
from procure.kit.body import convert
from procure.kit.ids import new_id
from procure.kit.scopes import scopes_of
from procure.lots import service as lots
from procure.lots.models import Lot
from procure.lots.schemas import LotDraft, Notice
from procure.organisations.models import Organisation
from procure.organisations.rules import Nation
from procure.outcomes import service as outcomes
from procure.outcomes.models import Outcome
from procure.outcomes.schemas import OutcomeDraft
from procure.policy.working_days import add_working_days, local_day
from procure.sandbox import service as sandbox
from procure.vault.keys import Vault


@dataclass
class Council:
    """A buyer and its people, each an actor of their own."""

    organisation: Organisation
    officer: Actor
    approver: Actor
    second_approver: Actor
    budget_holder: Actor
    service_owner: Actor
    designer: Actor
    engineer: Actor
    finance: Actor
    auditor: Actor
    seats: dict[str, Actor] = field(default_factory=dict)


async def organisation(
    db: AsyncSession, kind: OrganisationKind, name: str, *, central: bool = False, nation: Nation = Nation.ENGLAND
) -> Organisation:
    row = Organisation(
        id=new_id(),
        kind=kind,
        name=name,
        scheme="GB-COH" if kind is OrganisationKind.SUPPLIER else "GB-LAE",
        identifier=new_id().hex[-8:].upper(),
        nation=nation,
        is_central_government=central,
        version=1,
    )
    db.add(row)
    await db.flush()
    return row


async def seat(
    db: AsyncSession, organisation: Organisation, *roles: Role, budget_holder: bool = False, name: str = "A person"
) -> Actor:
    """A new person with these roles, as the actor that a personal client's token would make of them."""
    person = Person(id=new_id(), name=name)
    db.add(person)
    await db.flush()
    db.add(
        Membership(
            id=new_id(),
            organisation_id=organisation.id,
            person_id=person.id,
            roles=[role.value for role in roles],
            budget_holder=budget_holder,
            version=1,
        )
    )
    await db.flush()
    client_id = new_id()
    db.add(
        Client(
            id=client_id,
            organisation_id=organisation.id,
            person_id=person.id,
            kind=ClientKind.PERSONAL,
            name=f"{name}'s client",
            secret_hash=b"nobody knows it",
            roles=[],
            version=1,
        )
    )
    await db.flush()
    return Actor(
        organisation_id=organisation.id,
        kind=organisation.kind,
        client_id=client_id,
        person_id=person.id,
        roles=frozenset(roles),
        scopes=scopes_of(frozenset(roles)),
        budget_holder=budget_holder,
        request_id="test",
    )


async def council(db: AsyncSession, *, central: bool = False, name: str = "Testshire Council") -> Council:
    org = await organisation(db, OrganisationKind.BUYER, name, central=central)
    return Council(
        organisation=org,
        officer=await seat(db, org, Role.OFFICER),
        approver=await seat(db, org, Role.APPROVER),
        second_approver=await seat(db, org, Role.APPROVER),
        budget_holder=await seat(db, org, Role.APPROVER, budget_holder=True),
        service_owner=await seat(db, org, Role.SERVICE_OWNER),
        designer=await seat(db, org, Role.EVALUATOR),
        engineer=await seat(db, org, Role.EVALUATOR),
        finance=await seat(db, org, Role.FINANCE),
        auditor=await seat(db, org, Role.AUDITOR),
    )


async def operator(db: AsyncSession) -> Actor:
    """The platform's own person, who registers parties and, in a sandbox, moves the clock."""
    return await seat(db, await organisation(db, OrganisationKind.PLATFORM, "The platform"), Role.OPERATOR)


async def move_clock(db: AsyncSession, to: datetime) -> None:
    """Let procurement's time be `to`, in the caller's transaction."""
    await sandbox.move(db, Actor(), to)


async def supplier(db: AsyncSession, name: str = "A supplier") -> Actor:
    """A supplier organisation with one bidder."""
    return await seat(db, await organisation(db, OrganisationKind.SUPPLIER, name), Role.BIDDER)


def outcome_document(council: Council, **changes: Any) -> dict[str, Any]:
    """An outcome as an officer would send it."""
    document = deepcopy(OutcomeDraft.EXAMPLE)
    assert isinstance(document, dict)
    document["envelope"] = {"amount": "24000.00", "currency": "GBP"}
    document["team"] = [
        {"person_id": str(council.designer.person_id), "discipline": "service design"},
        {"person_id": str(council.engineer.person_id), "discipline": "engineering"},
    ]
    return document | changes


async def active_outcome(db: AsyncSession, council: Council, **changes: Any) -> Outcome:
    draft = convert(outcome_document(council, **changes), OutcomeDraft)
    outcome = await outcomes.draft(db, council.officer, draft)
    return await outcomes.activate(db, council.budget_holder, outcome.id)


def lot_document(outcome_id: UUID, measures: list[UUID], now: datetime, **changes: Any) -> dict[str, Any]:
    """A small lot that the policy takes: it closes in the seventh working day from `now`, work starts the day after."""
    document = deepcopy(LotDraft.EXAMPLE)
    assert isinstance(document, dict)
    closes_on = add_working_days(local_day(now), 7, Nation.ENGLAND)
    closes_at = datetime(closes_on.year, closes_on.month, closes_on.day, 12, tzinfo=UTC)
    starts_on = closes_on + timedelta(days=7)
    for days, deliverable in zip((14, 28), document["deliverables"], strict=True):
        deliverable["due_on"] = str(starts_on + timedelta(days=days))
    document |= {
        "outcome_id": str(outcome_id),
        "measure_ids": [str(one) for one in measures],
        "starts_on": str(starts_on),
        "enquiries_close_at": (closes_at - timedelta(days=2)).isoformat(),
        "closes_at": closes_at.isoformat(),
    }
    return document | changes


async def measure_ids(db: AsyncSession, outcome: Outcome) -> list[UUID]:
    return [measure.id for measure in (await outcomes.view(db, outcome)).measures]


async def drafted_lot(db: AsyncSession, council: Council, outcome: Outcome | None = None, **changes: Any) -> Lot:
    outcome = outcome or await active_outcome(db, council)
    document = lot_document(outcome.id, await measure_ids(db, outcome), await clock.now(db), **changes)
    return await lots.draft(db, council.officer, convert(document, LotDraft))


async def published_lot(
    db: AsyncSession, council: Council, vault: Vault, outcome: Outcome | None = None, **changes: Any
) -> Lot:
    lot = await drafted_lot(db, council, outcome, **changes)
    if lot.policy.ceremony.notice_required:
        notice = Notice("2026/S 000-054321", "ocds-h6vhtk-04f1aa", await clock.now(db))
        await lots.record_notice(db, council.officer, lot.id, notice)
    return await lots.publish(db, council.approver, vault, lot.id)
