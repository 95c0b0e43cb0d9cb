"""The token endpoint speaks OAuth 2: RFC 6749, 7517, 8414 and 9068."""

import base64
from dataclasses import dataclass
from uuid import UUID

import httpx
import msgspec
import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from joserfc import jwt
from joserfc.jwk import KeySet
from litestar import Litestar
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from build import operator, organisation, seat
from calls import Call, ok, problem
from described import client_of
from procure.identity import service
from procure.identity.models import Client, Membership
from procure.identity.rules import ClientKind
from procure.identity.schemas import ClientDraft
from procure.journal.models import JournalEntry
from procure.kit import logs
from procure.kit.actor import Actor, OrganisationKind, Role
from procure.kit.scopes import Scope, scopes_of
from procure.kit.settings import Settings

GRANT = {"grant_type": "client_credentials"}
FORM = "application/x-www-form-urlencoded"


@dataclass
class Credentials:
    """A client's, with the actors around it."""

    client_id: str
    secret: str
    platform: Actor
    admin: Actor

    @property
    def pair(self) -> tuple[str, str]:
        return self.client_id, self.secret


@pytest.fixture
async def buyer(db: AsyncSession) -> Credentials:
    """A service client of a buyer, officer and finance at once."""
    platform = await operator(db)
    there = await organisation(db, OrganisationKind.BUYER, "Testshire Council")
    admin = await seat(db, there, Role.ADMIN)
    draft = ClientDraft(name="Portal", kind=ClientKind.SERVICE, roles=[Role.OFFICER, Role.FINANCE])
    client, secret = await service.add_client(db, admin, there.id, draft)
    return Credentials(str(client.id), secret, platform, admin)


@pytest.fixture
async def person(db: AsyncSession, buyer: Credentials) -> Credentials:
    """A personal client of the buyer's admin."""
    draft = ClientDraft(name="Laptop", kind=ClientKind.PERSONAL, person_id=buyer.admin.person_id)
    assert buyer.admin.organisation_id is not None
    client, secret = await service.add_client(db, buyer.admin, buyer.admin.organisation_id, draft)
    return Credentials(str(client.id), secret, buyer.platform, buyer.admin)


async def ask(client: httpx.AsyncClient, pair: tuple[str, str] | None, **form: str) -> httpx.Response:
    auth = httpx.BasicAuth(*pair) if pair else httpx.USE_CLIENT_DEFAULT
    return await client.post("/oauth/token", data=GRANT | form, auth=auth)


def oauth_error(reply: httpx.Response, status: int, error: str) -> str:
    """An error after RFC 6749, section 5.2: not a problem, never cached, ASCII."""
    body = reply.json()
    assert (reply.status_code, body["error"]) == (status, error), reply.text
    assert set(body) == {"error", "error_description"}
    assert reply.headers["content-type"] == "application/json"
    assert (reply.headers["cache-control"], reply.headers["pragma"]) == ("no-store", "no-cache")
    assert ("www-authenticate" in reply.headers) == (status == 401)
    assert body["error_description"].isascii()
    return str(body["error_description"])


async def test_a_client_gets_a_token_that_works(buyer: Credentials, client: httpx.AsyncClient) -> None:
    reply = await ask(client, buyer.pair)
    body = ok(reply)
    assert (reply.headers["cache-control"], reply.headers["pragma"]) == ("no-store", "no-cache")
    assert reply.headers["content-type"] == "application/json"
    assert set(body) == {"access_token", "token_type", "expires_in", "scope"}
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 3600)
    assert set(body["scope"].split()) == scopes_of(frozenset({Role.OFFICER, Role.FINANCE}))
    headers = {"Authorization": f"Bearer {body['access_token']}"}
    mine = ok(await client.get(f"/v1/organisations/{buyer.admin.organisation_id}/clients", headers=headers))
    assert buyer.client_id in [one["id"] for one in mine["items"]]


async def test_the_published_keys_validate_a_token(buyer: Credentials, client: httpx.AsyncClient) -> None:
    token = ok(await ask(client, buyer.pair))["access_token"]
    metadata = ok(await client.get("/.well-known/oauth-authorization-server"))
    published = ok(await client.get(metadata["jwks_uri"]))
    assert all("d" not in key and key["use"] == "sig" for key in published["keys"])
    found = jwt.decode(token, KeySet.import_key_set(published), algorithms=["ES256"])
    assert found.header == {"alg": "ES256", "typ": "at+jwt", "kid": published["keys"][0]["kid"]}
    assert (found.claims["iss"], found.claims["aud"]) == (metadata["issuer"], metadata["issuer"])
    assert found.claims["sub"] == found.claims["client_id"] == buyer.client_id


