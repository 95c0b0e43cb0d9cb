"""What is said of each act is what happens: for every resource, state and person, the act itself is tried and taken back."""

from collections import Counter
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from litestar import Litestar
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

import tagged
from build import council, published_lot, supplier
from calls import Call, ok, problem
from insights.scenes import BODIES, STORIES, Scene, Sent, scene
from procure.document import conditions
from procure.identity.models import Credential
from procure.identity.rules import CredentialKind
from procure.insights.actions.rules import Act, because
from procure.kit.actor import ANYONE, Actor, PersonNeeded, SamePerson
from procure.kit.errors import Fact
from procure.kit.http import places
from procure.kit.scopes import Scope
from procure.outcomes.errors import OutcomeNotFound
from procure.outcomes.models import Measure
from procure.vault.keyring import FileKeyring


@pytest.mark.parametrize("story", STORIES)
async def test_what_is_said_is_what_happens(
    story: str, db: AsyncSession, connection: AsyncConnection, call: Call, vault: FileKeyring
) -> None:
    at = await scene(db, connection, vault)
    said: Counter[bool] = Counter()
    seen: set[tuple[str, str, str]] = set()
    async for state in STORIES[story](at):
        await db.commit()
        waiting = {name: await tasks(call, actor) for name, actor in at.people.items()}
        for resource in at.resources:
            for name, actor in {**at.people, "nobody": None}.items():
                told_of = await actions(call, actor, resource)
                compare(f"{state}: {name}", resource, told_of, waiting.get(name, {}))
                for action in told_of:
                    said[action["allowed"]] += 1
                    # Who lacks a right lacks it like everybody else, and whoever is refused twice for the same reason is asked once.
                    who = "" if action["because"] in (["scope-missing"], ["unauthenticated"]) else name
                    if (once := (who, action["operation"], str(action["because"]))) in seen:
                        continue
                    seen |= set() if action["allowed"] else {once}
                    if action["allowed"] and (held := ("", action["operation"], "held")) not in seen:
                        seen.add(held)
                        await held_to_what_was_seen(at, call, actor, resource, action)
                    reply = await tried(at, call, actor, resource, action)
                    told = f"{state}: {name}: {action}: {reply.text}"
                    assert reply.is_success if action["allowed"] else slug_of(reply) in action["because"], told
    assert said[True]
    assert said[False]


async def held_to_what_was_seen(
    at: Scene, call: Call, actor: Actor | None, resource: str, action: dict[str, Any]
) -> None:
    """What could be done is not, on a tag of something else; and where nothing is there to have been seen, no tag is taken."""
    use = conditions.uses(call.app)[action["operation"]]
    stale = await tried(at, call, actor, resource, action, seen='"of-something-else"')
    if use.resource is None:
        problem(stale, 400, "condition-unexpected")
        return
    problem(stale, 412, "changed-since-read")
    problem(
        await tried(at, call, actor, resource, action, seen='W/"of-something-else", "and-another"'),
        412,
        "changed-since-read",
    )
    if use.is_required:
        for seen in (None, "*"):
            problem(await tried(at, call, actor, resource, action, seen=seen), 428, "if-match-missing")
    else:
        assert (await tried(at, call, actor, resource, action, seen="*")).is_success


async def tasks(call: Call, actor: Actor) -> dict[tuple[str, str, str | None], str | None]:
    """Everything that waits for this caller, in order, with its due time."""
    path, found = "/v1/tasks?limit=3", []
    while path:
        page = ok(await call.get(actor, path))
        found += page["items"]
        path = page["next"]
    dates = [one["due_at"] or "9999" for one in found]
    assert dates == sorted(dates)
    assert len({one["id"] for one in found}) == len(found)
    return {(one["operation"], one["path"], one["about"]): one["due_at"] for one in found}


#: What a task may still wait for: a date, money, or what its own performer has yet to prepare.
LATER = {
    "bid-lapsed",
    "consensus-incomplete",
    "envelope-exceeded",
    "lot-invalid",
    "scores-incomplete",
    "standstill-running",
    "window-too-short",
}
#: Acts that always wait when they are allowed; the others may also be taken again, or at any time.
NEXT = {
    "activateOutcome",
    "approveAward",
    "approveProposal",
    "completeContract",
    "concludeEvaluation",
    "decideDeliverable",
    "draftNextLot",
    "drawUpContract",
    "lockScores",
    "openLot",
    "publishEnquiry",
    "publishLot",
    "recommendAward",
    "recordPayment",
    "sendInvoice",
    "signContract",
    "submitDeliverable",
}


def compare(
    told: str, resource: str, actions_: list[dict[str, Any]], waiting: dict[tuple[str, str, str | None], str | None]
) -> None:
    """What waits is an act that nothing but the calendar or its own content holds up; and what has to be done next waits."""
    by_name = {one["operation"]: one for one in actions_}
    by_place = {(one["operation"], one["about"]): one for one in actions_}
    for operation, path, about in waiting:
        if path == resource:
            act = by_place.get((operation, about)) or by_name[operation]
            assert act["allowed"] or set(act["because"]) <= LATER, f"{told}: {act} waits"
    for act in actions_:
        if act["allowed"] and act["operation"] in NEXT:
            assert (act["operation"], resource, act["about"]) in waiting, f"{told}: {act} does not wait"


async def actions(call: Call, actor: Actor | None, resource: str) -> list[dict[str, Any]]:
    """What is said to this caller; nothing of what is not theirs to see."""
    reply = await call.get(actor, f"{resource}/actions")
    if reply.status_code in (401, 403, 404):
        assert (await call.get(actor, resource)).status_code in (reply.status_code, 405, 404)
        return []
    assert "etag" not in reply.headers
    items: list[dict[str, Any]] = ok(reply)["items"]
    return items


