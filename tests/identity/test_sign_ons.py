"""People by a council's own sign-on: who is let in, for whom they act, and 40 tokens that bring nobody in."""

import asyncio
import time
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import ECKey, OKPKey, RSAKey
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from build import Council, council, operator, outcome_document, supplier
from calls import ok, problem
from described import client_of
from identity.forging import by, by_mac, encoded, jwt, unsigned
from identity.issuing import AUDIENCE, SignOnServer, issuing
from procure.app import create_app
from procure.identity import sign_ons, tokens
from procure.identity.authentication import CACHE_MAX
from procure.identity.errors import IdentityKnown
from procure.identity.issuers import BETWEEN_S, FRESH_S, STALE_MAX_S, Issuer
from procure.identity.models import Membership, Person
from procure.identity.rules import MembershipStatus, PersonStatus
from procure.journal.models import JournalEntry
from procure.kit.actor import Actor
from procure.kit.db import Sessions
from procure.kit.settings import Settings, SettingsFault
from procure.vault.keyring import FileKeyring

PATH = "/v1/organisations"
STRANGE, STRANGE_EC = RSAKey.generate_key(2048), ECKey.generate_key("P-256")


@pytest.fixture
def issuer() -> Generator[SignOnServer]:
    with issuing() as server:
        yield server


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The age of keys is told by this instead of the machine's clock."""
    now = [1000.0]
    monkeypatch.setattr(Issuer, "clock", staticmethod(lambda: now[0]))
    return now


@dataclass
class Ground:
    """A service that believes the issuer, and one of its people, whom the operator has linked."""

    client: httpx.AsyncClient
    app: Any
    db: AsyncSession
    issuer: SignOnServer
    buyer: Council
    platform: Actor

    async def ask(self, token: str, path: str = PATH, **headers: str) -> httpx.Response:
        return await self.client.get(path, headers={"Authorization": f"Bearer {token}", **headers})

    async def link(self, person_id: UUID | None, subject: str) -> None:
        assert person_id is not None
        await sign_ons.link(self.db, self.platform, person_id, self.issuer.issuer, subject)


@pytest.fixture
async def ground(
    settings: Settings, sessions: Sessions, vault: FileKeyring, db: AsyncSession, issuer: SignOnServer
) -> AsyncGenerator[Ground]:
    believing = msgspec.structs.replace(settings, oidc_issuers=f"{issuer.issuer} {AUDIENCE}", rate_address=0)
    app = create_app(believing, sessions=sessions, vault=vault)
    buyer, platform = await council(db), await operator(db)
    async with client_of(app) as client:
        found = Ground(client, app, db, issuer, buyer, platform)
        await found.link(buyer.officer.person_id, "anna")
        yield found


# --- who is let in --------------------------------------------------------------------------------------------------


async def test_a_person_acts_with_all_that_their_roles_give(ground: Ground) -> None:
    token = ground.issuer.token()
    ok(await ground.ask(token))
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid4())}
    sent = outcome_document(ground.buyer)
    replies = [await ground.client.post("/v1/outcomes", json=sent, headers=headers) for _ in range(2)]
    made = ok(replies[0], 201)
    assert (replies[1].json(), replies[1].headers["idempotency-replayed"]) == (made, "true")
    entry = (await ground.db.scalars(select(JournalEntry).where(JournalEntry.object_id == UUID(made["id"])))).one()
    officer = ground.buyer.officer
    assert (entry.person_id, entry.client_id, entry.organisation_id) == (
        officer.person_id,
        None,
        officer.organisation_id,
    )
    problem(await ground.client.post(PATH, json={}, headers=headers), 403, "scope-missing")


async def test_four_eyes_know_a_person_by_whatever_token(ground: Ground) -> None:
    budget_holder = ground.buyer.budget_holder
    await ground.link(budget_holder.person_id, "bert")
    outcome = ok(
        await ground.client.post(
            "/v1/outcomes",
            json=outcome_document(ground.buyer),
            headers={"Authorization": f"Bearer {ground.issuer.token()}"},
        ),
        201,
    )
    at = f"/v1/outcomes/{outcome['id']}"
    tag = (await ground.ask(ground.issuer.token("bert"), at)).headers["etag"]
    signer = ground.app.state.oauth.keys.signer()
    assert ground.buyer.officer.client_id is not None
    ours = tokens.issue(signer, ground.app.state.settings, ground.buyer.officer.client_id, ground.buyer.officer.scopes)
    ok(await ground.ask(ours, at))
    headers = {"Authorization": f"Bearer {ground.issuer.token('bert')}", "If-Match": tag}
    assert ok(await ground.client.post(f"{at}/activate", headers=headers))["status"] == "active"


