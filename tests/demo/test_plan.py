"""A notice becomes the same play every time: its value to the penny in lots that the policy takes."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from demo.strange import mutated
from procure.demo import plan as plans
from procure.demo import writing
from procure.demo.notices import Notice, read_file, sort_out
from procure.demo.parties import Party
from procure.demo.plan import ENDS, Dare, End, Plan, Size, choose, pieces, plan_of, size_of, split
from procure.demo.timetable import LONGEST, Timetable
from procure.demo.values import VALUE_MAX
from procure.kit.body import convert
from procure.lots import content
from procure.lots import rules as lot_rules
from procure.lots.content import Offer
from procure.lots.schemas import LotDraft
from procure.organisations.rules import Nation, canonical_identifier
from procure.organisations.schemas import OrganisationDraft
from procure.outcomes.schemas import OutcomeDraft
from procure.policy.rules import Band, Ceremony, Limits, Policy

NOW = datetime(2026, 11, 24, 20, tzinfo=UTC)
ID = "0199c0de-0000-7000-8000-000000000010"
VALUES = st.decimals(Decimal("1.00"), VALUE_MAX, places=2)
SMALL = Ceremony(window_working_days=5)
COVERED = Ceremony(window_days=25, notice_required=True, openers=2, standstill_working_days=8)


@cache
def playable() -> tuple[Notice, ...]:
    return read_file(None).playable


@cache
def all_plans() -> list[Plan]:
    return [plan_of(notice, number) for number, notice in enumerate(choose(playable(), 500))]


@given(VALUES)
def test_time_boxes_sum_to_the_value_and_none_is_above_the_ceiling(value: Decimal) -> None:
    boxes = split(value)
    assert sum(boxes) == value
    assert len(boxes) >= 3
    assert max(boxes) <= Limits().ceiling_max
    assert min(boxes) > 0
    assert len(set(boxes[1:])) == 1


@given(st.decimals(Decimal("0.33"), Limits().ceiling_max, places=2), st.sampled_from([28, 56, 84]))
def test_deliverables_sum_to_their_time_box(amount: Decimal, days: int) -> None:
    found = pieces(amount, days)
    assert sum(piece.amount for piece in found) == amount
    assert all(piece.amount > 0 for piece in found)
    assert [piece.due_after_days for piece in found][-1] == days


@given(VALUES, st.integers(0, 200))
def test_lots_spend_the_envelope_to_the_penny_inside_the_policys_caps(value: Decimal, number: int) -> None:
    plan = plan_of(replace(playable()[0], value=value), number)
    assert sum(lot.estimate for lot in plan.lots) == plan.envelope == value
    for lot in plan.lots:
        assert lot.further_iterations <= Limits().further_iterations_max
        assert lot.duration_days <= Limits().duration_days_max
        assert all(0 < sum(bid.prices(lot.pieces)) <= lot.ceiling for bid in lot.bids)


def test_the_same_notice_is_played_the_same_way_again() -> None:
    assert all_plans() == [plan_of(notice, number) for number, notice in enumerate(choose(playable(), 500))]


def test_all_ends_sizes_and_dares_occur_in_twenty() -> None:
    twenty = [plan_of(notice, number) for number, notice in enumerate(choose(playable(), 20))]
    sizes = Counter(size_of(plan.notice) for plan in twenty)
    assert {plan.end for plan in twenty} == set(End)
    assert sizes[Size.SMALL] > 10
    assert set(sizes) == set(Size)
    assert frozenset().union(*(plan.dares for plan in twenty)) == set(Dare)


def test_ends_and_sizes_meet_in_every_combination() -> None:
    assert len({(number % len(ENDS), number % len(plans.TURNS)) for number in range(55)}) == 55


def test_a_choice_takes_each_notice_once_and_never_more_than_there_are() -> None:
    for count in (0, 1, 20, 121, 500):
        chosen = choose(playable(), count)
        assert len({notice.place for notice in chosen}) == len(chosen) == min(count, len(playable()))
    assert choose([], 20) == []


@pytest.mark.parametrize("ceremony", [SMALL, LONGEST, COVERED])
@pytest.mark.parametrize("days", range(0, 400, 13))
def test_a_timetable_holds_the_window_also_when_it_is_published_the_next_day(ceremony: Ceremony, days: int) -> None:
    now = NOW + timedelta(days=days)
    when = Timetable.of(now, ceremony, Nation.SCOTLAND)
    policy = Policy(
        band=Band.COVERED,
        estimate_gross=Decimal(1),
        vat_rate=Decimal(20),
        nation=Nation.SCOTLAND,
        terms_version="1",
        limits=Limits(),
        ceremony=ceremony,
    )
    for published_at in (now, now + timedelta(days=1)):
        lot_rules.check_publishable(
            policy,
            closes_at=when.closes_at,
            enquiries_close_at=when.enquiries_close_at,
            notice_at=published_at,
            now=published_at,
        )
    assert policy.standstill_end(when.closes_at).date() < when.starts_on


def offer_of(draft: LotDraft) -> Offer:
    assert draft.starts_on
    assert draft.duration_days
    assert draft.further_iterations
    assert draft.criteria
    assert draft.enquiries_close_at
    assert draft.closes_at
    return Offer(
        title=draft.title,
        brief=draft.brief,
        starts_on=draft.starts_on,
        duration_days=draft.duration_days,
        ceiling=draft.ceiling.value,
        currency=draft.ceiling.currency,
        further_iterations=draft.further_iterations.count,
        further_ceiling=draft.further_iterations.ceiling.value,
        deliverables=[(one.title, one.due_on, one.acceptance_criteria) for one in draft.deliverables if one.due_on],
        criteria=[(one.name, one.kind, one.weight) for one in draft.criteria],
        enquiries_close_at=draft.enquiries_close_at,
        closes_at=draft.closes_at,
        validity_days=draft.validity_days or 60,
    )


def test_every_document_of_every_notice_is_one_that_the_service_takes() -> None:
    team = [(ID, "service design"), (ID, "engineering")]
    for plan in all_plans():
        outcome = convert(writing.outcome(plan, team, NOW.date()), OutcomeDraft)
        assert plan.notice.ocid in outcome.statement
        assert "made up" in outcome.statement
        assert outcome.envelope.value == plan.envelope
        for lot in plan.lots:
            when = Timetable.of(NOW, COVERED, plan.notice.buyer.nation)
            draft = convert(writing.lot(plan, lot, ID, [ID], when), LotDraft)
            content.check_content(offer_of(draft), Limits())
            assert draft.outcome_id == UUID(ID)
            assert plan.notice.ocid in draft.brief


def registration_of(party: Party) -> dict[str, object]:
    return {
        "kind": "supplier",
        "name": party.name,
        "identifier": {"scheme": party.scheme, "id": party.identifier},
        "nation": party.nation.value,
    }


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(mutated(), st.integers(0, 10))
def test_a_mutated_notice_that_can_be_played_makes_documents_that_the_service_takes(
    release: object, number: int
) -> None:
    for notice in sort_out([release]).playable:
        plan = plan_of(notice, number)
        convert(writing.outcome(plan, [(ID, "a"), (ID, "b")], NOW.date()), OutcomeDraft)
        when = Timetable.of(NOW, COVERED, notice.buyer.nation)
        draft = convert(writing.lot(plan, plan.lots[0], ID, [ID], when), LotDraft)
        content.check_content(offer_of(draft), Limits())
        for party in (notice.buyer, *notice.suppliers):
            registered = convert(registration_of(party), OrganisationDraft)
            assert canonical_identifier(party.scheme, registered.identifier.id) == party.identifier


def test_who_supplied_for_real_bids_and_another_one_is_ahead_in_each_lot() -> None:
    several = next(plan for plan in all_plans() if len(plan.notice.suppliers) > 1 and plan.end is End.COMPLETED)
    assert several.lots[0].bids[0].bidder == several.notice.suppliers[0]
    assert several.lots[1].bids[0].bidder == several.notice.suppliers[1]
    for plan in all_plans():
        for lot in plan.lots:
            assert len({bid.bidder.key for bid in lot.bids}) == len(lot.bids)
            assert 2 <= len(lot.bids) <= plans.BIDS_MAX or plan.end is End.NO_BIDS


def test_where_nothing_is_awarded_every_bid_is_below_the_minimum() -> None:
    for plan in all_plans():
        scores = [bid.score for lot in plan.lots for bid in lot.bids]
        assert all(score < plans.SCORE_MIN for score in scores) == (plan.end in (End.UNAWARDED, End.NO_BIDS))


def test_a_statement_names_the_licence_and_no_more_than_fits() -> None:
    notice = replace(playable()[0], description="word " * 5000, url=None)
    document = writing.outcome(plan_of(notice, 0), [(ID, "a"), (ID, "b")], date(2026, 1, 1))
    assert len(document["statement"]) <= 4000
    assert "Open Government Licence v3.0" in document["statement"]