async def tried(at: Scene, call: Call, actor: Actor | None, resource: str, action: dict[str, Any], **more: Any) -> Any:
    """The reply to the act, which is undone at once."""
    sent = Sent(at, UUID(resource.rpartition("/")[2]), action["about"])
    body = await BODIES[action["operation"]](sent) if action["operation"] in BODIES else None
    path = await path_of(at, sent, action)
    await at.db.commit()
    point = await at.connection.begin_nested()
    tagged.forget()
    try:
        return await call(action["method"], actor, path, body, **more)
    finally:
        tagged.forget()
        await point.rollback()


async def path_of(at: Scene, sent: Sent, action: dict[str, Any]) -> str:
    """Where the act is sent, what is left open filled in."""
    path = str(action["path"]).replace("{external_id}", "EXT-1")
    if "{measure_id}" in path:
        measure_id = await at.db.scalar(select(Measure.id).where(Measure.outcome_id == sent.id).limit(1))
        path = path.replace("{measure_id}", str(measure_id))
    for kind, place in ((CredentialKind.SECRET, "{credential_id}"), (CredentialKind.KEY, "{key_id}")):
        if place in path:
            of_client = Credential.client_id == sent.id, Credential.kind == kind
            found = await at.db.scalar(select(Credential.id).where(*of_client).limit(1))
            path = path.replace(place, str(found or UUID(int=0)))
    return path


def slug_of(reply: Any) -> str:
    assert reply.status_code >= 400, reply.text
    return str(reply.json()["type"].rpartition("/")[2])


def test_every_act_on_a_resource_is_told_of(app: Litestar) -> None:
    """A new act has to be added; what has no resource yet, and what is not procurement's, is named here."""
    without = {"draftOutcome", "getToken", "introspectToken", "moveSandboxClock", "registerOrganisation", "revokeToken"}
    # By somebody who may be nobody yet.
    without |= {"acceptInvitation", "confirmRegistration", "registerSupplier"}
    without |= {f"{act}Webhook" for act in ("add", "disable", "edit", "pause", "replay", "resume", "test")}
    without |= {"rotateWebhookSecret"}
    # A rule is a new row, and nothing is ever done to it.
    without |= {"recordBand", "recordPlatformLimits", "recordPolicyVersion", "recordTerms", "recordVatRate"}
    writes = {name for name, place in places(app).items() if place.method != "GET"}
    assert writes - without == TOLD


#: An act whose body no scene has would fail there.
TOLD = set(BODIES) | {
    "activateOutcome",
    "approveAward",
    "approveProposal",
    "concludeEvaluation",
    "draftNextLot",
    "drawUpContract",
    "endMembership",
    "lockScores",
    "publishEnquiry",
    "publishLot",
    "withdrawBid",
}


def raising(fact: Fact) -> Any:
    def condition() -> None:
        raise fact

    return condition


def test_all_that_is_in_the_way_at_one_stage_is_told_and_nothing_beyond_it() -> None:
    in_the_way = [raising(PersonNeeded()), raising(SamePerson()), raising(SamePerson())]
    stages = [[lambda: None], in_the_way, [raising(OutcomeNotFound())]]
    act = Act("publishLot", stages)
    may = Actor(client_id=UUID(int=1), scopes=frozenset({Scope.LOTS_PUBLISH}))
    assert because(act, Scope.LOTS_PUBLISH, may) == ["person-needed", "same-person"]
    assert because(act, Scope.LOTS_PUBLISH, replace(may, scopes=frozenset({Scope.LOTS_WRITE}))) == ["scope-missing"]
    assert because(act, Scope.LOTS_PUBLISH, ANYONE) == ["unauthenticated"]
    assert because(replace(act, stages=stages[:1]), Scope.LOTS_PUBLISH, may) == []


async def test_an_act_names_its_operation_and_where_to_send_it(
    db: AsyncSession, connection: AsyncConnection, call: Call, vault: FileKeyring
) -> None:
    at = await scene(db, connection, vault)
    assert await anext(STORIES["from_signature_to_the_next_step"](at)) == "contract active"
    await db.commit()
    contract, lot = at.resources[0], at.resources[1]
    found = {(one["operation"], one["about"]): one for one in await actions(call, at.buyer.service_owner, contract)}
    act = found["decideDeliverable", "D1"]
    assert (act["method"], act["path"]) == ("POST", f"{contract}/deliverables/D1/decide")
    assert found["placeOrder", None]["path"] == "/v1/finance/orders/{external_id}"
    revise = next(one for one in await actions(call, at.buyer.officer, lot) if one["operation"] == "reviseLot")
    assert (revise["method"], revise["path"], revise["because"]) == ("PATCH", lot, ["lot-not-draft"])


async def test_a_stranger_is_told_of_the_same_acts_as_the_buyer(
    db: AsyncSession, call: Call, vault: FileKeyring
) -> None:
    buyer, stranger = await council(db), await supplier(db)
    lot = await published_lot(db, buyer, vault)
    await db.commit()
    told = [
        [one["operation"] for one in await actions(call, one, f"/v1/lots/{lot.id}")]
        for one in (buyer.officer, stranger)
    ]
    assert told[0] == told[1]


async def test_what_is_not_there_is_not_found(call: Call, db: AsyncSession) -> None:
    buyer = await council(db)
    await db.commit()
    nowhere = UUID(int=0)
    for path, slug in (
        ("outcomes", "outcome-not-found"),
        ("lots", "lot-not-found"),
        ("enquiries", "enquiry-not-found"),
        ("awards", "award-not-found"),
        ("contracts", "contract-not-found"),
    ):
        problem(await call.get(buyer.officer, f"/v1/{path}/{nowhere}/actions"), 404, slug)
