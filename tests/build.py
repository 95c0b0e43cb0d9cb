"""Parties and documents for tests: a council with every seat, suppliers, and drafts that the shipped policy takes."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from procure.awards import service as awards
from procure.awards.models import Award
from procure.awards.schemas import Recommendation
from procure.bids import service as bids
from procure.bids.models import Bid, LotSeal
from procure.bids.schemas import BidDraft
from procure.contracts import service as contracts
from procure.contracts.deliverables import service as deliverables
from procure.contracts.deliverables.schemas import Delivery, Verdict
from procure.contracts.endings import service as endings
from procure.contracts.endings.schemas import Completion
from procure.contracts.iterations.schemas import Iteration
from procure.contracts.models import Contract, ContractDeliverable
from procure.contracts.rules import NextStep
from procure.enquiries import service as enquiries
from procure.enquiries.schemas import EnquiryAnswer
from procure.evaluation import opening
from procure.evaluation import service as evaluation
from procure.evaluation.schemas import Declaration, PanelDraft, ScoreSheet
from procure.identity.models import Client, Membership, Person
from procure.identity.rules import ClientKind
from procure.kit import clock
from procure.kit.actor import ANYONE, SYSTEM, Actor, OrganisationKind, Role
from procure.kit.body import convert
from procure.kit.driver import SessionDriver
from procure.kit.ids import new_id
from procure.kit.scopes import scopes_of
from procure.kit.settings import Settings
from procure.lots import service as lots
from procure.lots.models import Lot
from procure.lots.rules import CriterionKind
from procure.lots.schemas import LotDraft, Notice
from procure.organisations.models import Organisation
from procure.organisations.rules import Nation
from procure.outcomes import service as outcomes
from procure.outcomes.models import Outcome
from procure.outcomes.schemas import OutcomeDraft
from procure.policy.working_days import add_working_days, local_day
from procure.sandbox import service as sandbox
from procure.vault.keyring import FileKeyring
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
    db: AsyncSession,
    organisation: Organisation,
    *roles: Role,
    budget_holder: bool = False,
    name: str = "A person",
    as_person: Actor | None = None,
) -> Actor:
    """A person with these roles, new or one known already, as the actor that a personal client's token would make of them."""
    person = await db.get_one(Person, as_person.person_id) if as_person else Person(id=new_id(), name=name, version=1)
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
    del document["budget_lines"]
    # None of them comes while a test has its clock anywhere near.
    document["measures"][0] |= {"target": {"value": "2", "on": "2099-09-30"}, "review_dates": []}
    document["team"] = [
        {"person_id": str(council.designer.person_id), "discipline": "service design"},
        {"person_id": str(council.engineer.person_id), "discipline": "engineering"},
    ]
    return document | changes


def estimate_document(amount: str, **changes: Any) -> dict[str, Any]:
    """A proposal to test less than the envelope."""
    document = {"kind": "estimate", "amount": {"amount": amount, "currency": "GBP"}}
    return document | {"reason": "The second half is another need, which others will meet."} | changes


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
    return [measure.id for measure in (await outcomes.view(db, ANYONE, outcome)).measures]


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


async def published_enquiry(db: AsyncSession, officer: Actor, enquiry_id: UUID, answer: str = "Yes.") -> None:
    await enquiries.answer(db, officer, enquiry_id, EnquiryAnswer(answer))
    await enquiries.publish(db, officer, enquiry_id)


# Bids.


def bid_document(lot: Lot, *, total: str = "11050.00", text: str = "We sit beside the officers.") -> dict[str, Any]:
    """A bid that gives all that the lot asks: a hundred for each deliverable but the first, which makes up the total."""
    others = [one.id for one in lot.deliverables[1:]]
    first = Decimal(total) - 100 * len(others)
    prices = {lot.deliverables[0].id: first, **dict.fromkeys(others, Decimal("100.00"))}
    return {
        "prices": [
            {"deliverable_id": name, "price": {"amount": f"{amount:f}", "currency": lot.currency}}
            for name, amount in prices.items()
        ],
        "answers": [
            {"criterion_id": one.id, "text": text} for one in lot.criteria if one.kind is not CriterionKind.PRICE
        ],
        "team": [{"name": "A researcher of ours", "discipline": "user research"}],
    }


