"""What the public sees: lists without a token, and one page."""

import re
from base64 import b64encode
from decimal import Decimal
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from build import Council, active_outcome, council, drafted_lot, outcome_document, published_lot, supplier
from calls import Call, ok, problem
from finance.house import Signed, payable_contract, today
from procure.awards.models import Award
from procure.awards.rules import AwardStatus
from procure.contracts.rules import ContractStatus, NextStep
from procure.kit import clock
from procure.kit.body import convert
from procure.outcomes import service as outcomes
from procure.outcomes.models import Outcome
from procure.outcomes.rules import LedgerKind
from procure.outcomes.schemas import ObservationDraft, OutcomeDraft
from procure.vault.keyring import FileKeyring

LISTS = ("outcomes", "lots", "awards", "contracts")


@pytest.fixture
async def buyer(db: AsyncSession) -> Council:
    return await council(db)


@pytest.fixture
async def signed(db: AsyncSession, buyer: Council, vault: FileKeyring) -> Signed:
    """A contract under way, its outcome observed and spent on."""
    signed = await payable_contract(db, buyer, await supplier(db), vault, planned=["2000.00"])
    await observe(db, buyer, signed.outcome, "10.5")
    for kind, amount in ((LedgerKind.ACCEPTED, "10000.00"), (LedgerKind.PAID, "5900.00")):
        await outcomes.add_spend(db, signed.outcome.id, signed.lot.id, kind, Decimal(amount), "test")
    await db.commit()
    return signed


async def observe(db: AsyncSession, buyer: Council, outcome: Outcome, value: str) -> None:
    measure = (await outcomes.view(db, buyer.officer, outcome)).measures[0]
    seen = ObservationDraft(value=value, observed_on=await today(db), source="Case system")
    await outcomes.observe(db, buyer.officer, outcome.id, measure.id, seen)


async def test_outcomes_show_their_progress_and_spend_as_their_own_view_does(call: Call, signed: Signed) -> None:
    (entry,) = ok(await call.get(None, "/v1/register/outcomes"))["items"]
    view = ok(await call.get(None, f"/v1/outcomes/{signed.outcome.id}"))
    assert entry == {name: view[name] for name in entry}
    assert entry["measures"][0]["progress"] == "0.5000"
    sums = {name: money["amount"] for name, money in entry["ledger"].items()}
    assert sums == {"committed": "22000.00", "accepted": "10000.00", "paid": "5900.00", "uncommitted": "2000.00"}


async def test_contracts_show_deliverables_without_their_prices_and_what_was_learned(
    db: AsyncSession, call: Call, signed: Signed
) -> None:
    contract = signed.contract
    contract.move_to(ContractStatus.COMPLETED)
    contract.ended_at, contract.next_step = await clock.now(db), NextStep.CONTINUE
    contract.learned_by_buyer, contract.learned_by_supplier = "Most waiting is post.", "Sit with the officers."
    await db.commit()
    (entry,) = ok(await call.get(None, "/v1/register/contracts"))["items"]
    assert [(one["key"], one["status"]) for one in entry["deliverables"]] == [
        ("D1", "accepted"),
        ("D2", "accepted"),
        ("D3", "planned"),
    ]
    assert set(entry["deliverables"][0]) == {"key", "title", "due_on", "status", "accepted_at"}
    assert (entry["status"], entry["next_step"]) == ("completed", "continue")
    assert (entry["learned_by_buyer"], entry["learned_by_supplier"]) == (
        "Most waiting is post.",
        "Sit with the officers.",
    )
    assert entry["value"] == {"amount": "12000.00", "currency": "GBP"}


async def test_nothing_unpublished_is_in_the_register_even_for_its_own_buyer(
    db: AsyncSession, call: Call, buyer: Council, vault: FileKeyring
) -> None:
    await outcomes.draft(db, buyer.officer, convert(outcome_document(buyer), OutcomeDraft))
    signed = await payable_contract(db, buyer, await supplier(db), vault)
    await drafted_lot(db, buyer, signed.outcome)
    signed.contract.status, signed.contract.signed_at = ContractStatus.PENDING, None
    award = await db.get_one(Award, signed.contract.award_id)
    award.status = AwardStatus.RECOMMENDED
    await db.commit()
    shown = {"outcomes": 1, "lots": 1, "awards": 0, "contracts": 0}
    for name, count in shown.items():
        for actor in (None, buyer.officer, buyer.auditor):
            items = ok(await call.get(actor, f"/v1/register/{name}"))["items"]
            assert len(items) == count, name