async def test_the_metadata_is_that_of_rfc_8414(client: httpx.AsyncClient, settings: Settings) -> None:
    metadata = ok(await client.get("/.well-known/oauth-authorization-server"))
    assert metadata["issuer"] == settings.base_url
    assert metadata["token_endpoint"] == f"{settings.base_url}/oauth/token"
    assert metadata["grant_types_supported"] == ["client_credentials"]
    assert metadata["jwks_uri"] == f"{settings.base_url}/oauth/jwks"
    for name, path in (("token", "token"), ("revocation", "revoke"), ("introspection", "introspect")):
        assert metadata[f"{name}_endpoint"] == f"{settings.base_url}/oauth/{path}"
        assert metadata[f"{name}_endpoint_auth_methods_supported"] == ["client_secret_basic", "private_key_jwt"]
        signing = metadata[f"{name}_endpoint_auth_signing_alg_values_supported"]
        assert signing == ["ES256", "Ed25519", "EdDSA", "PS256"]
    assert set(metadata["scopes_supported"]) == {scope.value for scope in Scope}
    secure = {
        name: value.replace("http:", "https:") if isinstance(value, str) else value for name, value in metadata.items()
    }
    # No authorization endpoint, so no response type; Authlib's own check wants at least one.
    AuthorizationServerMetadata(secure | {"response_types_supported": ["none"]}).validate()


async def test_a_client_asks_for_fewer_scopes_and_gets_just_these(
    buyer: Credentials, client: httpx.AsyncClient
) -> None:
    body = ok(await ask(client, buyer.pair, scope="finance:read  lots:read lots:read"))
    assert body["scope"] == "finance:read lots:read"
    headers = {"Authorization": f"Bearer {body['access_token']}"}
    problem(await client.get("/v1/organisations", headers=headers), 403, "scope-missing")
    assert ok(await ask(client, buyer.pair, scope=""))["scope"] == ok(await ask(client, buyer.pair))["scope"]


@pytest.mark.parametrize(
    "scope", ["bids:submit", "lots:read lots:publish", "everything", "lots:read,lots:write", "ä", "   "]
)
async def test_more_than_the_roles_allow_is_an_invalid_scope(
    buyer: Credentials, client: httpx.AsyncClient, scope: str
) -> None:
    oauth_error(await ask(client, buyer.pair, scope=scope), 400, "invalid_scope")


async def test_unknown_clients_and_wrong_secrets_are_one_answer(
    db: AsyncSession, call: Call, buyer: Credentials, client: httpx.AsyncClient
) -> None:
    pairs = [
        (buyer.client_id, "wrong"),
        (buyer.client_id, buyer.secret + "x"),
        (buyer.client_id, buyer.secret[:-1]),
        (buyer.client_id, ""),
        ("0199c0de-0000-7000-8000-000000000000", buyer.secret),
        ("portal", buyer.secret),
        ("", ""),
        ("x" * 3000, "\x00"),
    ]
    said = {oauth_error(await ask(client, pair), 401, "invalid_client") for pair in [*pairs, None]}
    revoke = f"/v1/organisations/{buyer.admin.organisation_id}/clients/{buyer.client_id}/revoke"
    ok(await call.post(buyer.admin, revoke, {"reason": "The portal has been replaced."}))
    said.add(oauth_error(await ask(client, buyer.pair), 401, "invalid_client"))
    assert len(said) == 1


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(),
        "Basic " + base64.b64encode("ä:ö".encode()).decode(),
        "Bearer abc",
        "Digest username=x",
        "",
    ],
)
async def test_an_authorization_header_that_says_nothing_is_an_invalid_client(
    client: httpx.AsyncClient, header: str
) -> None:
    reply = await client.post("/oauth/token", data=GRANT, headers={"Authorization": header})
    oauth_error(reply, 401, "invalid_client")
    assert reply.headers["www-authenticate"].startswith('Basic realm="procure"')


async def test_a_secret_may_be_percent_encoded_as_the_rfc_has_it(buyer: Credentials, client: httpx.AsyncClient) -> None:
    ok(await ask(client, (buyer.client_id.replace("-", "%2D"), buyer.secret.replace("-", "%2D"))))


@pytest.mark.parametrize("grant_type", ["password", "authorization_code", "CLIENT_CREDENTIALS", 'x"\\ä'])
async def test_other_grants_are_not_offered(buyer: Credentials, client: httpx.AsyncClient, grant_type: str) -> None:
    said = oauth_error(await ask(client, buyer.pair, grant_type=grant_type), 400, "unsupported_grant_type")
    assert grant_type not in said


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", FORM),
        (b"scope=lots:read", FORM),
        (b"grant_type=", FORM),
        (b"grant_type=client_credentials&grant_type=client_credentials", FORM),
        (b"grant_type=client_credentials&scope=a&scope=b", FORM),
        (b"grant_type=%ff", FORM),
        (b"grant_type=\xff", FORM),
        (b"&".join(b"a%d=1" % number for number in range(30)), FORM),
        (b"grant_type=client_credentials&x=" + b"y" * 9000, FORM),
        (b"grant_type=client_credentials&client_secret=x", FORM),
        (b"grant_type=client_credentials&client_assertion=x", FORM),
        (b"grant_type=client_credentials&client_assertion_type=x", FORM),
        (b'{"grant_type": "client_credentials"}', "application/json"),
        (b"grant_type=client_credentials", "text/plain"),
        (b"grant_type=client_credentials", "multipart/form-data"),
    ],
)
async def test_a_request_that_cannot_be_read_is_invalid(
    buyer: Credentials, client: httpx.AsyncClient, body: bytes, kind: str
) -> None:
    headers = {"Content-Type": kind}
    reply = await client.post("/oauth/token", content=body, headers=headers, auth=buyer.pair)
    oauth_error(reply, 400, "invalid_request")


