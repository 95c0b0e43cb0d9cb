"""A play's own account: what a lot commits follows its contracts."""

from decimal import Decimal

from procure.demo.book import Book, ContractAccount, LotAccount, Sums
from procure.demo.checking import differences, less


def lot() -> LotAccount:
    return LotAccount(Decimal("30.00"), 1, Decimal("10.00"))


def test_a_lot_commits_its_estimate_until_it_ends_without_a_contract() -> None:
    account = lot()
    assert account.committed == 30
    account.has_ended = True
    assert account.committed == 0


def test_a_contract_commits_its_value_and_what_may_follow_then_what_was_accepted() -> None:
    account = lot()
    first = ContractAccount(Decimal("19.00"))
    account.contracts.append(first)
    assert account.committed == 29
    first.accepted, first.has_ended = Decimal("12.00"), True
    assert account.committed == 22
    second = ContractAccount(Decimal("9.50"))
    account.contracts.append(second)
    assert account.committed == Decimal("21.50")
    account.goes_on = False
    assert account.committed == Decimal("21.50")
    account.contracts.pop()
    assert account.committed == 12


def test_sums_of_plays_add_up_and_differences_name_what_does_not_agree() -> None:
    book = Book([lot(), lot()])
    both = Sums.of([book.sums(), book.sums()])
    assert both.committed == 120
    assert less(both, book.sums()).committed == 60
    told = Sums(committed=Decimal("59.99"))
    assert differences("ocds-1", book.sums(), told) == ["ocds-1: committed is 60.00 as played, 59.99 by the service"]
    assert differences("ocds-1", book.sums(), told, but=("committed",)) == []
    assert both.told()["committed"] == "120.00"
