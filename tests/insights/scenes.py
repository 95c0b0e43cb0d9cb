"""A procurement in each of its states, who may be around, and a body that each act would take."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from joserfc.jwk import ECKey
from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

import tagged
from build import (
    Council,
    active_contract,
    active_outcome,
    approved_award,
    bid_document,
    completion_document,
    council,
    covered_lot,
    decided_deliverable,
    drafted_lot,
    estimate_document,
    evaluated_lot,
    iteration_document,
    lot_document,
    measure_ids,
    move_clock,
    opened_lot,
    operator,
    outcome_document,
    panel_document,
    published_enquiry,
    recommended_award,
    score_document,
    scored_lot,
    sealed_lot,
    seat,
    seated_panel,
    signed_contract,
    submitted_bid,
    supplier,
    verdict_document,
)
from procure.awards import service as awards
from procure.awards.models import Award
from procure.bids import service as bids
from procure.bids.models import Bid
from procure.contracts import service as contracts
from procure.contracts.deliverables import service as deliverables
from procure.contracts.deliverables.schemas import Delivery
from procure.contracts.endings import service as endings
from procure.contracts.endings.schemas import Completion
from procure.contracts.iterations import service as iterations
from procure.contracts.iterations.schemas import Iteration
from procure.contracts.models import Contract, ContractDeliverable
from procure.contracts.rules import NextStep
from procure.enquiries import service as enquiries
from procure.enquiries.models import Enquiry
from procure.enquiries.rules import Ground
from procure.enquiries.schemas import EnquiryAnswer, EnquiryDraft, EnquiryReply
from procure.evaluation import opening
from procure.evaluation import service as evaluation
from procure.evaluation.models import PanelMember
from procure.evaluation.schemas import Declaration, PanelDraft, ScoreSheet
from procure.finance import service as finance
from procure.finance.models import Invoice
from procure.finance.schemas import InvoiceDraft
from procure.identity import credentials
from procure.identity import service as identity
from procure.identity.invitations import service as invitations
from procure.identity.invitations.schemas import InvitationDraft
from procure.identity.models import Client, Membership
from procure.identity.rules import ClientKind, ClientStatus, MembershipStatus, PersonStatus
from procure.identity.schemas import KeyDraft, SecretDraft
from procure.identity.suspensions import service as suspensions
from procure.kit import clock
from procure.kit.actor import Actor, OrganisationKind, Role
from procure.kit.body import convert
from procure.kit.ids import new_id
from procure.kit.money import rounded
from procure.kit.scopes import scopes_of
from procure.lots import service as lots
from procure.lots.models import Lot
from procure.lots.schemas import Notice
from procure.organisations import service as organisations
from procure.outcomes import service as outcomes
from procure.outcomes.models import Outcome
from procure.outcomes.proposals import service as proposals
from procure.outcomes.proposals.schemas import ProposalDraft
from procure.outcomes.schemas import EndDecision, OutcomeDraft
from procure.policy.working_days import local_day
from procure.vault.keyring import FileKeyring

ALONE: dict[str, Any] = {"totals": ("11050.00",), "quality": (4,)}
NO_FURTHER = {"count": 0, "ceiling": {"amount": "0.00", "currency": "GBP"}}
REASON = {"reason": "The need has gone."}
HANDED_IN = Delivery(note="It is done.", links=["https://work.example/it"])


@dataclass
class Scene:
    """One state. `people` are all who might call, by what they are."""

    db: AsyncSession
    connection: AsyncConnection
    vault: FileKeyring
    buyer: Council
    people: dict[str, Actor] = field(default_factory=dict)
    resources: list[str] = field(default_factory=list)

    async def spare(self) -> Actor:
        """An evaluator more."""
        return await seat(self.db, self.buyer.organisation, Role.EVALUATOR)

    @asynccontextmanager
    async def aside(self) -> AsyncGenerator[None]:
        """What happens here is taken back, and looked at before."""
        await self.db.commit()
        before, known = (dict(self.people), list(self.resources)), set(self.db)
        point = await self.connection.begin_nested()
        try:
            yield
        finally:
            await self.db.commit()
            await point.rollback()
            tagged.forget()
            self.people, self.resources = before
            for row in list(self.db):
                if row in known:
                    await self.db.refresh(row)
                else:
                    self.db.expunge(row)

    async def show(self, *rows: Any, only: bool = False) -> None:
        """Have these looked at, beside what is already or instead of it; of a lot's bidders the dearest, if it is known."""
        self.resources = [] if only else self.resources
        for row in rows:
            self.resources.append(f"/v1/{PATHS[type(row)]}/{row.id}")
            if isinstance(row, Lot) and (bid := await self.db.scalar(_dearest(row))):
                self.people["bidder"] = await bidder_of(self.db, bid.supplier_id)
                self.resources.append(f"/v1/bids/{bid.id}")


