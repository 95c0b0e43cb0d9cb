"""Facts: what stops a request, and with which status."""

import pytest

from procure.kit.errors import (
    FAULTS_MAX,
    Conflict,
    Fact,
    Fault,
    Faults,
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    Unauthenticated,
    Unavailable,
)


class TooLong(Invalid):
    """The text is too long."""

    slug, title = "too-long", "Text is too long"


@pytest.mark.parametrize(
    ("family", "status"),
    [
        (Malformed, 400),
        (Unauthenticated, 401),
        (Forbidden, 403),
        (NotFound, 404),
        (Conflict, 409),
        (Invalid, 422),
        (Unavailable, 503),
    ],
)
def test_a_family_is_a_status_and_what_is_derived_from_it_has_it_too(family: type[Fact], status: int) -> None:
    derived = type("Derived", (family,), {"slug": "derived", "title": "Derived"})
    assert (family.status, derived("x").status) == (status, status)


def test_a_fact_without_words_of_its_own_says_its_title() -> None:
    assert (TooLong().detail, str(TooLong())) == ("Text is too long.", "Text is too long")
    assert (TooLong("Say less.").detail, str(TooLong("Say less."))) == ("Say less.", "Say less.")


def test_faults_are_raised_together_in_the_order_found() -> None:
    faults = Faults()
    faults.unless(True, "/fine", "fine", "Never told.")
    faults.unless(False, "/a", "first", "A is wrong.")
    faults.add("/b", "second", "B is wrong.")
    with pytest.raises(TooLong) as caught:
        faults.raise_any(TooLong)
    assert caught.value.faults == (Fault("/a", "first", "A is wrong."), Fault("/b", "second", "B is wrong."))
    assert caught.value.detail == "A is wrong. B is wrong."


def test_of_many_faults_as_many_are_told_as_a_problem_holds() -> None:
    faults = Faults()
    for number in range(FAULTS_MAX + 1):
        faults.add(f"/{number}", "wrong", f"{number} is wrong.")
    with pytest.raises(TooLong) as caught:
        faults.raise_any(TooLong)
    assert [fault.pointer for fault in caught.value.faults] == [f"/{number}" for number in range(FAULTS_MAX)]
    assert caught.value.detail.endswith(f"{FAULTS_MAX - 1} is wrong.")


def test_no_fault_raises_nothing() -> None:
    Faults().raise_any(TooLong)


def test_a_fact_carries_the_entry_of_a_guarded_refusal() -> None:
    entry = object()
    fact = TooLong("Say less.")
    assert fact.refusal is None
    assert fact.recorded(entry) is fact
    assert fact.refusal is entry
