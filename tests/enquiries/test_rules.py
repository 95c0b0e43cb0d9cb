"""The rules of enquiries at and beyond each edge; the lot's calendar is judged by the rules of lots."""

from collections.abc import Callable
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