def _dearest(lot: Lot) -> Select[Bid]:
    return select(Bid).where(Bid.lot_id == lot.id).order_by(Bid.total.desc(), Bid.id).limit(1)


PATHS: dict[type, str] = {
    Outcome: "outcomes",
    Lot: "lots",
    Award: "awards",
    Contract: "contracts",
    Enquiry: "enquiries",
    Invoice: "finance/invoices",
}


async def bidder_of(db: AsyncSession, supplier_id: UUID) -> Actor:
    """The person who bid, as their own client's token would make them."""
    member = (await db.scalars(select(Membership).where(Membership.organisation_id == supplier_id))).first()
    assert member is not None
    client = (await db.scalars(select(Client).where(Client.person_id == member.person_id))).first()
    assert client is not None

    return Actor(
        organisation_id=supplier_id,
        kind=OrganisationKind.SUPPLIER,
        client_id=client.id,
        person_id=member.person_id,
        roles=frozenset({Role.BIDDER}),
        scopes=scopes_of(frozenset({Role.BIDDER})),
        request_id="test",
    )


async def service_client(db: AsyncSession, of: Actor, *roles: Role) -> Actor:
    """A client of the same organisation that is no person."""
    assert of.organisation_id is not None
    client = Client(
        id=new_id(),
        organisation_id=of.organisation_id,
        person_id=None,
        kind=ClientKind.SERVICE,
        name="A system",
        roles=[role.value for role in roles],
        version=1,
    )
    db.add(client)
    await db.flush()
    return replace(
        of,
        client_id=client.id,
        person_id=None,
        roles=frozenset(roles),
        scopes=scopes_of(frozenset(roles)),
        budget_holder=False,
    )


async def scene(db: AsyncSession, connection: AsyncConnection, vault: FileKeyring) -> Scene:
    """A buyer whose officer approves too, so that four eyes have something to see, and everybody else who may come by."""
    buyer = await council(db)
    everything = (Role.OFFICER, Role.APPROVER, Role.SERVICE_OWNER)
    buyer.officer = await seat(db, buyer.organisation, *everything, budget_holder=True, name="Officer and approver")
    other = await council(db, name="Otherham Council")
    people = {
        "officer and approver": buyer.officer,
        "approver": buyer.approver,
        "designer": buyer.designer,
        "service owner": buyer.service_owner,
        "finance": buyer.finance,
        "system of the buyer": await service_client(db, buyer.officer, *everything, Role.EVALUATOR),
        "officer elsewhere": await seat(db, other.organisation, *everything, Role.EVALUATOR, Role.FINANCE),
        "supplier who did not bid": await supplier(db, "Passer-by"),
    }
    return Scene(db, connection, vault, buyer, people)


# The stories: each goes on to the next state when the one before has been looked at. What is only tried stands in `aside`.