def bid_draft(lot: Lot, **changes: str) -> BidDraft:
    return convert(bid_document(lot, **changes), BidDraft)


def desk(db: AsyncSession, vault: Vault) -> bids.Desk:
    """A desk inside this session's transaction, refusals left to who called."""

    @asynccontextmanager
    async def connect() -> AsyncGenerator[AsyncConnection]:
        yield await db.connection()

    return bids.Desk(SessionDriver(connect), lambda _: nullcontext(db), vault)


async def submitted_bid(db: AsyncSession, lot: Lot, supplier: Actor, vault: Vault, **changes: str) -> Bid:
    receipt = await bids.submit(desk(db, vault), supplier, lot.id, bid_draft(lot, **changes))
    return await db.get_one(Bid, receipt.id)


async def replaced_bid(db: AsyncSession, bid: Bid, lot: Lot, supplier: Actor, vault: Vault, **changes: str) -> Bid:
    receipt = await bids.replace(desk(db, vault), supplier, bid.id, bid_draft(lot, **changes))
    return await db.get_one(Bid, receipt.id, populate_existing=True)


async def sealed_lot(db: AsyncSession, lot: Lot) -> LotSeal:
    """The lot's seal, its time having come. What the caller holds of the lot is as fresh as its lock."""
    if await clock.now(db) < lot.closes_at:
        await move_clock(db, lot.closes_at)
    await lots.lock_for_step(db, lot.id)
    return await bids.seal_lot(db, SYSTEM, lot, await clock.now(db))


async def opened_bids(db: AsyncSession, lot: Lot, vault: Vault) -> list[Bid]:
    """The bids of a sealed lot, opened as the worker opens them."""
    assert lot.key_id is not None
    key = await vault.open_lot(lot.id, lot.key_id)
    return await bids.open_bids(db, SYSTEM, lot, key, await clock.now(db))


# Opening and evaluation. Bidders are named by the total of their bid; `quality` is the score that both members give it on each
# criterion.


async def opened_lot(
    db: AsyncSession,
    council: Council,
    vault: Vault,
    outcome: Outcome | None = None,
    *,
    totals: tuple[str, ...] = ("11050.00", "9000.00"),
    **changes: Any,
) -> Lot:
    """A small lot with a bid of a new supplier for each total, sealed and opened as the worker does it."""
    lot = await published_lot(db, council, vault, outcome, **changes)
    for total in totals:
        await submitted_bid(db, lot, await supplier(db, f"Bidder of {total}"), vault, total=total)
    await move_clock(db, lot.closes_at)
    await opening.seal(db, lot.id)
    await opening.open_at_seal(db, vault, lot.id)
    return lot


def panel_document(council: Council) -> dict[str, Any]:
    """The council's designer, as chair, and its engineer."""
    return {
        "members": [
            {"person_id": str(council.designer.person_id), "discipline": "service design", "is_chair": True},
            {"person_id": str(council.engineer.person_id), "discipline": "engineering"},
        ]
    }


def score_document(lot: Lot, bids_: list[Bid], quality: tuple[int, ...] = (4, 3)) -> dict[str, Any]:
    """A score for each bid on each criterion but price: the first of `quality` for the first bid of these, and so on."""
    criteria = [one.id for one in lot.criteria if one.kind is not CriterionKind.PRICE]
    return {
        "scores": [
            {"bid_id": str(bid.id), "criterion_id": name, "score": score, "rationale": f"As {score} of 5 reads."}
            for bid, score in zip(bids_, quality, strict=True)
            for name in criteria
        ]
    }


async def seated_panel(db: AsyncSession, council: Council, lot: Lot) -> None:
    """Designer and engineer on the panel, without conflicts."""
    await evaluation.set_panel(db, council.officer, lot.id, convert(panel_document(council), PanelDraft))
    for member in (council.designer, council.engineer):
        await evaluation.declare(db, member, lot.id, Declaration(has_conflict=False, declaration="None."))


