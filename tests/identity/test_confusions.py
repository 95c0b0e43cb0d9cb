"""One caller taken for another: by a header, a key, a cursor, a claim said twice. All of these are refused, or are nobody's gain."""

import time
from typing import Any
from uuid import uuid4

import pytest

from build import seat
from calls import ok, problem
from identity.forging import by, encoded
from identity.issuing import AUDIENCE
from identity.test_invitations import ACCEPT, ME, OFFICER, Ground, ground, path
from procure.kit.actor import Role

__all__ = ["ground"]


async def test_a_persons_key_is_another_one_in_each_organisation(ground: Ground) -> None:
    """What an admin of two organisations has shown once in one of them is not shown for the other."""
    draft: dict[str, Any] = {"person": {"name": "Ada"}, "roles": ["admin"]}
    for admin in (ground.admin, ground.other_admin):
        await ground.come("ada", admin, draft)
    key, shown = str(uuid4()), []
    for of, admin in ((ground.here, ground.admin), (ground.elsewhere, ground.other_admin)):
        for _ in range(2):
            reply = await ground.call.post(ground.by("ada", of), path(admin), OFFICER, key=key)
            shown.append((ok(reply, 201)["code"], "idempotency-replayed" in reply.headers))
    assert [replayed for _, replayed in shown] == [False, True, False, True]
    assert len({code for code, _ in shown}) == 2


async def test_a_key_shows_no_secret_to_another_admin_of_the_same_organisation(ground: Ground) -> None:
    other, key = await seat(ground.db, ground.here.organisation, Role.ADMIN), str(uuid4())
    codes = [
        ok(await ground.call.post(one, path(ground.admin), OFFICER, key=key), 201) for one in (ground.admin, other)
    ]
    assert codes[0]["id"] != codes[1]["id"]


async def test_what_a_trial_shows_once_is_worth_nothing(ground: Ground) -> None:
    tried = ok(await ground.call.post(ground.admin, f"{path(ground.admin)}?validate_only=true", OFFICER), 201)
    problem(await ground.call.post(ground.by("dora"), ACCEPT, {"code": tried["code"]}), 404, "invitation-not-found")
    at = f"/v1/organisations/{ground.here.organisation.id}/clients"
    draft = {"name": "System", "kind": "service", "roles": ["finance"]}
    made = ok(await ground.call.post(ground.admin, f"{at}?validate_only=true", draft), 201)
    pair = made["id"], made["client_secret"]
    reply = await ground.call.client.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=pair)
    assert (reply.status_code, reply.json()["error"]) == (401, "invalid_client")


async def test_the_organisation_of_the_address_is_not_the_one_of_the_header(ground: Ground) -> None:
    """An admin here who is an auditor there administrates nothing there, whichever of the two they say."""
    await ground.come("ada", ground.admin, {"person": {"name": "Ada"}, "roles": ["admin"]})
    await ground.come("ada", ground.other_admin, {"person": {"name": "Ada"}, "roles": ["auditor"]})
    theirs = path(ground.other_admin)
    reply = await ground.call.post(ground.by("ada", ground.here), theirs, OFFICER)
    problem(reply, 404, "organisation-not-found")
    problem(await ground.call.post(ground.by("ada", ground.elsewhere), theirs, OFFICER), 403, "scope-missing")
    ok(await ground.call.post(ground.by("ada", ground.here), path(ground.admin), OFFICER), 201)


async def test_two_headers_that_name_organisations_are_none(ground: Ground) -> None:
    await ground.come("ada", ground.admin)
    mine = str(ground.here.organisation.id)
    token = ground.call.headers(ground.by("ada"))["Authorization"]
    for said in ([mine, mine], [mine, str(ground.elsewhere.organisation.id)]):
        headers = [("Authorization", token), *(("Procure-Organisation", one) for one in said)]
        problem(await ground.call.client.get("/v1/tasks", headers=headers), 400, "organisation-not-named")


async def test_a_cursor_of_another_organisation_opens_none_of_its_lists(ground: Ground) -> None:
    for admin in (ground.admin, ground.other_admin):
        for _ in range(3):
            await ground.invite(admin)
    following = ok(await ground.call.get(ground.other_admin, f"{path(ground.other_admin)}?limit=1"))["next"]
    problem(await ground.call.get(ground.admin, following), 404, "organisation-not-found")
    cursor = following.partition("cursor=")[2]
    reply = await ground.call.get(ground.admin, f"{path(ground.admin)}?limit=1&cursor={cursor}")
    problem(reply, 400, "cursor-invalid")


@pytest.mark.parametrize("first", [True, False])
async def test_a_claim_that_is_said_twice_is_read_alike_by_who_chooses_and_who_checks(
    ground: Ground, *, first: bool
) -> None:
    """RFC 7519, section 4. The last one counts, for the choice of the issuer as for the check."""
    await ground.come("ada", ground.admin)
    now, ours = int(time.time()), "http://procure.test"
    issuers = [ours, ground.sign_on.issuer] if first else [ground.sign_on.issuer, ours]
    said = ",".join(f'"iss":"{one}"' for one in issuers)
    claims = f'{{{said},"aud":"{AUDIENCE}","sub":"ada","iat":{now},"exp":{now + 60}}}'
    start = f"{encoded({'alg': 'RS256', 'kid': 'first'})}.{encoded(claims.encode())}"
    signature = encoded(by(ground.sign_on.keys["first"], alg="RS256")(start.encode()))
    reply = await ground.call.client.get(ME, headers={"Authorization": f"Bearer {start}.{signature}"})
    assert reply.status_code == (200 if first else 401)


async def test_whoever_is_let_in_elsewhere_reads_nothing_by_an_old_tag(ground: Ground) -> None:
    """A tag is no right: it is held against what the caller may see, and after that is known."""
    made = await ground.invite(ground.other_admin)
    tag = (await ground.call.post(ground.other_admin, path(ground.other_admin), OFFICER)).headers["etag"]
    for said in (tag, f'"a", {tag}', f"W/{tag}", "*"):
        reply = await ground.call.post(
            ground.admin, path(ground.other_admin, made["id"], "revoke"), {"reason": "Mine."}, seen=said
        )
        problem(reply, 404, "organisation-not-found")
    reply = await ground.call.post(
        ground.other_admin, path(ground.other_admin, made["id"], "revoke"), {"reason": "Mine."}, seen=f"W/{tag}"
    )
    problem(reply, 412, "changed-since-read")