async def from_need_to_bids(at: Scene) -> AsyncGenerator[str]:
    db, buyer = at.db, at.buyer
    at.people["budget holder"] = buyer.budget_holder
    outcome = await outcomes.draft(db, buyer.officer, convert(outcome_document(buyer), OutcomeDraft))
    await at.show(outcome)
    yield "outcome drafted"
    await outcomes.activate(db, buyer.budget_holder, outcome.id)
    yield "outcome active"
    async with at.aside():
        await proposals.propose(db, buyer.officer, outcome.id, convert(estimate_document("12000.00"), ProposalDraft))
        yield "estimate proposed"
    at.people.pop("budget holder")
    lot = await drafted_lot(db, buyer, outcome)
    await at.show(lot, only=True)
    yield "lot drafted"
    async with at.aside():
        await move_clock(db, lot.closes_at - timedelta(hours=1))
        yield "lot drafted too late"
    async with at.aside():
        await outcomes.end(db, buyer.approver, outcome.id, convert({"status": "not_achieved", **REASON}, EndDecision))
        await at.show(outcome)
        yield "outcome ended"
    async with at.aside():
        small = await active_outcome(db, buyer, envelope={"amount": "15000.00", "currency": "GBP"})
        await at.show(await drafted_lot(db, buyer, small), only=True)
        yield "lot too dear"
    await lots.publish(db, buyer.approver, at.vault, lot.id)
    for name, total in (("One Ltd", "11050.00"), ("Two Ltd", "9000.00")):
        await submitted_bid(db, lot, await supplier(db, name), at.vault, total=total)
    asked = await enquiries.ask(db, at.people["supplier who did not bid"], lot.id, EnquiryDraft("May we come?"))
    answered = await enquiries.ask(db, at.people["supplier who did not bid"], lot.id, EnquiryDraft("On a Monday?"))
    drafted, replied = [
        await enquiries.ask(db, at.people["supplier who did not bid"], lot.id, EnquiryDraft("By post?")) for _ in "12"
    ]
    await published_enquiry(db, buyer.officer, answered.id)
    for one in (drafted, replied):
        await enquiries.answer(db, buyer.officer, one.id, EnquiryAnswer("No."))
    await enquiries.reply(db, buyer.officer, replied.id, EnquiryReply("No.", Ground.ABOUT_ASKER, "It says so.", False))
    await at.show(lot, asked, answered, drafted, replied, only=True)
    yield "lot published"
    async with at.aside():
        bid = (await db.scalars(select(Bid).where(Bid.lot_id == lot.id))).first()
        assert bid is not None
        leaver = at.people["bidder"] = await bidder_of(db, bid.supplier_id)
        await bids.withdraw(db, leaver, bid.id)
        at.resources.append(f"/v1/bids/{bid.id}")
        yield "bid withdrawn"
    async with at.aside():
        await lots.cancel(db, buyer.approver, lot.id, "The need has gone.")
        yield "lot cancelled"


async def from_opening_to_ranking(at: Scene) -> AsyncGenerator[str]:
    db, buyer = at.db, at.buyer
    lot = await opened_lot(db, buyer, at.vault)
    await at.show(lot)
    yield "lot opened, without a panel"
    at.people["engineer"] = buyer.engineer
    await evaluation.set_panel(db, buyer.officer, lot.id, convert(panel_document(buyer), PanelDraft))
    await evaluation.declare(db, buyer.designer, lot.id, Declaration(has_conflict=False, declaration="None."))
    yield "panel named"
    await evaluation.declare(db, buyer.engineer, lot.id, Declaration(has_conflict=False, declaration="None."))
    async with at.aside():
        await evaluation.declare(db, buyer.engineer, lot.id, Declaration(has_conflict=True, declaration="A cousin."))
        yield "member recused"
    sheet = convert(score_document(lot, await bids.opened_bids(db, lot.id)), ScoreSheet)
    for member in (buyer.designer, buyer.engineer):
        await evaluation.score(db, member, lot.id, sheet)
    await evaluation.lock_scores(db, buyer.engineer, lot.id)
    yield "panel scoring"
    await evaluation.lock_scores(db, buyer.designer, lot.id)
    yield "all locked"
    await evaluation.record_consensus(db, buyer.designer, lot.id, sheet)
    yield "panel agreed"
    await evaluation.conclude(db, buyer.designer, lot.id)
    yield "evaluation concluded"


async def from_ranking_to_signature(at: Scene) -> AsyncGenerator[str]:
    db, buyer = at.db, at.buyer
    lot = await evaluated_lot(db, buyer, at.vault)
    await at.show(lot)
    async with at.aside():
        await move_clock(db, lot.closes_at + timedelta(days=lot.validity_days + 2))
        yield "bids lapsed"
    award = await recommended_award(db, buyer, lot)
    await at.show(lot, award, only=True)
    yield "award recommended"
    async with at.aside():
        await awards.refuse(db, buyer.approver, award.id, "Say why.")
        yield "award refused"
    await awards.approve(db, buyer.approver, award.id)
    yield "award approved"
    async with at.aside():
        await awards.withdraw(db, buyer.approver, award.id, "The references are not theirs.")
        yield "award withdrawn"
        second = await approved_award(db, buyer, lot)
        await awards.withdraw(db, buyer.approver, second.id, "Nor are these.")
        yield "every award withdrawn"
    contract = await contracts.draw_up(db, buyer.officer, award.id)
    await at.show(contract, award, only=True)
    at.people["bidder"] = winner = await bidder_of(db, contract.supplier_id)
    yield "contract pending"
    async with at.aside():
        await move_clock(db, contract.sign_by)
        yield "contract lapsed"
    async with at.aside():
        await awards.withdraw(db, buyer.approver, award.id, "The references are not theirs.")
        yield "award withdrawn from a contract"
    await contracts.sign(db, winner, contract.id, contract.digest)
    yield "contract signed once"


