"""The rules of enquiries at and beyond each edge; the lot's calendar is judged by the rules of lots."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procure.enquiries import rules
from procure.enquiries.errors import AskerNotSupplier, EnquiriesTooMany, EnquiryHasAnswer


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


def test_an_answer_is_given_once() -> None:
    rules.check_unanswered(None)
    with pytest.raises(EnquiryHasAnswer):
        rules.check_unanswered(datetime(2026, 12, 1, tzinfo=UTC))


@given(st.uuids(), st.uuids(), st.uuids())
def test_each_supplier_is_counted_apart(lot: UUID, one: UUID, other: UUID) -> None:
    assert (rules.counting_key(lot, one) == rules.counting_key(lot, other)) == (one == other)