async def evaluated_lot(
    db: AsyncSession,
    council: Council,
    vault: Vault,
    outcome: Outcome | None = None,
    *,
    totals: tuple[str, ...] = ("11050.00", "9000.00"),
    quality: tuple[int, ...] = (4, 3),
    **changes: Any,
) -> Lot:
    """A small lot whose bids are ranked: by default the dearer and better bid before the cheaper one."""
    lot = await opened_lot(db, council, vault, outcome, totals=totals, **changes)
    await seated_panel(db, council, lot)
    await scored_lot(db, council, lot, totals, quality)
    await evaluation.conclude(db, council.designer, lot.id)
    return lot


async def scored_lot(
    db: AsyncSession, council: Council, lot: Lot, totals: tuple[str, ...], quality: tuple[int, ...]
) -> None:
    """Both members have scored and locked, and the chair has recorded the consensus; nothing is concluded."""
    by_total = {f"{bid.total:f}": bid for bid in await bids.opened_bids(db, lot.id)}
    sheet = convert(score_document(lot, [by_total[total] for total in totals], quality), ScoreSheet)
    for member in (council.designer, council.engineer):
        await evaluation.score(db, member, lot.id, sheet)
        await evaluation.lock_scores(db, member, lot.id)
    await evaluation.record_consensus(db, council.designer, lot.id, sheet)


async def covered_lot(db: AsyncSession, council: Council, vault: Vault) -> Lot:
    """A published lot of the highest band: 40 days' window, two openers."""
    outcome = await active_outcome(db, council, envelope={"amount": "200000.00", "currency": "GBP"})
    document = lot_document(outcome.id, [], await clock.now(db))
    for deliverable in document["deliverables"]:
        deliverable["due_on"] = str(date.fromisoformat(deliverable["due_on"]) + timedelta(days=40))
    closes_at = datetime.fromisoformat(document["closes_at"]) + timedelta(days=40)
    starts_on = date.fromisoformat(document["starts_on"]) + timedelta(days=40)
    return await published_lot(
        db,
        council,
        vault,
        outcome,
        closes_at=closes_at.isoformat(),
        starts_on=str(starts_on),
        deliverables=document["deliverables"],
    )


def vault_beside(db: AsyncSession, settings: Settings) -> FileKeyring:
    """The keyring of these settings, its clock read in the caller's own transaction: a `world` whose clock is moved is seen at once."""

    async def reading() -> datetime:
        return await clock.now(db)

    return FileKeyring(settings.keys_path / "vault", reading)


# Awards and contracts. The winner is the bid ranked first: by default that of "11050.00".


async def bidder(db: AsyncSession, supplier_id: UUID) -> Actor:
    """A new bidder of a supplier that bid."""
    return await seat(db, await db.get_one(Organisation, supplier_id), Role.BIDDER)


async def evaluated_covered_lot(db: AsyncSession, council: Council, vault: Vault) -> Lot:
    """A lot of the highest band, opened by two approvers, its two bids ranked."""
    lot, totals = await covered_lot(db, council, vault), ("11050.00", "9000.00")
    for total in totals:
        await submitted_bid(db, lot, await supplier(db, f"Bidder of {total}"), vault, total=total)
    seal = await sealed_lot(db, lot)
    for opener in (council.approver, council.second_approver):
        await opening.approve_opening(db, opener, vault, lot.id, seal.root)
    await seated_panel(db, council, lot)
    await scored_lot(db, council, lot, totals, (4, 3))
    await evaluation.conclude(db, council.designer, lot.id)
    return lot


async def recommended_award(db: AsyncSession, council: Council, lot: Lot) -> Award:
    """An evaluated lot's best ranked bid that had no award yet, recommended by the officer."""
    had = set(await db.scalars(select(Award.bid_id).where(Award.lot_id == lot.id)))
    best = next(one.bid_id for one in await evaluation.ranking_of(db, lot.id) if one.bid_id not in had)
    return await awards.recommend(db, council.officer, lot.id, Recommendation(best, "First in the ranking."))