async def from_signature_to_the_next_step(at: Scene) -> AsyncGenerator[str]:
    db, buyer = at.db, at.buyer
    contract = await active_contract(db, buyer, at.vault, **ALONE)
    lot, outcome = await db.get_one(Lot, contract.lot_id), await db.get_one(Outcome, contract.outcome_id)
    at.people["bidder"] = winner = await bidder_of(db, contract.supplier_id)
    await at.show(contract, lot, outcome)
    yield "contract active"
    await at.show(contract, only=True)
    async with at.aside():
        await deliverables.submit(db, winner, contract.id, "D1", HANDED_IN)
        yield "deliverable handed in"
    async with at.aside():
        for _ in range(lot.policy.limits.rework_rounds_max):
            await decided_deliverable(db, buyer, contract, "D1", unmet=(0,))
        yield "deliverable rejected"
        await decided_deliverable(db, buyer, contract, "D1", unmet=(0,))
        yield "rework spent"
    await decided_deliverable(db, buyer, contract, "D1")
    document = convert(await invoice_document(db, contract, "D1"), InvoiceDraft)
    line = await finance.receive_invoice(db, winner, contract.id, document)
    await at.show(await db.get_one(Invoice, line.id))
    yield "invoice received"
    await at.show(contract, only=True)
    async with at.aside():
        await endings.terminate(db, buyer.approver, contract.id, "Enough was learned.")
        yield "contract terminated"
    await decided_deliverable(db, buyer, contract, "D2")
    await at.show(contract, outcome, only=True)
    yield "everything accepted"
    for step in (NextStep.PIVOT, NextStep.STOP, NextStep.CONTINUE):
        async with at.aside():
            document_ = await completion_document(db, contract, next_step=step.value)
            await endings.complete(db, buyer.officer, contract.id, convert(document_, Completion))
            yield f"completed, to {step}"
            await endings.look_back(db, winner, contract.id, "One letter is enough.")
            if step is NextStep.CONTINUE:
                day = local_day(await clock.now(db)) + timedelta(days=1)
                following = await iterations.continue_(
                    db, buyer.officer, contract.id, convert(iteration_document(day), Iteration)
                )
                await at.show(following)
                yield "iteration drawn up"
                await signed_contract(db, buyer, following)
                yield "iteration signed"
            else:
                yield "retrospective given"


async def of_a_covered_lot(at: Scene) -> AsyncGenerator[str]:
    db, buyer = at.db, at.buyer
    lot = await covered_lot(db, buyer, at.vault)
    await submitted_bid(db, lot, await supplier(db, "One Ltd"), at.vault, total="11050.00")
    asked = await enquiries.ask(db, at.people["supplier who did not bid"], lot.id, EnquiryDraft("May we come?"))
    await move_clock(db, lot.closes_at)
    at.people["second approver"] = buyer.second_approver
    await at.show(lot, asked)
    yield "closed"
    seal = await sealed_lot(db, lot)
    yield "sealed"
    for opener in (buyer.approver, buyer.second_approver):
        await opening.approve_opening(db, opener, at.vault, lot.id, seal.root)
    at.people.pop("second approver")
    await seated_panel(db, buyer, lot)
    await scored_lot(db, buyer, lot, ("11050.00",), (4,))
    await evaluation.conclude(db, buyer.designer, lot.id)
    award = await recommended_award(db, buyer, lot)
    await awards.approve(db, buyer.approver, award.id)
    await at.show(lot, award, only=True)
    yield "approved, without its notice"
    notice = Notice("2026/S 000-054322", "ocds-h6vhtk-04f1aa", await clock.now(db))
    await awards.record_notice(db, buyer.officer, award.id, notice)
    contract = await contracts.draw_up(db, buyer.officer, award.id)
    await at.show(award, contract, only=True)
    at.people["bidder"] = await bidder_of(db, contract.supplier_id)
    yield "standstill runs"