async def test_the_register_is_filtered_and_paged(
    db: AsyncSession, call: Call, buyer: Council, signed: Signed, vault: FileKeyring
) -> None:
    elsewhere = await council(db, name="Elsewhere Council")
    other = await payable_contract(db, elsewhere, await supplier(db), vault)
    await db.commit()
    buyer_id, supplier_id = buyer.organisation.id, signed.supplier.organisation_id
    cases = {
        f"outcomes?buyer_id={buyer_id}": 1,
        "outcomes?status=active": 2,
        "outcomes?status=achieved": 0,
        f"lots?buyer_id={buyer_id}": 1,
        f"lots?outcome_id={other.outcome.id}": 1,
        "lots?status=contracted": 2,
        "lots?status=published": 0,
        f"awards?buyer_id={buyer_id}": 1,
        f"awards?supplier_id={supplier_id}&status=approved": 1,
        "awards?status=withdrawn": 0,
        f"contracts?buyer_id={buyer_id}&supplier_id={supplier_id}": 1,
        f"contracts?outcome_id={uuid4()}": 0,
        "contracts?status=active": 2,
        "contracts?status=completed": 0,
    }
    for query, count in cases.items():
        assert len(ok(await call.get(None, f"/v1/register/{query}"))["items"]) == count, query
    for name in LISTS:
        whole = ok(await call.get(None, f"/v1/register/{name}"))["items"]
        page = ok(await call.get(None, f"/v1/register/{name}?limit=1"))
        assert page["next"].startswith(f"/v1/register/{name}?limit=1&cursor=")
        rest = ok(await call.get(None, page["next"]))
        assert page["items"] + rest["items"] == whole
        assert rest["next"] is None
        problem(await call.get(None, f"/v1/register/{name}?colour=red"), 400, "parameters-invalid")


async def test_what_is_public_may_be_kept_for_a_minute(call: Call, signed: Signed) -> None:
    for path in (*(f"/v1/register/{name}" for name in LISTS), "/register"):
        reply = await call.get(None, path)
        assert reply.status_code == 200
        assert reply.headers["cache-control"] == "max-age=60, public"
    assert (await call.get(None, "/v1/register/lots?limit=0")).headers["cache-control"] == "no-store"


async def test_a_page_of_outcomes_takes_the_same_statements_however_many_it_shows(
    db: AsyncSession, connection: AsyncConnection, call: Call, buyer: Council
) -> None:
    async def statements() -> int:
        seen: list[str] = []

        def count(*arguments: Any) -> None:
            seen.append(arguments[2])

        event.listen(connection.sync_connection, "before_cursor_execute", count)
        ok(await call.get(None, "/v1/register/outcomes"))
        event.remove(connection.sync_connection, "before_cursor_execute", count)
        return len([statement for statement in seen if "SAVEPOINT" not in statement])

    await active_outcome(db, buyer)
    await db.commit()
    of_one = await statements()
    for _ in range(4):
        await active_outcome(db, buyer)
    await db.commit()
    assert await statements() == of_one == 4


class Page(HTMLParser):
    """The page's elements, and that each is closed in turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += f"{data}\n"


async def test_the_page_says_what_is_going_on(
    db: AsyncSession, call: Call, buyer: Council, signed: Signed, vault: FileKeyring
) -> None:
    elsewhere = await council(db, name="Elsewhere Council")
    lot = await published_lot(db, elsewhere, vault, title="Find out why letters wait")
    await db.commit()
    reply = await call.get(None, "/register")
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    page = Page(reply.text)
    for said in (
        "Housing-benefit changes decided in two days",
        "50 %",
        "10.5 days on",
        "£24,000.00",
        "£10,000.00",
        "£5,900.00",
        "Find out why letters wait",
        "Elsewhere Council",
        signed.contract.reference,
        "£12,000.00",
    ):
        assert said in page.text, said
    times = [attributes["datetime"] for tag, attributes in page.tags if tag == "time"]
    assert lot.closes_at.isoformat() in times
    bars = [attributes for tag, attributes in page.tags if tag == "progress"]
    assert [bar["value"] for bar in bars] == ["0.5000"]


async def test_everything_that_people_wrote_is_escaped_on_the_page(
    db: AsyncSession, call: Call, buyer: Council, vault: FileKeyring
) -> None:
    evil = """<script>alert("1")</script>' onload='x' &amp;"""
    outcome = await active_outcome(db, buyer, title=evil)
    await published_lot(db, buyer, vault, outcome, title=evil)
    signed = await payable_contract(db, await council(db, name=evil), await supplier(db), vault, title=evil)
    signed.contract.learned_by_buyer = signed.contract.supplier_name = evil
    await db.commit()
    reply = await call.get(None, "/register")
    page = Page(reply.text)
    assert "<script" not in reply.text
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "img", "link", "iframe", "form"})
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert page.text.count(evil) >= 6


async def test_the_page_needs_nothing_from_elsewhere_and_allows_nothing_else(call: Call, signed: Signed) -> None:
    reply = await call.get(None, "/register")
    page = Page(reply.text)
    addresses = [attributes["href"] for _, attributes in page.tags if "href" in attributes]
    assert addresses
    assert all(address and address.startswith("/v1/") for address in addresses)
    for address in addresses:
        assert (await call.get(None, str(address))).status_code == 200, address
    style = re.search(r"<style>(.*?)</style>", reply.text, re.DOTALL)
    assert style
    digest = b64encode(sha256(style.group(1).encode()).digest()).decode()
    policy = reply.headers["content-security-policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")


async def test_progress_that_a_bar_cannot_show_is_said(db: AsyncSession, call: Call, buyer: Council) -> None:
    await active_outcome(db, buyer)
    worse = await active_outcome(db, buyer)
    await observe(db, buyer, worse, "25")
    await db.commit()
    page = Page((await call.get(None, "/register")).text)
    assert "not observed yet" in page.text
    assert "worse than before" in page.text


async def test_an_empty_register_is_a_page_too(call: Call) -> None:
    page = Page((await call.get(None, "/register")).text)
    assert page.text.count("None yet.") == 4
