"""A marketplace with something in every state, who has a seat in it, and what each of them could ask for or send."""

import re
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import httpx
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

import build
from calls import Call
from insights.scenes import (
    BODIES,
    HANDED_IN,
    Scene,
    Sent,
    invoice_document,
    of_organisations_and_people,
    service_client,
)
from journal.stamping import stamp_latest
from procure.app import create_app
from procure.awards import service as awards
from procure.bids import service as bids
from procure.bids.models import Bid
from procure.contracts import service as contracts
from procure.contracts.deliverables import service as deliverables
from procure.contracts.iterations import service as iterations
from procure.contracts.iterations.schemas import Iteration
from procure.contracts.models import Contract
from procure.enquiries import service as enquiries
from procure.enquiries.schemas import EnquiryDraft
from procure.evaluation import opening
from procure.evaluation import service as evaluation
from procure.evaluation.schemas import PanelDraft, ScoreSheet
from procure.finance import service as finance
from procure.finance.models import Invoice
from procure.finance.schemas import InvoiceDraft
from procure.identity.models import Credential, Membership
from procure.identity.registrations.schemas import RegistrationDraft
from procure.identity.rules import CredentialKind
from procure.journal.notes import origin_of
from procure.journal.sealer import Sealer
from procure.kit import clock
from procure.kit.actor import Actor, Role
from procure.kit.body import convert
from procure.kit.db import make_engine, make_sessions
from procure.kit.settings import Settings
from procure.lots.models import Lot
from procure.organisations.models import Organisation
from procure.outcomes import service as outcomes
from procure.outcomes.models import Outcome, Proposal
from procure.outcomes.proposals import service as proposals
from procure.outcomes.proposals.schemas import ProposalDraft
from procure.outcomes.schemas import OutcomeDraft
from procure.policy.schemas import (
    BandDraft,
    PlatformLimitsDraft,
    PolicyVersionDraft,
    TermsDraft,
    VatRateDraft,
)
from procure.policy.working_days import local_day
from procure.vault.strongbox import STRONGBOX, Strongbox
from procure.webhooks import service as webhooks
from procure.webhooks.models import Webhook
from procure.webhooks.schemas import WebhookDraft

#: The bids on each lot: the better one is the dearer.
TOTALS = ("11050.00", "9000.00")
#: In the order in which they are played; each has a marketplace of its own.
SEATS = (
    *("nobody", "officer", "approver", "budget holder", "service owner", "evaluator", "finance", "auditor"),
    *("administrator", "bidder", "rival bidder", "viewer", "administrator of the supplier", "system", "operator"),
)


@dataclass
class Market(Scene):
    """A scene with all states at once, side by side."""

    winner: Actor = field(default_factory=Actor)
    loser: Actor = field(default_factory=Actor)

    async def bid_on(self, lot: Lot) -> Lot:
        for bidder, total in zip((self.winner, self.loser), TOTALS, strict=True):
            await build.submitted_bid(self.db, lot, bidder, self.vault, total=total)
        return lot

    async def opened(self, number: int) -> list[Lot]:
        """So many lots with opened bids, all of one day."""
        published = [await build.published_lot(self.db, self.buyer, self.vault) for _ in range(number)]
        for lot in published:
            await self.bid_on(lot)
        await build.move_clock(self.db, published[-1].closes_at)
        for lot in published:
            await opening.seal(self.db, lot.id)
            await opening.open_at_seal(self.db, self.vault, lot.id)
        return published

    async def evaluated(self, lot: Lot, *, conclude: bool = True) -> Lot:
        await build.seated_panel(self.db, self.buyer, lot)
        await build.scored_lot(self.db, self.buyer, lot, TOTALS, (4, 3))
        if conclude:
            await evaluation.conclude(self.db, self.buyer.designer, lot.id)
        return lot

    async def contract(self, lot: Lot, *, signed: bool = True) -> Contract:
        award = await build.approved_award(self.db, self.buyer, await self.evaluated(lot))
        made = await contracts.draw_up(self.db, self.buyer.officer, award.id)
        return await build.signed_contract(self.db, self.buyer, made) if signed else made


