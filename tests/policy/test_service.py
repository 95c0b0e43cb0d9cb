"""The shipped rows, on either side of the day on which thresholds change."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncSession

from build import council
from procure.kit import clock
from procure.kit.body import convert
from procure.policy.errors import NoPolicyInForce
from procure.policy.rules import Band
from procure.policy.schemas import PolicyVersionDraft
from procure.policy.service import policy_for, record_version, terms_text, vat_rate
from procure.policy.working_days import local_day

IN_2025 = datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC)
IN_2026 = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("net", "central", "when", "band"),
    [
        ("24999.99", False, IN_2026, Band.SMALL),
        ("25000.00", False, IN_2026, Band.NOTIFIABLE),
        ("173099.99", False, IN_2026, Band.NOTIFIABLE),
        ("173100.00", False, IN_2026, Band.COVERED),  # 207,720.00 with VAT
        ("173100.00", False, IN_2025, Band.NOTIFIABLE),
        ("179086.67", False, IN_2025, Band.COVERED),  # 214,904.00 with VAT
        ("112515.00", True, IN_2026, Band.COVERED),  # 135,018.00 with VAT
        ("112515.00", True, IN_2025, Band.NOTIFIABLE),
        ("10000.00", True, IN_2026, Band.NOTIFIABLE),
        ("9999.99", True, IN_2026, Band.SMALL),
    ],
)
async def test_the_band_follows_from_value_with_vat_buyer_and_day(
    db: AsyncSession, net: str, central: bool, when: datetime, band: Band
) -> None:
    buyer = await council(db, central=central)
    policy = await policy_for(db, buyer.organisation.id, Decimal(net), when)
    assert (policy.band, policy.vat_rate) == (band, Decimal(20))


@pytest.mark.parametrize(
    ("band_net", "openers", "notice", "standstill"),
    [("1000.00", 0, False, 0), ("30000.00", 0, True, 0), ("200000.00", 2, True, 8)],
)
async def test_ceremony_grows_with_the_money_at_stake(
    db: AsyncSession, band_net: str, openers: int, notice: bool, standstill: int
) -> None:
    buyer = await council(db)
    ceremony = (await policy_for(db, buyer.organisation.id, Decimal(band_net), IN_2026)).ceremony
    shown = (ceremony.openers, ceremony.notice_required, ceremony.standstill_working_days)
    assert shown == (openers, notice, standstill)


async def test_a_buyers_own_limits_go_before_the_platforms_from_their_day_on(db: AsyncSession) -> None:
    buyer, other = await council(db), await council(db, name="Elsewhere Council")
    tomorrow = await clock.now(db) + timedelta(days=1)
    own = {"limits": {"duration_days_max": 42}, "valid_from": str(local_day(tomorrow))}
    draft = {"source": {"citation": "Cabinet"}, "reason": "Six weeks are enough.", **own}
    await record_version(db, buyer.approver, convert(draft, PolicyVersionDraft))

    async def longest(organisation_id: UUID, when: datetime) -> int:
        return (await policy_for(db, organisation_id, Decimal(1000), when)).limits.duration_days_max

    assert await longest(buyer.organisation.id, tomorrow) == 42
    assert await longest(buyer.organisation.id, tomorrow - timedelta(days=1)) == 84
    assert await longest(other.organisation.id, tomorrow) == 84


async def test_before_the_first_row_there_is_no_policy(db: AsyncSession) -> None:
    buyer = await council(db)
    with pytest.raises(NoPolicyInForce):
        await policy_for(db, buyer.organisation.id, Decimal(1000), datetime(2024, 1, 1, tzinfo=UTC))
    with pytest.raises(NoPolicyInForce):
        await policy_for(db, uuid4(), Decimal(1000), IN_2026)


async def test_vat_and_terms_are_dated_rows(db: AsyncSession) -> None:
    assert await vat_rate(db, date(2026, 1, 1)) == Decimal("20.00")
    with pytest.raises(NoPolicyInForce):
        await vat_rate(db, date(2010, 1, 1))
    assert "Silence accepts nothing" in await terms_text(db, "short-form-1")


async def test_the_service_cannot_edit_a_rule(db: AsyncSession) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        await db.execute(text("UPDATE policy_bands SET threshold = 1"))