async def of_organisations_and_people(at: Scene) -> AsyncGenerator[str]:
    db, of_buyer = at.db, f"/v1/organisations/{at.buyer.organisation.id}"
    operator_ = at.people["operator"] = await operator(db)
    at.people["admin"] = await seat(db, at.buyer.organisation, Role.ADMIN)
    at.resources.append(of_buyer)
    stays, goes = [
        (await db.scalars(select(Membership).where(Membership.person_id == person.person_id))).one()
        for person in (at.buyer.finance, at.buyer.auditor)
    ]
    at.resources += [f"{of_buyer}/members/{one.id}" for one in (stays, goes)]
    at.resources += [f"{of_buyer}/clients/{one.client_id}" for one in (at.buyer.finance, at.buyer.auditor)]
    for number, one in enumerate((at.buyer.finance, at.buyer.approver)):
        await given_credentials(db, at.people["admin"], one, secrets=number + 1, keys=4 * number)
    at.resources.append(f"{of_buyer}/clients/{at.buyer.approver.client_id}")
    await identity.end_membership(db, operator_, at.buyer.organisation.id, goes.id)
    await of_invited_people(at, at.people["admin"])
    await of_suspended_people(at, at.people["admin"], operator_)
    passer_by = at.people.pop("supplier who did not bid")
    assert passer_by.organisation_id is not None
    await organisations.suspend(db, operator_, passer_by.organisation_id, "Under investigation.")
    at.resources.append(f"/v1/organisations/{passer_by.organisation_id}")
    yield "some active, some not"


async def of_suspended_people(at: Scene, admin: Actor, operator_: Actor) -> None:
    """A client, a membership and a person that are suspended, beside persons that are not."""
    db, of_buyer = at.db, at.buyer.organisation.id
    held, paused = [await seat(db, at.buyer.organisation, Role.AUDITOR) for _ in range(2)]
    assert held.client_id is not None
    assert paused.person_id is not None
    assert at.buyer.finance.person_id is not None
    membership = (await db.scalars(select(Membership).where(Membership.person_id == paused.person_id))).one()
    await suspensions.move_client(db, admin, of_buyer, held.client_id, ClientStatus.SUSPENDED, "Lost.")
    await suspensions.move_membership(db, admin, of_buyer, membership.id, MembershipStatus.SUSPENDED, "On leave.")
    await suspensions.move_person(db, operator_, paused.person_id, PersonStatus.SUSPENDED, "Under investigation.")
    at.resources += [f"/v1/organisations/{of_buyer}/clients/{held.client_id}"]
    at.resources += [f"/v1/organisations/{of_buyer}/members/{membership.id}"]
    at.resources += [f"/v1/persons/{person}" for person in (paused.person_id, at.buyer.finance.person_id)]


async def of_invited_people(at: Scene, admin: Actor) -> None:
    """An invitation that is open, and one that was revoked."""
    db, of_buyer = at.db, at.buyer.organisation.id
    draft = convert({"person": {"name": "A new colleague"}, "roles": ["auditor"]}, InvitationDraft)
    rows = [(await invitations.invite(db, admin, of_buyer, draft))[0] for _ in range(2)]
    await invitations.revoke(db, admin, of_buyer, rows[1].id, "A slip.")
    at.resources += [f"/v1/organisations/{of_buyer}/invitations/{row.id}" for row in rows]


async def given_credentials(db: AsyncSession, admin: Actor, of: Actor, *, secrets: int, keys: int) -> None:
    assert of.organisation_id is not None
    assert of.client_id is not None
    for _ in range(secrets):
        await credentials.add_secret(db, admin, of.organisation_id, of.client_id, SecretDraft())
    for _ in range(keys):
        jwk = ECKey.generate_key("P-256").as_dict(private=False)
        await credentials.add_key(db, admin, of.organisation_id, of.client_id, convert({"jwk": jwk}, KeyDraft))


Story = Callable[[Scene], AsyncGenerator[str]]
STORIES: dict[str, Story] = {
    story.__name__: story
    for story in (
        from_need_to_bids,
        from_opening_to_ranking,
        from_ranking_to_signature,
        from_signature_to_the_next_step,
        of_a_covered_lot,
        of_organisations_and_people,
    )
}