async def fill(db: AsyncSession, settings: Settings) -> Market:
    """New parties, and everything that they may be in the middle of."""
    vault = build.vault_beside(db, settings)
    at = Market(db, await db.connection(), vault, await build.council(db))
    at.winner, at.loser = await build.supplier(db, "A better bidder"), await build.supplier(db, "A cheaper bidder")
    at.people["supplier who did not bid"] = passer_by = await build.supplier(db, "Passer-by")
    covered = await at.bid_on(await build.covered_lot(db, at.buyer, vault))
    await build.sealed_lot(db, covered)
    await at.show(covered)
    await contracted(at, await at.opened(7))
    await judged(at, await at.opened(7))
    await beginning(at, passer_by)
    await anext(of_organisations_and_people(at))
    await seat_everybody(at)
    await told(at, settings)
    at.resources = [*dict.fromkeys([*at.resources, *[path async for path in parts(at)]])]
    await db.commit()
    return at


async def contracted(at: Market, lots: list[Lot]) -> None:
    """Contracts from the first signature to the retrospective."""
    db, buyer = at.db, at.buyer
    done, before, running, *fresh = [await at.contract(lot) for lot in lots[:5]]
    for contract in (done, before):
        await build.completed_contract(db, buyer, contract)
    day = local_day(await clock.now(db)) + timedelta(days=1)
    document = convert(build.iteration_document(day), Iteration)
    last = await iterations.continue_(db, buyer.officer, before.id, document)
    await build.completed_contract(db, buyer, await build.signed_contract(db, buyer, last))
    await build.decided_deliverable(db, buyer, running)
    bill = convert(await invoice_document(db, running, "D1"), InvoiceDraft)
    line = await finance.receive_invoice(db, at.winner, running.id, bill)
    await deliverables.submit(db, at.winner, running.id, "D2", HANDED_IN)
    accepted = fresh[0]
    for key in ("D1", "D2"):
        await build.decided_deliverable(db, buyer, accepted, key)
    pending, half = [await at.contract(lot, signed=False) for lot in lots[5:]]
    await contracts.sign(db, at.winner, half.id, half.digest)
    await at.show(done, last, running, *fresh, pending, half, await db.get_one(Invoice, line.id))


async def judged(at: Market, lots: list[Lot]) -> None:
    """Lots from the opening to an approved award."""
    db, buyer = at.db, at.buyer
    # The first waits for its panel.
    _, panelled, scoring, agreed, ranked, recommended, approved = lots
    await evaluation.set_panel(db, buyer.officer, panelled.id, convert(build.panel_document(buyer), PanelDraft))
    await build.seated_panel(db, buyer, scoring)
    sheet = convert(build.score_document(scoring, await bids.opened_bids(db, scoring.id)), ScoreSheet)
    await evaluation.score(db, buyer.designer, scoring.id, sheet)
    await at.evaluated(agreed, conclude=False)
    awarded = [await build.recommended_award(db, buyer, await at.evaluated(lot)) for lot in (recommended, approved)]
    await awards.approve(db, buyer.approver, awarded[1].id)
    await at.evaluated(ranked)
    await at.show(*lots, *awarded)


async def beginning(at: Market, passer_by: Actor) -> None:
    """Drafts, and lots that are open for bids."""
    db, buyer = at.db, at.buyer
    drafted = await outcomes.draft(db, buyer.officer, convert(build.outcome_document(buyer), OutcomeDraft))
    active = await build.active_outcome(db, buyer)
    draft = convert(build.estimate_document("12000.00"), ProposalDraft)
    proposed = await build.active_outcome(db, buyer)
    await proposals.propose(db, buyer.officer, proposed.id, draft)
    drafts = [await build.drafted_lot(db, buyer) for _ in range(3)]
    published = [await build.published_lot(db, buyer, at.vault) for _ in range(2)]
    await at.bid_on(published[0])
    asked = [await enquiries.ask(db, passer_by, published[0].id, EnquiryDraft("May we come?")) for _ in range(2)]
    await build.published_enquiry(db, buyer.officer, asked[1].id)
    await at.show(drafted, active, proposed, *drafts, *published, *asked)


async def told(at: Market, settings: Settings) -> None:
    """The buyer has changes brought to two receivers, one of which is paused."""
    box, admin = Strongbox(settings.keys_path / STRONGBOX), at.people["administrator"]
    drafts = [WebhookDraft(name=name, url=f"https://{name}.example/changes") for name in ("active", "paused")]
    *_, (last, _) = [await webhooks.add(at.db, admin, box, draft) for draft in drafts]
    await webhooks.pause(at.db, admin, last.id, "It moves.")