@pytest.mark.parametrize(
    ("kid", "key"),
    [("ec", ECKey.generate_key("P-256")), ("okp", OKPKey.generate_key("Ed25519")), ("rsa", RSAKey.generate_key(3072))],
)
async def test_each_kind_of_key_is_believed(ground: Ground, kid: str, key: Any) -> None:
    ground.issuer.keys[kid] = key
    ok(await ground.ask(ground.issuer.token(kid=kid)))
    if isinstance(key, RSAKey):
        ok(await ground.ask(ground.issuer.token(kid=kid, alg="PS256")))
    if isinstance(key, OKPKey):
        ok(await ground.ask(ground.issuer.token(kid=kid, alg="Ed25519")))


@pytest.mark.parametrize(
    "more",
    [
        {"aud": ["account", AUDIENCE]},
        {"head_typ": None},
        {"head_typ": "JWT"},
        {"head_x5t": "dGh1bWI"},
        {"nbf": int(time.time()) - 5},
        {"scp": "anything", "roles": ["operator"]},
    ],
)
async def test_what_sign_ons_say_besides_does_not_matter(ground: Ground, more: dict[str, Any]) -> None:
    ok(await ground.ask(ground.issuer.token(**more)))


async def test_who_is_not_linked_is_told_so_and_unlinked_from_the_next_request_on(ground: Ground) -> None:
    problem(await ground.ask(ground.issuer.token("carla")), 403, "sign-on-unknown")
    token, officer = ground.issuer.token(), ground.buyer.officer
    ok(await ground.ask(token))
    assert officer.person_id is not None
    await sign_ons.unlink(ground.db, ground.platform, officer.person_id, ground.issuer.issuer, "anna")
    problem(await ground.ask(token), 403, "sign-on-unknown")


async def test_a_sign_on_is_one_persons(ground: Ground) -> None:
    assert ground.buyer.finance.person_id is not None
    with pytest.raises(IdentityKnown):
        await ground.link(ground.buyer.finance.person_id, "anna")


@pytest.mark.parametrize(
    ("ending", "status", "slug"),
    [("ended", 403, "not-a-member"), ("suspended", 403, "suspended"), ("person", 403, "suspended")],
)
async def test_an_end_or_suspension_acts_on_the_next_request(
    ground: Ground, ending: str, status: int, slug: str
) -> None:
    token, person_id = ground.issuer.token(), ground.buyer.officer.person_id
    ok(await ground.ask(token))
    membership = (await ground.db.scalars(select(Membership).where(Membership.person_id == person_id))).one()
    if ending == "person":
        (await ground.db.get_one(Person, person_id)).move_to(PersonStatus.SUSPENDED)
    else:
        membership.move_to(MembershipStatus(ending))
    await ground.db.flush()
    problem(await ground.ask(token), status, slug)


# --- acting for -----------------------------------------------------------------------------------------------------


async def test_a_person_of_several_organisations_names_the_one(ground: Ground) -> None:
    elsewhere, stranger = await supplier(ground.db), await supplier(ground.db, "Another")
    ground.db.add(
        Membership(
            id=uuid4(),
            organisation_id=elsewhere.organisation_id,
            person_id=ground.buyer.officer.person_id,
            roles=["bidder"],
            version=1,
        )
    )
    await ground.db.flush()
    token, mine = ground.issuer.token(), str(ground.buyer.organisation.id)
    problem(await ground.ask(token), 400, "organisation-not-named")
    for name in ("nonsense", "", f"{mine} {mine}"):
        problem(await ground.ask(token, **{"Procure-Organisation": name}), 400, "organisation-not-named")
    for name in (str(stranger.organisation_id), str(uuid4())):
        problem(await ground.ask(token, **{"Procure-Organisation": name}), 403, "not-a-member")
    for name, sees in ((mine, 404), (str(elsewhere.organisation_id), 200)):
        reply = await ground.ask(token, f"{PATH}/{elsewhere.organisation_id}/members", **{"Procure-Organisation": name})
        assert reply.status_code == sees


async def test_a_client_acts_for_its_own_organisation_alone(ground: Ground) -> None:
    signer, officer = ground.app.state.oauth.keys.signer(), ground.buyer.officer
    assert officer.client_id is not None
    token = tokens.issue(signer, ground.app.state.settings, officer.client_id, officer.scopes)
    ok(await ground.ask(token, **{"Procure-Organisation": str(officer.organisation_id)}))
    problem(await ground.ask(token, **{"Procure-Organisation": str(uuid4())}), 403, "not-a-member")


