"""The documentation page: what it may load, and that what it sends to log in and to try an operation is taken.

No browser runs here: the requests are those of Swagger UI's own source (`authorizeApplication`, `authorizeRequest`).
"""

from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from build import council, seat
from calls import ok
from procure.identity import service
from procure.identity.rules import ClientKind
from procure.identity.schemas import ClientDraft
from procure.kit.actor import Role

PAGE = "http://procure.test/docs"


@pytest.fixture
async def credential(db: AsyncSession) -> tuple[str, str]:
    """As `make run` prints them: a personal client's id and secret."""
    buyer = await council(db)
    admin = await seat(db, buyer.organisation, Role.ADMIN)
    draft = ClientDraft(name="Laptop", kind=ClientKind.PERSONAL, person_id=buyer.officer.person_id)
    client, secret = await service.add_client(db, admin, buyer.organisation.id, draft)
    return str(client.id), secret


async def document_of(client: httpx.AsyncClient) -> dict[str, Any]:
    document: dict[str, Any] = ok(await client.get("/openapi.json"))
    return document


async def log_in(client: httpx.AsyncClient, pair: tuple[str, str]) -> httpx.Response:
    """What the page's dialog sends where no scope is ticked."""
    flow = (await document_of(client))["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]
    headers = {"Accept": "application/json, text/plain, */*", "X-Requested-With": "XMLHttpRequest", "Origin": PAGE[:-5]}
    form = {"grant_type": "client_credentials", "scope": ""}
    return await client.post(urljoin(PAGE, flow["tokenUrl"]), data=form, auth=pair, headers=headers)


async def test_a_printed_credential_logs_in_and_tries_an_operation(
    client: httpx.AsyncClient, credential: tuple[str, str]
) -> None:
    token = ok(await log_in(client, credential))["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    document = await document_of(client)
    example = document["paths"]["/v1/outcomes"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    address = urljoin(urljoin(PAGE, document["servers"][0]["url"]), "v1/outcomes")
    made = ok(await client.post(address, json=example["example"]["value"], headers=headers), 201)
    assert made["status"] == "draft"
    assert ok(await client.get("/v1/contracts", headers=headers)) == {"items": [], "next": None}


async def test_a_wrong_secret_is_told_in_the_dialog(client: httpx.AsyncClient, credential: tuple[str, str]) -> None:
    reply = await log_in(client, (credential[0], "wrong"))
    assert reply.status_code == 401
    assert reply.json()["error"] == "invalid_client"


async def test_the_page_may_load_and_ask_this_service_alone(client: httpx.AsyncClient) -> None:
    policy = dict(
        one.split(" ", 1) for one in (await client.get("/docs")).headers["content-security-policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == policy["script-src"] == "'self'"
    assert policy["form-action"] == "'none'", "the dialog sends by script, and its fields go nowhere else"


async def test_what_was_typed_into_the_page_is_not_kept_by_the_browser(client: httpx.AsyncClient) -> None:
    """A token in the browser's storage would outlive the tab on a shared machine."""
    assert "persistAuthorization: true" not in (await client.get("/assets/docs.js")).text


async def test_the_key_of_the_documents_example_is_a_new_one_for_each_act(client: httpx.AsyncClient) -> None:
    """The page fills it in everywhere; the script has to know it to put a new one in its place."""
    parameters = (await document_of(client))["paths"]["/v1/lots/{lot_id}/bids"]["post"]["parameters"]
    example = next(one["example"] for one in parameters if one["name"] == "Idempotency-Key")
    assert f'const EXAMPLE_KEY = "{example}";' in (await client.get("/assets/docs.js")).text


async def test_the_tag_of_the_documents_example_is_the_one_that_the_page_has_read(client: httpx.AsyncClient) -> None:
    parameters = (await document_of(client))["paths"]["/v1/lots/{lot_id}/publish"]["post"]["parameters"]
    (example,) = [one["example"] for one in parameters if one["name"] == "If-Match"]
    assert f"const EXAMPLE_TAG = '{example}';" in (await client.get("/assets/docs.js")).text