async def seat_everybody(at: Market) -> None:
    buyer, theirs = at.buyer, await at.db.get_one(Organisation, at.winner.organisation_id)
    everything = (Role.OFFICER, Role.SERVICE_OWNER, Role.EVALUATOR, Role.FINANCE, Role.AUDITOR, Role.ADMIN)
    at.people = {
        "officer": buyer.officer,
        "approver": buyer.approver,
        "budget holder": buyer.budget_holder,
        "service owner": buyer.service_owner,
        "evaluator": buyer.designer,
        "finance": buyer.finance,
        "auditor": await build.seat(at.db, buyer.organisation, Role.AUDITOR),
        "administrator": at.people["admin"],
        "bidder": at.winner,
        "rival bidder": at.loser,
        "viewer": await build.seat(at.db, theirs, Role.VIEWER),
        "administrator of the supplier": await build.seat(at.db, theirs, Role.ADMIN),
        "system": await service_client(at.db, buyer.officer, *everything),
        "operator": at.people["operator"],
    }


async def parts(at: Market) -> AsyncGenerator[str]:
    """What stands under the resources, or beside them."""
    lots = [UUID(path.split("/")[-1]) for path in at.resources if path.startswith("/v1/lots/")]
    for bid in await at.db.scalars(select(Bid).where(Bid.lot_id.in_(lots))):
        yield f"/v1/bids/{bid.id}"
    for path in at.resources:
        async for part in parts_of(at, path):
            yield part
    for party in (at.winner, at.loser):
        yield f"/v1/organisations/{party.organisation_id}"
    of_winner = Membership.organisation_id == at.winner.organisation_id
    for member in await at.db.scalars(select(Membership).where(of_winner)):
        yield f"/v1/organisations/{at.winner.organisation_id}/members/{member.id}"
    for webhook in await at.db.scalars(select(Webhook).where(Webhook.organisation_id == at.buyer.organisation.id)):
        yield f"/v1/webhooks/{webhook.id}"
    for path in ("policy/terms/short-form-1", "cpv/72200000", "cpv/45000000-7"):
        yield f"/v1/{path}"
    for number in range(3):
        yield f"/v1/finance/orders/EXT-{number}"
        yield f"/v1/finance/payments/EXT-{number}"
        yield f"/v1/journal/entries/{number + 1}"


async def parts_of(at: Market, path: str) -> AsyncGenerator[str]:
    match path.split("/")[2:]:
        case ["contracts", _]:
            for key in ("D1", "D2"):
                yield f"{path}/deliverables/{key}"
        case ["outcomes", id_]:
            for measure in await build.measure_ids(at.db, await at.db.get_one(Outcome, UUID(id_))):
                yield f"{path}/measures/{measure}"
            for made in await at.db.scalars(select(Proposal.id).where(Proposal.outcome_id == UUID(id_))):
                yield f"{path}/proposals/{made}"
        case [*_, "clients", id_]:
            for one in await at.db.scalars(select(Credential).where(Credential.client_id == UUID(id_))):
                yield f"{path}/{'secrets' if one.kind == CredentialKind.SECRET else 'keys'}/{one.id}"


# What one of them knows.