# --- who is not -----------------------------------------------------------------------------------------------------

NOW = int(time.time())
WRONG: dict[str, dict[str, Any]] = {
    "expired": {"exp": NOW - 1, "iat": NOW - 600},
    "without an end": {"exp": None},
    "without a beginning": {"iat": None},
    "too long": {"exp": NOW + 48 * 3600},
    "of tomorrow": {"iat": NOW + 3600, "exp": NOW + 7200},
    "not yet": {"nbf": NOW + 3600},
    "for another": {"aud": "api://another"},
    "for others": {"aud": ["account", "api://another"]},
    "for nobody": {"aud": None},
    "for an empty list": {"aud": []},
    "of no subject": {"sub": None},
    "of an empty subject": {"sub": ""},
    "of a number": {"sub": 7},
    "of a huge subject": {"sub": "a" * 256},
    "of a subject with a zero": {"sub": "an\0na"},
    "of a subject beyond ASCII": {"sub": "ann\u0430"},
    "end as text": {"exp": "never"},
    "end beyond all": {"exp": 1e308, "iat": 1e308},
    "type as a list": {"head_typ": ["at+jwt"]},
    "type as an object": {"head_typ": {}},
    "algorithm as a list": {"head_alg": ["RS256"]},
    "thumbprint as a number": {"head_x5t": 7},
    "jku": {"head_jku": "http://127.0.0.1/keys"},
    "x5u": {"head_x5u": "http://127.0.0.1/keys"},
    "jwk": {"head_jwk": STRANGE.as_dict(private=False)},
    "x5c": {"head_x5c": ["AAAA"]},
    "crit": {"head_crit": ["exp"]},
    "b64": {"head_b64": False},
    "type of an assertion": {"head_typ": "client-authentication+jwt"},
    "type of a logout": {"head_typ": "logout+jwt"},
    "no key id": {"head_kid": None},
    "key id as a number": {"head_kid": 1},
    "unknown key id": {"head_kid": "second"},
    "a path as key id": {"head_kid": "../../etc/passwd"},
    "SQL as key id": {"head_kid": "' OR 1=1 --"},
    "another's key": {"key": STRANGE},
    "another's curve": {"key": STRANGE_EC},
    "none": {"head_alg": "none"},
    "RS384": {"head_alg": "RS384"},
    "HS256 said": {"head_alg": "HS256"},
    "PS256 said": {"head_alg": "PS256"},
    "ES256 said": {"head_alg": "ES256"},
}


@pytest.mark.parametrize("attack", WRONG)
async def test_an_attack_brings_nobody_in(ground: Ground, attack: str) -> None:
    ok(await ground.ask(ground.issuer.token()))
    problem(await ground.ask(ground.issuer.token(**WRONG[attack])), 401, "unauthenticated")
    ok(await ground.ask(ground.issuer.token()))


async def test_attacks_that_need_a_hand_of_their_own(ground: Ground) -> None:
    good = ground.issuer.token()
    ok(await ground.ask(good))
    head, _, signature = good.split(".")
    key = ground.issuer.keys["first"]
    assert isinstance(key, RSAKey)
    claims = {"iss": ground.issuer.issuer, "aud": AUDIENCE, "sub": "anna", "iat": NOW, "exp": NOW + 600}
    public = key.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    confused = jwt({"alg": "HS256", "typ": "at+jwt", "kid": "first"}, claims, by_mac(public))
    as_rs256 = jwt({"alg": "RS256", "typ": "at+jwt", "kid": "first"}, claims, by_mac(public))
    nothing = jwt({"alg": "none", "typ": "at+jwt", "kid": "first"}, claims, unsigned)
    another = f"{head}.{encoded({**claims, 'sub': 'bert'})}.{signature}"
    ours = ground.app.state.oauth.keys.signer()
    by_ours = jwt({"alg": "ES256", "typ": "at+jwt", "kid": ours.key_id}, claims, by(ours.key))
    as_ours = ground.issuer.token(iss=ground.app.state.settings.base_url, client_id=str(ground.buyer.officer.client_id))
    slash = ground.issuer.token(iss=f"{ground.issuer.issuer}/")
    for forged in (
        confused,
        as_rs256,
        nothing,
        another,
        by_ours,
        as_ours,
        slash,
        f"{good}.",
        f"{head}=.{good.partition('.')[2]}",
        f"{head[:4]}!{head[4:]}.{good.partition('.')[2]}",
        good[:-4],
        f"{good}x",
        "..",
    ):
        problem(await ground.ask(forged), 401, "unauthenticated")


