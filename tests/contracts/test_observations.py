"""An observation is put down to the contract, or the deliverable, that it is recorded against."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from build import active_contract, active_outcome, bidder, completed_contract, council, measure_ids, pending_contract
from calls import Call, ok, problem
from procure.kit import clock
from procure.outcomes.models import Outcome
from procure.vault.keyring import FileKeyring


async def test_what_was_seen_is_put_down_to_a_deliverable_of_the_contract(
    db: AsyncSession, call: Call, vault: FileKeyring
) -> None:
    buyer, other = await council(db), await council(db, name="Elsewhere Council")
    contract = await active_contract(db, buyer, vault, totals=("11050.00",), quality=(4,))
    (measure_id,) = await measure_ids(db, await db.get_one(Outcome, contract.outcome_id))
    (foreign,) = await measure_ids(db, await active_outcome(db, other))
    today = str((await clock.now(db)).date())
    winner = await bidder(db, contract.supplier_id)
    await db.commit()
    path = f"/v1/contracts/{contract.id}/observations"
    body: dict[str, Any] = {
        "measure_id": str(measure_id),
        "deliverable": "D1",
        "value": "11",
        "observed_on": today,
        "source": "Case system",
        "links": ["https://data.council.example/1"],
    }
    seen = ok(await call.post(buyer.service_owner, path, body), 201)
    assert (seen["contract_id"], seen["deliverable"], seen["links"]) == (str(contract.id), "D1", body["links"])
    whole = ok(await call.post(buyer.officer, path, body | {"deliverable": None, "supersedes_id": seen["id"]}), 201)
    assert (whole["contract_id"], whole["deliverable"]) == (str(contract.id), None)
    shown = ok(await call.get(None, f"/v1/outcomes/{contract.outcome_id}/observations"))["items"]
    assert shown == [whole, seen]
    problem(await call.post(other.officer, path, body), 404, "contract-not-found")
    problem(await call.post(winner, path, body), 403, "scope-missing")
    problem(await call.post(buyer.officer, path, body | {"measure_id": str(foreign)}), 404, "measure-not-found")
    unknown = problem(await call.post(buyer.officer, path, body | {"deliverable": "D9"}), 422, "observation-invalid")
    assert [fault["pointer"] for fault in unknown["errors"]] == ["/deliverable"]
    bad = problem(
        await call.post(buyer.officer, path, body | {"links": ["ftp://x"], "deliverable": "one"}), 422, "body-invalid"
    )
    assert {fault["pointer"] for fault in bad["errors"]} == {"/deliverable", "/links/0"}


async def test_a_contract_that_ended_is_observed_and_one_that_was_never_signed_is_not(
    db: AsyncSession, call: Call, vault: FileKeyring
) -> None:
    buyer = await council(db)
    ended = await completed_contract(db, buyer, await active_contract(db, buyer, vault))
    pending = await pending_contract(db, buyer, vault)
    today = str((await clock.now(db)).date())
    expected = {ended: 201, pending: 409}
    for contract, status in expected.items():
        (measure_id,) = await measure_ids(db, await db.get_one(Outcome, contract.outcome_id))
        await db.commit()
        body = {"measure_id": str(measure_id), "value": "11", "observed_on": today, "source": "Case system"}
        reply = await call.post(buyer.officer, f"/v1/contracts/{contract.id}/observations", body)
        assert reply.status_code == status, reply.text