@dataclass(frozen=True)
class Address:
    """Where an operation is asked; `place` is as far as what its path names."""

    method: str
    path: str

    @property
    def place(self) -> re.Pattern[str]:
        named = self.path[: self.path.rfind("}") + 1]
        return re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", named))

    @property
    def whole(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", self.path))


def addresses(document: dict[str, Any]) -> dict[str, Address]:
    return {
        operation["operationId"]: Address(method.upper(), path)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }


Known = dict[str, list[dict[str, Any]]]


async def known(at: Market, call: Call, actor: Actor | None, document: dict[str, Any]) -> Known:
    """By operation, what there is to name in its path; `good` where this caller may see or do it now, then with a body for it."""
    found: Known = defaultdict(list)
    for name, address in addresses(document).items():
        for places in matching(address, at.resources):
            read = address.method == "GET" and (await call.get(actor, address.path.format(**places))).is_success
            found[name].append({"places": places, "good": read})
    async for name, entry in allowed(at, call, actor, addresses(document)):
        found[name] = [one for one in found[name] if one["places"] != entry["places"]] + [entry]
    for name, (role, body) in (await bodies_alone(at)).items():
        found[name].append({"places": {}, "good": actor is not None and role in actor.roles, "body": body})
    return dict(found)


def matching(address: Address, resources: list[str]) -> Iterator[dict[str, str]]:
    if "{" in address.path:
        yield from (match.groupdict() for path in resources if (match := address.place.fullmatch(path)))


async def allowed(
    at: Market, call: Call, actor: Actor | None, where: dict[str, Address]
) -> AsyncGenerator[tuple[str, dict[str, Any]]]:
    """The acts that the service says are this caller's to take."""
    for resource in at.resources:
        reply = await call.get(actor, f"{resource}/actions")
        for act in reply.json()["items"] if reply.is_success else []:
            name, sent = act["operation"], Sent(at, UUID(resource.rpartition("/")[2]), act["about"])
            if act["allowed"] and (match := where[name].whole.fullmatch(act["path"])):
                body = await BODIES[name](sent) if name in BODIES else None
                for places in filled_in(match.groupdict(), where[name], at.resources):
                    yield name, {"places": places, "good": True, "body": body}


def filled_in(places: dict[str, str], address: Address, resources: list[str]) -> Iterator[dict[str, str]]:
    """With what the act leaves to the caller: which measure, which key, an id of the caller's own."""
    given = {name: value for name, value in places.items() if not value.startswith("{")}
    if given == places:
        yield places
    else:
        yield from (one for one in matching(address, resources) if given.items() <= one.items())


async def bodies_alone(at: Market) -> dict[str, tuple[Role, Any]]:
    """Of what is made out of nothing, and who may."""
    moment = await clock.now(at.db) + timedelta(minutes=1)

    def of_later(example: Any) -> Any:
        """A rule that nobody lives to see."""
        return {**example, "valid_from": str(local_day(moment) + timedelta(days=400))}

    party = {
        "kind": "buyer",
        "name": "Another council",
        "identifier": {"scheme": "GB-LAE", "id": "ANO"},
        "nation": "GB-ENG",
    }
    return {
        "draftOutcome": (Role.OFFICER, build.outcome_document(at.buyer)),
        "moveSandboxClock": (Role.OPERATOR, {"to": moment.isoformat()}),
        "recordBand": (Role.OPERATOR, of_later(BandDraft.EXAMPLE)),
        "recordPlatformLimits": (Role.OPERATOR, of_later(PlatformLimitsDraft.EXAMPLE)),
        "recordPolicyVersion": (Role.APPROVER, of_later(PolicyVersionDraft.EXAMPLE)),
        "recordTerms": (Role.OPERATOR, of_later(TermsDraft.EXAMPLE)),
        "recordVatRate": (Role.OPERATOR, of_later(VatRateDraft.EXAMPLE)),
        "registerOrganisation": (Role.OPERATOR, party),
    }


def values(at: Market, found: Known) -> dict[str, list[str]]:
    """What the filters of lists may name."""
    named: dict[str, set[str]] = defaultdict(set)
    for entry in (entry for entries in found.values() for entry in entries):
        for name, value in entry["places"].items():
            named[name].add(value)
    named["buyer_id"] = {str(at.buyer.organisation.id)}
    named["supplier_id"] = {str(one.organisation_id) for one in (at.winner, at.loser)}
    return {name: sorted(some) for name, some in named.items()}


@asynccontextmanager
async def connected(settings: Settings) -> AsyncGenerator[tuple[AsyncSession, Call]]:
    """A session on this database, and calls beside whatever else serves it."""
    engine = make_engine(settings.database_url, pool_size=2)
    sessions = make_sessions(engine)
    app = create_app(settings, sessions=sessions)
    transport = httpx.ASGITransport(app=cast("Any", app))
    async with httpx.AsyncClient(transport=transport, base_url=settings.base_url) as client, sessions() as db:
        yield db, Call(client, app)
    await engine.dispose()


async def begin(settings: Settings) -> None:
    """With something in the register, a fresh service plays no demonstration."""
    async with connected(settings) as (db, _):
        await build.active_outcome(db, await build.council(db))
        await db.commit()


async def stamped(db: AsyncSession, at: Market, settings: Settings) -> int:
    """The size of a checkpoint with a time stamp. Where this database is served a worker seals too."""
    sealer = Sealer(at.vault, origin_of(settings.base_url))
    while await sealer.seal(db):
        await db.commit()
    size = await stamp_latest(db)
    await db.commit()
    return size


@asynccontextmanager
async def marketplace(settings: Settings) -> AsyncGenerator[tuple[Market, Call]]:
    """A new one in this database."""
    async with connected(settings) as (db, call):
        at = await fill(db, settings)
        registered = await call.post(None, "/v1/registrations", RegistrationDraft.EXAMPLE)
        at.resources += [f"/v1/registrations/{registered.json()['id']}"] if registered.is_success else []
        at.resources.append(f"/v1/journal/checkpoints/{await stamped(db, at, settings)}")
        yield at, call