async def test_a_key_of_one_issuer_is_none_of_another(
    settings: Settings, sessions: Sessions, vault: FileKeyring, db: AsyncSession, ground: Ground
) -> None:
    with issuing() as second:
        both = f"{ground.issuer.issuer} {AUDIENCE}, {second.issuer} {AUDIENCE}"
        app = create_app(msgspec.structs.replace(settings, oidc_issuers=both), sessions=sessions, vault=vault)
        async with client_of(app) as client:
            told = {"Authorization": f"Bearer {ground.issuer.token(key=second.keys['first'])}"}
            problem(await client.get(PATH, headers=told), 401, "unauthenticated")
            told = {"Authorization": f"Bearer {second.token()}"}  # the same subject, of another issuer
            problem(await client.get(PATH, headers=told), 403, "sign-on-unknown")


@pytest.mark.parametrize(
    ("kid", "published"),
    [
        ("weak", {"kty": "RSA", "n": encoded(b"\xc1" * 128), "e": "AQAB"}),
        ("wide", ECKey.generate_key("P-384").as_dict(private=False)),
        ("secret", {"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}),
        ("other", {"kty": "RSA"}),
        ("encryption", {**STRANGE.as_dict(private=False), "use": "enc"}),
    ],
)
async def test_a_key_that_is_none_of_ours_is_passed_over(ground: Ground, kid: str, published: dict[str, Any]) -> None:
    jwks = {"keys": [{**published, "kid": kid}, *ground.issuer.jwks["keys"]]}
    type(ground.issuer).jwks = property(lambda _: jwks)  # type: ignore[method-assign, assignment]
    try:
        ok(await ground.ask(ground.issuer.token()))
        problem(await ground.ask(ground.issuer.token(head_kid=kid, key=STRANGE)), 401, "unauthenticated")
    finally:
        type(ground.issuer).jwks = _JWKS  # type: ignore[method-assign]


_JWKS = SignOnServer.jwks


# --- the issuer's own ways ------------------------------------------------------------------------------------------


async def test_keys_are_read_once_and_a_new_one_when_it_is_met(ground: Ground, clock: list[float]) -> None:
    for _ in range(5):
        ok(await ground.ask(ground.issuer.token()))
    assert ground.issuer.asked == {"openid-configuration": 1, "keys": 1}
    ground.issuer.keys["second"] = ECKey.generate_key("P-256")
    clock[0] += BETWEEN_S
    ok(await ground.ask(ground.issuer.token(kid="second")))
    assert ground.issuer.asked["keys"] == 2


async def test_forged_key_ids_do_not_hammer_the_issuer(ground: Ground, clock: list[float]) -> None:
    ok(await ground.ask(ground.issuer.token()))
    clock[0] += BETWEEN_S
    forged = [ground.issuer.token(head_kid=f"k{number}") for number in range(40)]
    for reply in await asyncio.gather(*map(ground.ask, forged)):
        problem(reply, 401, "unauthenticated")
    assert ground.issuer.asked["keys"] == 2


async def test_a_key_that_is_withdrawn_ends_what_it_signed(ground: Ground, clock: list[float]) -> None:
    token = ground.issuer.token()
    ok(await ground.ask(token))
    ground.issuer.keys = {"second": ECKey.generate_key("P-256")}
    clock[0] += FRESH_S
    problem(await ground.ask(token), 401, "unauthenticated")
    ok(await ground.ask(ground.issuer.token(kid="second")))


async def test_a_token_that_is_remembered_still_expires(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    token = ground.issuer.token()
    ok(await ground.ask(token))
    from datetime import UTC, datetime, timedelta  # noqa: PLC0415

    later = datetime.now(UTC) + timedelta(seconds=601)
    monkeypatch.setattr("procure.identity.authentication.wall_now", lambda: later)
    problem(await ground.ask(token), 401, "unauthenticated")


async def test_an_issuer_that_is_away_stops_nobody_whose_key_is_known(ground: Ground, clock: list[float]) -> None:
    ok(await ground.ask(ground.issuer.token()))
    ground.issuer.behaves = "500"
    clock[0] += STALE_MAX_S - 1
    ok(await ground.ask(ground.issuer.token()))
    clock[0] += BETWEEN_S
    reply = await ground.ask(ground.issuer.token())
    problem(reply, 503, "sign-on-away")
    assert int(reply.headers["retry-after"]) > 0
    ground.issuer.behaves = ""
    clock[0] += BETWEEN_S
    ok(await ground.ask(ground.issuer.token()))


async def test_a_new_key_that_cannot_be_looked_up_is_no_reason_to_log_anybody_out(
    ground: Ground, clock: list[float]
) -> None:
    ok(await ground.ask(ground.issuer.token()))
    ground.issuer.keys["second"] = ECKey.generate_key("P-256")
    ground.issuer.behaves = "500"
    clock[0] += BETWEEN_S
    problem(await ground.ask(ground.issuer.token(kid="second")), 503, "sign-on-away")
    problem(await ground.ask(ground.issuer.token(kid="second")), 503, "sign-on-away")
    ok(await ground.ask(ground.issuer.token()))
    ground.issuer.behaves = ""
    clock[0] += BETWEEN_S
    ok(await ground.ask(ground.issuer.token(kid="second")))


async def test_an_issuer_that_hangs_holds_up_nobody_whose_key_is_known(ground: Ground, clock: list[float]) -> None:
    ok(await ground.ask(ground.issuer.token()))
    ground.issuer.behaves = "hangs"
    clock[0] += FRESH_S
    first = asyncio.create_task(ground.ask(ground.issuer.token()))
    assert await asyncio.to_thread(ground.issuer.is_asked.wait, 60)
    ok(await ground.ask(ground.issuer.token()))
    assert not first.done()
    ground.issuer.is_released.set()
    ok(await first)


async def test_a_token_may_carry_many_groups(ground: Ground) -> None:
    ok(await ground.ask(ground.issuer.token(groups=["g" * 36] * 200)))
    problem(await ground.ask(ground.issuer.token(groups=["g" * 36] * 400)), 401, "unauthenticated")


@pytest.mark.parametrize("behaves", ["500", "redirect", "huge", "nonsense", "list"])
async def test_an_issuer_that_misbehaves_is_one_that_is_away(ground: Ground, behaves: str) -> None:
    ground.issuer.behaves = behaves
    problem(await ground.ask(ground.issuer.token()), 503, "sign-on-away")
    signer, officer = ground.app.state.oauth.keys.signer(), ground.buyer.officer
    assert officer.client_id is not None
    ok(await ground.ask(tokens.issue(signer, ground.app.state.settings, officer.client_id, officer.scopes)))


@pytest.mark.parametrize(
    "said",
    [
        {"issuer": "https://another.example"},
        {"issuer": None},
        {"jwks_uri": "http://keys.example/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "https://[::"},
        {"jwks_uri": "http://["},
        {"jwks_uri": 7},
    ],
)
async def test_a_discovery_that_leads_elsewhere_is_not_followed(ground: Ground, said: dict[str, Any]) -> None:
    ground.issuer.said = said
    problem(await ground.ask(ground.issuer.token()), 503, "sign-on-away")
    assert ground.issuer.asked["keys"] == 0


async def test_the_memory_of_verified_tokens_is_bounded(ground: Ground) -> None:
    people = ground.app.state.authenticate._people
    ok(await ground.ask(ground.issuer.token()))
    (known,) = people.values()
    people.update({number.to_bytes(4, "big"): known for number in range(CACHE_MAX + 10)})
    before = len(people)
    ok(await ground.ask(ground.issuer.token(jti="another")))
    assert len(people) <= before


@pytest.mark.parametrize(
    ("said", "sandbox", "fits"),
    [
        ("https://login.example/tenant api://procure", False, True),
        ("https://a.example x, https://b.example y", False, True),
        ("", False, True),
        ("http://127.0.0.1:9000/tenant x", True, True),
        ("http://127.0.0.1:9000/tenant x", False, False),
        ("http://login.example/tenant x", True, False),
        ("https://login.example/tenant", False, False),
        ("https://login.example/tenant?x=1 y", False, False),
        ("https://a.example x, https://a.example y", False, False),
        ("https://procure.example/ x", False, False),
    ],
)
def test_issuers_are_named_with_their_audience(said: str, sandbox: bool, fits: bool) -> None:
    settings = Settings(database_url="x", base_url="https://procure.example", sandbox=sandbox, oidc_issuers=said)
    if fits:
        assert len(settings.sign_ons()) == len([one for one in said.split(",") if one])
    else:
        with pytest.raises(SettingsFault, match="PROCURE_OIDC_ISSUERS"):
            settings.sign_ons()
