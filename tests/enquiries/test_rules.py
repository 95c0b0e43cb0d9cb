"""The rules of enquiries at and beyond each edge; the lot's calendar is judged by the rules of lots."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procure.enquiries import rules
from procure.enquiries.errors import (
    AskerNotSupplier,
    EnquiriesTooMany,
    EnquiryNotDrafted,
    EnquiryNotMergeable,
    EnquirySettled,
    ReplyInformsBidding,
)
from procure.enquiries.rules import EnquiryStatus as Status
from procure.kit.errors import Fact
from procure.organisations.rules import Nation


def test_only_a_supplier_asks() -> None:
    assert rules.check_asker(UUID(int=7)) == UUID(int=7)
    with pytest.raises(AskerNotSupplier):
        rules.check_asker(None)


@pytest.mark.parametrize("asked", [0, 1, rules.ENQUIRIES_MAX - 1])
def test_a_supplier_may_ask_again(asked: int) -> None:
    rules.check_number(asked)


@pytest.mark.parametrize("asked", [rules.ENQUIRIES_MAX, rules.ENQUIRIES_MAX + 1])
def test_a_supplier_asks_so_often_and_no_more(asked: int) -> None:
    with pytest.raises(EnquiriesTooMany):
        rules.check_number(asked)


def _refused(fact: type[Fact], check: Callable[..., object], *args: Any, **named: Any) -> bool:
    try:
        check(*args, **named)
    except fact:
        return True
    return False


def test_what_may_become_of_a_question() -> None:
    allowed = {
        (one, other) for one in Status for other in Status if not _refused(EnquirySettled, rules.check_next, one, other)
    }
    assert allowed == {
        (Status.UNANSWERED, Status.REPLIED),
        (Status.UNANSWERED, Status.MERGED),
        (Status.UNANSWERED, Status.PUBLISHED),
        (Status.REPLIED, Status.MERGED),
        (Status.REPLIED, Status.PUBLISHED),
    }
    editable = {one for one in Status if not _refused(EnquirySettled, rules.check_draftable, one)}
    assert editable == {Status.UNANSWERED, Status.REPLIED}


def test_nothing_is_published_unwritten_nor_told_to_one_that_informs_a_bid() -> None:
    assert _refused(EnquiryNotDrafted, rules.check_drafted, None)
    assert not _refused(EnquiryNotDrafted, rules.check_drafted, "Yes.")
    assert _refused(ReplyInformsBidding, rules.check_reply, informs_bidding=True)
    assert not _refused(ReplyInformsBidding, rules.check_reply, informs_bidding=False)


ONE, OTHER, LOT, ELSEWHERE = (UUID(int=number) for number in range(4))


@pytest.mark.parametrize(
    ("into", "lot", "status", "refused"),
    [
        (OTHER, LOT, Status.PUBLISHED, False),
        (ONE, LOT, Status.PUBLISHED, True),
        (OTHER, ELSEWHERE, Status.PUBLISHED, True),
        *[(OTHER, LOT, status, True) for status in Status if status is not Status.PUBLISHED],
    ],
)
def test_a_question_is_merged_into_a_published_one_of_its_lot(
    into: UUID, lot: UUID, status: Status, *, refused: bool
) -> None:
    assert _refused(EnquiryNotMergeable, rules.check_merge, ONE, LOT, into, lot, status) is refused


@given(st.uuids(), st.uuids(), st.uuids())
def test_each_supplier_is_counted_apart(lot: UUID, one: UUID, other: UUID) -> None:
    assert (rules.counting_key(lot, one) == rules.counting_key(lot, other)) == (one == other)


ASKED_UNTIL, CLOSES = datetime(2026, 12, 4, 12, tzinfo=UTC), datetime(2026, 12, 8, 12, tzinfo=UTC)
DAY, TICK = timedelta(days=1), timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("answered_at", "now", "late"),
    [
        (None, ASKED_UNTIL - TICK, False),
        (None, ASKED_UNTIL, True),
        (ASKED_UNTIL - TICK, CLOSES - TICK, False),
        (ASKED_UNTIL, CLOSES - TICK, True),
    ],
)
def test_an_answer_is_late_once_enquiries_have_closed(
    answered_at: datetime | None, now: datetime, *, late: bool
) -> None:
    assert rules.is_late(answered_at, ASKED_UNTIL, CLOSES, now) is late


def test_an_answer_is_late_with_less_than_a_day_left() -> None:
    for left, late in ((DAY, False), (DAY - TICK, True)):
        assert rules.is_late(CLOSES - left, CLOSES, CLOSES, CLOSES - TICK) is late


@pytest.mark.parametrize(
    ("answers", "now", "starts_on", "offered"),
    [
        ([], CLOSES, date(2026, 12, 30), None),
        # Friday noon to Friday evening is a day; the weekend counts for none.
        ([ASKED_UNTIL + timedelta(hours=6)], CLOSES, date(2026, 12, 30), CLOSES + DAY),
        ([ASKED_UNTIL + 2 * DAY], CLOSES, date(2026, 12, 30), CLOSES + DAY),
        ([ASKED_UNTIL + 4 * DAY], CLOSES, date(2026, 12, 30), CLOSES + 2 * DAY),
        ([None], ASKED_UNTIL + 3 * DAY, date(2026, 12, 30), CLOSES + DAY),
        ([None, ASKED_UNTIL], ASKED_UNTIL + 4 * DAY, date(2026, 12, 30), CLOSES + 2 * DAY),
        ([ASKED_UNTIL], CLOSES, date(2026, 12, 10), CLOSES + DAY),
        ([ASKED_UNTIL], CLOSES, date(2026, 12, 9), None),
    ],
)
def test_the_offer_is_as_many_working_days_as_answers_were_late(
    answers: list[datetime | None], now: datetime, starts_on: date, offered: datetime | None
) -> None:
    late = [rules.Late(UUID(int=number), at) for number, at in enumerate(answers)]
    found = rules.offered_close(
        late,
        enquiries_close_at=ASKED_UNTIL,
        closes_at=CLOSES,
        starts_on=starts_on,
        nation=Nation.ENGLAND,
        now=now,
    )
    assert found == offered


def test_the_offer_is_at_the_same_time_of_the_day_when_the_clocks_change() -> None:
    found = rules.offered_close(
        [rules.Late(UUID(int=1), None)],
        enquiries_close_at=datetime(2026, 10, 22, 11, tzinfo=UTC),
        closes_at=datetime(2026, 10, 23, 11, tzinfo=UTC),
        starts_on=date(2026, 12, 1),
        nation=Nation.ENGLAND,
        now=datetime(2026, 10, 22, 11, tzinfo=UTC),
    )
    assert found == datetime(2026, 10, 26, 12, tzinfo=UTC)
