"""What a lot's verbs leave in the database: effect, ledger and journal entry together, or nothing."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from build import Council, active_outcome, council, drafted_lot, lot_document, measure_ids, published_lot, supplier
from procure.journal.models import JournalEntry
from procure.kit import clock
from procure.kit.actor import ANYONE, Actor, PersonNeeded, SamePerson
from procure.kit.body import convert
from procure.lots import rules
from procure.lots import service as lots
from procure.lots.errors import LotInvalid, LotNotCancellable, LotNotDraft, LotNotFound, NoticeMissing
from procure.lots.models import Lot, status_now
from procure.lots.rules import LotStatus
from procure.lots.schemas import LotDraft, LotPatch
from procure.outcomes import service as outcomes
from procure.outcomes.errors import EnvelopeExceeded, OutcomeNotFound
from procure.policy.rules import Band
from procure.vault.keyring import FileKeyring
from procure.vault.keys import LotKey, signature_holds


@pytest.fixture
async def buyer(db: AsyncSession) -> Council:
    return await council(db)


async def entries(db: AsyncSession, lot: Lot) -> list[str]:
    statement = select(JournalEntry.type).where(JournalEntry.object_id == lot.id).order_by(JournalEntry.id)
    return list(await db.scalars(statement))


async def test_a_draft_is_its_buyers_alone(db: AsyncSession, buyer: Council) -> None:
    lot = await drafted_lot(db, buyer)
    other = await council(db, name="Elsewhere Council")
    assert (await lots.find_lot(db, buyer.auditor, lot.id)).id == lot.id
    for stranger in (ANYONE, other.officer, await supplier(db)):
        with pytest.raises(LotNotFound):
            await lots.find_lot(db, stranger, lot.id)
    with pytest.raises(LotNotFound):
        await lots.revise(db, other.officer, lot.id, LotPatch(title="Another title"))


async def test_lots_of_an_outcome_are_numbered_and_follow_each_other(db: AsyncSession, buyer: Council) -> None:
    outcome = await active_outcome(db, buyer)
    first = await drafted_lot(db, buyer, outcome)
    second = await drafted_lot(db, buyer, outcome, follows_id=str(first.id))
    assert (first.iteration, second.iteration, second.follows_id) == (1, 2, first.id)
    assert first.reference != second.reference


async def test_a_lot_is_drafted_only_under_an_active_outcome_of_ones_own(db: AsyncSession, buyer: Council) -> None:
    outcome = await active_outcome(db, buyer)
    other = await council(db, name="Elsewhere Council")
    draft = convert(lot_document(outcome.id, await measure_ids(db, outcome), await clock.now(db)), LotDraft)
    with pytest.raises(OutcomeNotFound):
        await lots.draft(db, other.officer, draft)


async def test_a_lot_aims_at_measures_of_its_own_outcome(db: AsyncSession, buyer: Council) -> None:
    outcome = await active_outcome(db, buyer)
    with pytest.raises(LotInvalid) as caught:
        await drafted_lot(db, buyer, outcome, measure_ids=[str(uuid4())], follows_id=str(uuid4()))
    assert [fault.pointer for fault in caught.value.faults] == ["/measure_ids/0", "/follows_id"]


async def test_publishing_opens_the_lot_commits_its_estimate_and_makes_its_key(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    outcome = await active_outcome(db, buyer)
    lot = await published_lot(db, buyer, vault, outcome)
    assert lot.status is LotStatus.PUBLISHED
    assert (lot.band, lot.published_by) == (Band.SMALL, buyer.approver.person_id)
    ledger = await outcomes.ledger(db, outcome)
    assert Decimal(ledger.committed.amount) == lot.estimate == Decimal("22000.00")
    assert lot.key_id
    assert lot.key_scheme
    assert lot.public_key
    assert lot.key_signature
    key = LotKey(lot.id, lot.key_id, lot.key_scheme, lot.public_key, lot.key_signature)
    assert signature_holds(key, vault.public_signing_key)
    assert await entries(db, lot) == ["lot.drafted", "lot.published"]
    assert (await lots.find_lot(db, ANYONE, lot.id)).id == lot.id


async def test_who_prepared_a_lot_cannot_publish_it_whatever_token_they_use(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    lot = await drafted_lot(db, buyer)
    await lots.revise(db, buyer.approver, lot.id, LotPatch(duration_days=30))
    for preparer in (buyer.officer, buyer.approver):
        with pytest.raises(SamePerson) as caught:
            await lots.publish(db, preparer, vault, lot.id)
        assert caught.value.refusal is not None
    assert (await lots.publish(db, buyer.second_approver, vault, lot.id)).status is LotStatus.PUBLISHED


async def test_a_service_client_never_publishes(db: AsyncSession, buyer: Council, vault: FileKeyring) -> None:
    lot = await drafted_lot(db, buyer)
    service = Actor(organisation_id=buyer.organisation.id, kind=buyer.organisation.kind, client_id=uuid4())
    with pytest.raises(PersonNeeded):
        await lots.publish(db, service, vault, lot.id)


async def test_a_notifiable_lot_waits_for_its_notice(db: AsyncSession, buyer: Council, vault: FileKeyring) -> None:
    outcome = await active_outcome(db, buyer, envelope={"amount": "25000.00", "currency": "GBP"})  # 30,000 with VAT
    lot = await drafted_lot(db, buyer, outcome)
    assert lot.band is Band.NOTIFIABLE
    with pytest.raises(NoticeMissing):
        await lots.publish(db, buyer.approver, vault, lot.id)


async def test_central_government_reaches_a_band_earlier(db: AsyncSession) -> None:
    ministry = await council(db, central=True, name="Department of Tests")
    outcome = await active_outcome(db, ministry, envelope={"amount": "10000.00", "currency": "GBP"})
    money = {"amount": "5000.00", "currency": "GBP"}
    lot = await drafted_lot(db, ministry, outcome, ceiling=money, further_iterations={"count": 1, "ceiling": money})
    assert lot.band is Band.NOTIFIABLE  # 12,000.00 with VAT


async def test_a_lot_that_passes_the_envelope_is_not_published(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    outcome = await active_outcome(db, buyer)
    await published_lot(db, buyer, vault, outcome)
    second = await drafted_lot(db, buyer, outcome)
    with pytest.raises(EnvelopeExceeded):
        await lots.publish(db, buyer.approver, vault, second.id)


async def test_cancelling_returns_the_commitment_and_tells_everybody_why(
    db: AsyncSession, buyer: Council, vault: FileKeyring
) -> None:
    outcome = await active_outcome(db, buyer)
    lot = await published_lot(db, buyer, vault, outcome)
    await lots.cancel(db, buyer.approver, lot.id, "The need has gone.")
    assert (lot.status, lot.end_reason) == (LotStatus.CANCELLED, "The need has gone.")
    assert Decimal((await outcomes.ledger(db, outcome)).committed.amount) == 0
    assert await entries(db, lot) == ["lot.drafted", "lot.published", "lot.cancelled"]
    with pytest.raises(LotNotCancellable):
        await lots.cancel(db, buyer.approver, lot.id, "Again.")


async def test_a_published_lot_is_not_edited(db: AsyncSession, buyer: Council, vault: FileKeyring) -> None:
    lot = await published_lot(db, buyer, vault)
    with pytest.raises(LotNotDraft):
        await lots.revise(db, buyer.officer, lot.id, LotPatch(duration_days=30))


async def test_the_status_in_sql_is_the_status_in_python(db: AsyncSession, buyer: Council, vault: FileKeyring) -> None:
    lot = await published_lot(db, buyer, vault)
    for days in (0, 6, 7, 1, 30):
        await db.execute(
            text(
                "INSERT INTO sandbox_clock VALUES (true, :by) ON CONFLICT (one_row) DO UPDATE SET ahead = sandbox_clock.ahead + :by"
            ),
            {"by": timedelta(days=days)},
        )
        in_sql = await db.scalar(select(status_now()).where(Lot.id == lot.id))
        assert in_sql == rules.status_at(lot.status, lot.closes_at, await clock.now(db)).value
    assert rules.status_at(lot.status, lot.closes_at, await clock.now(db)) is LotStatus.CLOSED


async def test_every_entry_names_actor_object_and_version(db: AsyncSession, buyer: Council) -> None:
    lot = await drafted_lot(db, buyer)
    await lots.revise(db, buyer.officer, lot.id, LotPatch(duration_days=30))
    entry = (await db.scalars(select(JournalEntry).where(JournalEntry.type == "lot.revised"))).one()
    assert (entry.person_id, entry.organisation_id) == (buyer.officer.person_id, buyer.organisation.id)
    assert (entry.object_version, entry.is_public) == (lot.version, False)
    assert entry.audience_organisations == [buyer.organisation.id]


async def test_an_amount_in_another_currency_is_refused_and_never_relabelled(db: AsyncSession, buyer: Council) -> None:
    euros = {"count": 1, "ceiling": {"amount": "1000.00", "currency": "EUR"}}
    with pytest.raises(LotInvalid) as caught:
        await drafted_lot(db, buyer, further_iterations=euros)
    assert [fault.pointer for fault in caught.value.faults] == ["/further_iterations/ceiling/currency"]
    lot = await drafted_lot(db, buyer)
    with pytest.raises(LotInvalid):
        await lots.revise(db, buyer.officer, lot.id, convert({"further_iterations": euros}, LotPatch))