# What to send. Each is a body that nothing is wrong with, in the state that the scene is in.


async def invoice_document(db: AsyncSession, contract: Contract, key: str) -> dict[str, Any]:
    statement = select(ContractDeliverable).where(
        ContractDeliverable.contract_id == contract.id, ContractDeliverable.key == key
    )
    net = (await db.scalars(statement)).one().amount
    vat = rounded(net / 5)
    return {
        "number": f"INV-{key}",
        "deliverable_key": key,
        "net": _money(net),
        "vat_rate": "20.00",
        "vat": _money(vat),
        "gross": _money(net + vat),
        "issued_on": str(local_day(await clock.now(db))),
    }


def _money(amount: Decimal) -> dict[str, str]:
    return {"amount": f"{amount:.2f}", "currency": "GBP"}


@dataclass(frozen=True)
class Sent:
    """An act as it is sent: on the resource with this id."""

    at: Scene
    id: UUID
    about: str | None

    async def lot(self) -> Lot:
        bid = await self.at.db.get(Bid, self.id)
        return await self.at.db.get_one(Lot, bid.lot_id if bid else self.id)

    async def contract(self) -> Contract:
        return await self.at.db.get_one(Contract, self.id)

    async def now(self) -> str:
        return (await clock.now(self.at.db)).isoformat()

    async def today(self) -> str:
        return str(local_day(await clock.now(self.at.db)))


Body = Callable[[Sent], Awaitable[Any]]


async def _revise_lot(_: Sent) -> Any:
    return {"title": "Find out why changes of address wait"}


async def _revise_outcome(_: Sent) -> Any:
    return {"title": "Changes of address are done in a day"}


async def _observe(sent: Sent) -> Any:
    return {"value": "11", "observed_on": str((await clock.now(sent.at.db)).date()), "source": "Case system"}


async def _observe_under_contract(sent: Sent) -> Any:
    outcome = await sent.at.db.get_one(Outcome, (await sent.contract()).outcome_id)
    (measure_id, *_) = await measure_ids(sent.at.db, outcome)
    return {**(await _observe(sent)), "measure_id": str(measure_id), "deliverable": "D1"}


async def _draft_lot(sent: Sent) -> Any:
    outcome = await sent.at.db.get_one(Outcome, sent.id)
    return lot_document(outcome.id, await measure_ids(sent.at.db, outcome), await clock.now(sent.at.db))


async def _notice(sent: Sent) -> Any:
    return {"id": "2026/S 000-054322", "ocid": "ocds-h6vhtk-04f1aa", "published_at": await sent.now()}


async def _bid(sent: Sent) -> Any:
    return bid_document(await sent.lot())


async def _open(sent: Sent) -> Any:
    seal = await bids.find_seal(sent.at.db, sent.id)
    return {"root": seal.root.hex() if seal else "00" * 32}


async def _panel(sent: Sent) -> Any:
    recused = select(PanelMember.person_id).where(PanelMember.lot_id == sent.id, PanelMember.has_conflict.is_(True))
    document = panel_document(sent.at.buyer)
    for member in document["members"]:
        if UUID(member["person_id"]) in set(await sent.at.db.scalars(recused)):
            member["person_id"] = str((await sent.at.spare()).person_id)
    return document


async def _scores(sent: Sent) -> Any:
    opened = await bids.opened_bids(sent.at.db, sent.id)
    if not opened:
        return {"scores": [{"bid_id": str(new_id()), "criterion_id": "C1", "score": 3, "rationale": "It reads well."}]}
    return score_document(await sent.lot(), opened, tuple(3 for _ in opened))


async def _recommend(sent: Sent) -> Any:
    db = sent.at.db
    had = select(Award.bid_id).where(Award.lot_id == sent.id, Award.status == "withdrawn")
    ranking = [one.bid_id for one in await evaluation.ranking_of(db, sent.id)]
    had_ids = set(await db.scalars(had))
    best = next((one for one in ranking if one not in had_ids), ranking[0] if ranking else new_id())
    return {"bid_id": str(best), "reason": "First in the ranking."}


async def _sign(sent: Sent) -> Any:
    return {"digest": (await sent.contract()).digest.hex()}


async def _verdict(sent: Sent) -> Any:
    statement = select(ContractDeliverable).where(
        ContractDeliverable.contract_id == sent.id, ContractDeliverable.key == sent.about
    )
    return verdict_document((await sent.at.db.scalars(statement)).one())