async def test_parameters_that_oauth_does_not_know_are_ignored(buyer: Credentials, client: httpx.AsyncClient) -> None:
    ok(await ask(client, buyer.pair, resource="https://elsewhere.example", audience="x"))
    kind = {"Content-Type": f"{FORM}; charset=UTF-8"}
    ok(await client.post("/oauth/token", content="grant_type=client_credentials", headers=kind, auth=buyer.pair))


async def test_a_client_that_may_not_act_gets_no_token(
    db: AsyncSession, call: Call, buyer: Credentials, person: Credentials, client: httpx.AsyncClient
) -> None:
    ok(await ask(client, person.pair))
    there = f"/v1/organisations/{buyer.admin.organisation_id}"
    ok(await call.post(buyer.platform, f"{there}/suspend", {"reason": "Its secret was published."}))
    for pair in (buyer.pair, person.pair):
        oauth_error(await ask(client, pair), 400, "unauthorized_client")
        # Only who proves to be the client learns that it is suspended.
        oauth_error(await ask(client, (pair[0], "wrong")), 401, "invalid_client")
    ok(await call.post(buyer.platform, f"{there}/reinstate", {"reason": "A new secret."}))
    ok(await ask(client, person.pair))
    found = select(Membership.id).where(Membership.person_id == buyer.admin.person_id)
    membership_id = (await db.scalars(found)).one()
    ok(await call.post(buyer.platform, f"{there}/members/{membership_id}/end"))
    oauth_error(await ask(client, person.pair), 401, "invalid_client")
    ok(await ask(client, buyer.pair))


async def test_a_personal_client_has_the_scopes_of_its_person(person: Credentials, client: httpx.AsyncClient) -> None:
    assert set(ok(await ask(client, person.pair))["scope"].split()) == scopes_of(frozenset({Role.ADMIN}))


async def test_asking_for_a_token_changes_and_records_nothing(
    db: AsyncSession, buyer: Credentials, client: httpx.AsyncClient
) -> None:
    before = await db.scalar(select(func.count()).select_from(JournalEntry))
    for pair in (buyer.pair, (buyer.client_id, "wrong")):
        await ask(client, pair)
    assert await db.scalar(select(func.count()).select_from(JournalEntry)) == before
    assert (await db.get_one(Client, UUID(buyer.client_id))).version == 1


async def test_the_token_endpoint_is_asked_by_post_without_a_query(
    buyer: Credentials, client: httpx.AsyncClient
) -> None:
    assert (await client.get("/oauth/token", auth=buyer.pair)).status_code == 405
    reply = await client.post("/oauth/token?grant_type=client_credentials", data=GRANT, auth=buyer.pair)
    problem(reply, 400, "parameters-invalid")


async def test_no_log_line_names_who_asks_or_shows_a_secret_or_token(
    call: Call, buyer: Credentials, app: Litestar, capfd: pytest.CaptureFixture[str]
) -> None:
    """The operator would learn who is about to bid before a deadline."""
    there, address = f"{buyer.admin.organisation_id}", "203.0.113.77"
    forwarded = {"X-Forwarded-For": address, "Forwarded": f"for={address}"}
    async with client_of(app, client=(address, 47110)) as client:
        client.headers.update(forwarded)
        logs.configure(level="debug", form="json")
        token = ok(await ask(client, buyer.pair))["access_token"]
        await ask(client, (buyer.client_id, buyer.secret + "x"))
        await ask(client, buyer.pair, scope="everything")
        logs.configure(level="critical", form="json")
        ok(
            await call.post(
                buyer.platform, f"/v1/organisations/{there}/suspend", {"reason": "Its secret was published."}
            )
        )
        logs.configure(level="debug", form="json")
        await ask(client, buyer.pair)
    written = "".join(capfd.readouterr())
    logs.configure(level="critical", form="json")
    lines = [msgspec.json.decode(line) for line in written.splitlines()]
    events = [(line["event"], line.get("error")) for line in lines if line["event"] != "request"]
    assert events == [
        ("token issued", None),
        ("token refused", "invalid_client"),
        ("token refused", "invalid_scope"),
        ("token refused", "unauthorized_client"),
    ]
    assert len(lines) == 2 * len(events)  # each with its request's line
    people = (buyer.client_id, there, str(buyer.admin.person_id), "Testshire", "Portal", address)
    assert [one for one in (*people, buyer.secret, token) if one in written] == []