async def approved_award(db: AsyncSession, council: Council, lot: Lot) -> Award:
    """Approved by another person, its notice recorded where the band asks for one."""
    award = await recommended_award(db, council, lot)
    await awards.approve(db, council.approver, award.id)
    if lot.policy.ceremony.notice_required:
        notice = Notice("2026/S 000-054322", "ocds-h6vhtk-04f1aa", await clock.now(db))
        await awards.record_notice(db, council.officer, award.id, notice)
    return award


async def awarded_lot(
    db: AsyncSession, council: Council, vault: Vault, outcome: Outcome | None = None, **changes: Any
) -> tuple[Lot, Award]:
    """A lot with its approved award; the standstill may still run."""
    lot = await evaluated_lot(db, council, vault, outcome, **changes)
    return lot, await approved_award(db, council, lot)


async def pending_contract(
    db: AsyncSession, council: Council, vault: Vault, outcome: Outcome | None = None, **changes: Any
) -> Contract:
    """Drawn up by the officer; nobody has signed it."""
    _, award = await awarded_lot(db, council, vault, outcome, **changes)
    return await contracts.draw_up(db, council.officer, award.id)


async def signed_contract(db: AsyncSession, council: Council, contract: Contract) -> Contract:
    """Signed by the supplier, then by the buyer's approver, the standstill over."""
    if contract.sign_from > await clock.now(db):
        await move_clock(db, contract.sign_from)
    await contracts.sign(db, await bidder(db, contract.supplier_id), contract.id, contract.digest)
    return await contracts.sign(db, council.approver, contract.id, contract.digest)


async def active_contract(
    db: AsyncSession, council: Council, vault: Vault, outcome: Outcome | None = None, **changes: Any
) -> Contract:
    """The contract of a new lot's winner, signed by both sides."""
    return await signed_contract(db, council, await pending_contract(db, council, vault, outcome, **changes))


def verdict_document(deliverable: ContractDeliverable, *, unmet: tuple[int, ...] = ()) -> dict[str, Any]:
    """An answer to each criterion: met, but for those named."""
    return {
        "verdicts": [
            {"criterion": place, "met": place not in unmet, "reason": "It is not there." if place in unmet else None}
            for place in range(len(deliverable.acceptance_criteria))
        ]
    }


async def decided_deliverable(
    db: AsyncSession, council: Council, contract: Contract, key: str = "D1", *, unmet: tuple[int, ...] = ()
) -> ContractDeliverable:
    """Handed in by the supplier and judged by the service owner: accepted unless a criterion is named as unmet."""
    deliverable = next(one for one in contract.deliverables if one.key == key)
    handed_in = Delivery(note="It is done.", links=["https://work.example/it"])
    await deliverables.submit(db, await bidder(db, contract.supplier_id), contract.id, key, handed_in)
    verdict = convert(verdict_document(deliverable, unmet=unmet), Verdict)
    await deliverables.decide(db, council.service_owner, contract.id, key, verdict)
    return deliverable


async def completed_contract(
    db: AsyncSession, council: Council, contract: Contract, next_step: NextStep = NextStep.CONTINUE
) -> Contract:
    """Everything accepted, the lot's measures observed today."""
    for key in [one.key for one in contract.deliverables]:
        await decided_deliverable(db, council, contract, key)
    document = await completion_document(db, contract, next_step=next_step.value)
    return await endings.complete(db, council.officer, contract.id, convert(document, Completion))


async def completion_document(db: AsyncSession, contract: Contract, **changes: Any) -> dict[str, Any]:
    lot = await db.get_one(Lot, contract.lot_id)
    seen = {"value": "11", "observed_on": str((await clock.now(db)).date()), "source": "Case system"}
    measures = [{"measure_id": str(one), "observation": seen} for one in lot.measure_ids]
    return {"measures": measures, "learned": "Most of it was one letter.", "next_step": "continue"} | changes


def iteration_document(starts_on: date, price: str = "9500.00", **changes: Any) -> dict[str, Any]:
    """A further time-box of four weeks with one deliverable."""
    document = deepcopy(Iteration.EXAMPLE)
    assert isinstance(document, dict)
    document["deliverables"][0] |= {
        "due_on": str(starts_on + timedelta(days=20)),
        "price": {"amount": price, "currency": "GBP"},
    }
    return document | {"starts_on": str(starts_on)} | changes