async def _invoice(sent: Sent) -> Any:
    assert sent.about is not None
    return await invoice_document(sent.at.db, await sent.contract(), sent.about)


async def _complete(sent: Sent) -> Any:
    return await completion_document(sent.at.db, await sent.contract(), next_step="stop")


async def _iteration(sent: Sent) -> Any:
    return iteration_document(local_day(await clock.now(sent.at.db)) + timedelta(days=1))


async def _next_step(sent: Sent) -> Any:
    least = "pivot" if (await sent.contract()).next_step is NextStep.CONTINUE else "stop"
    return {"next_step": least, **REASON}


async def _order(sent: Sent) -> Any:
    return {"contract_id": str(sent.id), "amount": _money(Decimal("0.01")), "ordered_on": await sent.today()}


async def _payment(sent: Sent) -> Any:
    return {"invoice_id": str(sent.id), "amount": _money(Decimal("0.01")), "paid_on": await sent.today()}


async def _merge(sent: Sent) -> Any:
    other = select(Enquiry.id).where(Enquiry.id != sent.id).order_by(Enquiry.published_at, Enquiry.id)
    return {"into_id": str(await sent.at.db.scalar(other) or new_id())}


async def _extend(sent: Sent) -> Any:
    return {"closes_at": ((await sent.lot()).closes_at + timedelta(minutes=1)).isoformat(), **REASON}


async def _key(_: Sent) -> Any:
    return {"jwk": ECKey.generate_key("P-256").as_dict(private=False)}


def _always(body: Any) -> Body:
    async def given(_: Sent) -> Any:
        return body

    return given


BODIES: dict[str, Body] = {
    "addClientKey": _key,
    "addClientSecret": _always({}),
    "addClient": _always({"kind": "service", "name": "A portal", "roles": ["admin"]}),
    "addInvitation": _always({"person": {"name": "A new colleague"}, "roles": ["admin"]}),
    "addMember": _always({"person": {"name": "A new colleague"}, "roles": ["admin"]}),
    "answerEnquiry": _always({"answer": "Yes."}),
    "askEnquiry": _always({"question": "Which system is it?"}),
    "cancelLot": _always({"reason_code": "need_changed", **REASON}),
    "mergeEnquiry": _merge,
    "replyToEnquiry": _always(EnquiryReply.EXAMPLE),
    "changeNextStep": _next_step,
    "completeContract": _complete,
    "continueContract": _iteration,
    "copyLot": _always({}),
    "decideDeliverable": _verdict,
    "declareInterests": _always({"has_conflict": True, "declaration": "A cousin works there."}),
    "draftLot": _draft_lot,
    "endOutcome": _always({"status": "abandoned", **REASON}),
    "endWithoutAward": _always(REASON),
    "extendLot": _extend,
    "giveRetrospective": _always({"learned": "One letter is enough."}),
    "makeProposal": _always({"kind": "envelope", "amount": _money(Decimal(999_999)), **REASON}),
    "observeMeasure": _observe,
    "observeUnderContract": _observe_under_contract,
    "openLot": _open,
    "placeOrder": _order,
    "recommendAward": _recommend,
    "recordAwardNotice": _notice,
    "recordConsensus": _scores,
    "recordLotNotice": _notice,
    "recordPayment": _payment,
    "recordScores": _scores,
    "refuseAward": _always(REASON),
    "refuseProposal": _always(REASON),
    **{
        f"{act}{noun}": _always(REASON)
        for act in ("reinstate", "suspend")
        for noun in ("Client", "Membership", "Person")
    },
    "reinstateOrganisation": _always(REASON),
    "replaceBid": _bid,
    "reviseLot": _revise_lot,
    "reviseOutcome": _revise_outcome,
    "revokeClient": _always(REASON),
    "revokeClientKey": _always(REASON),
    "revokeInvitation": _always(REASON),
    "revokeClientSecret": _always(REASON),
    "sendInvoice": _invoice,
    "setPanel": _panel,
    "signContract": _sign,
    "submitBid": _bid,
    "submitDeliverable": _always({"note": "It is done.", "links": ["https://work.example/it"]}),
    "suspendOrganisation": _always(REASON),
    "terminateContract": _always(REASON),
    "withdrawAward": _always(REASON),
    "withdrawLot": _always({}),
}
