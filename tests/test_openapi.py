"""The committed contract is the code's, and is sound: what a portal's generator reads from it is true."""

import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar
from litestar.routes import BaseRoute

from calls import problem
from procure import docs, document
from procure.app import create_app
from procure.kit.body import convert, read
from procure.kit.problems import PROBLEM_JSON, Problem
from procure.kit.scopes import Scope
from procure.kit.settings import Settings

COMMITTED = Path(__file__).parents[1] / "openapi" / "procure.json"
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
#: Whose callers have credentials of their own, and whose errors are OAuth's.
OAUTH = {"/oauth/introspect", "/oauth/revoke", "/oauth/token"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Litestar:
    """The application as a sandbox has it; nothing connects."""
    keys = tmp_path_factory.mktemp("keys")
    return create_app(
        Settings(database_url="postgresql+asyncpg:///", keys_path=keys, sandbox=True, log_level="critical")
    )


@pytest.fixture(scope="module")
def described(house: Litestar) -> dict[str, Any]:
    # As a reader gets it: through JSON.
    decoded: dict[str, Any] = msgspec.json.decode(document.encode(document.build(house)))
    return decoded


@pytest.fixture(scope="module")
def operations(described: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    found = [
        (path, method, operation) for path, item in described["paths"].items() for method, operation in item.items()
    ]
    assert len(found) > 80
    return found


def test_the_committed_document_is_what_the_code_says(house: Litestar) -> None:
    assert COMMITTED.exists(), "openapi/procure.json is missing: `make openapi` writes it."
    same = COMMITTED.read_bytes() == document.encode(document.build(house))
    assert same, (
        "openapi/procure.json is not what the code says any more: `make openapi` writes it anew; commit the difference."
    )


def test_the_document_is_the_same_whenever_it_is_built(house: Litestar, tmp_path: Path) -> None:
    again = create_app(
        Settings(database_url="postgresql+asyncpg:///", keys_path=tmp_path, sandbox=True, log_level="critical")
    )
    assert document.encode(document.build(again)) == document.encode(document.build(house))


def test_outside_a_sandbox_its_routes_do_not_exist(described: dict[str, Any], tmp_path: Path) -> None:
    app = create_app(Settings(database_url="postgresql+asyncpg:///", keys_path=tmp_path, log_level="critical"))
    outside = set(document.build(app)["paths"])
    assert set(described["paths"]) - outside == {"/v1/sandbox/clock"}


async def test_the_service_serves_exactly_this_document(client: httpx.AsyncClient, described: dict[str, Any]) -> None:
    reply = await client.get("/openapi.json")
    assert reply.headers["content-type"].startswith("application/vnd.oai.openapi+json")
    assert reply.json() == described


async def test_no_other_document_is_served(client: httpx.AsyncClient, house: Litestar) -> None:
    """Litestar's own, as it is before ours adds problems and examples, and its page for what there is not."""
    for path in (
        "/docs/openapi.json",
        "/docs/openapi.yaml",
        "/docs/oauth2-redirect.html",
        "/schema",
        "/schema/openapi.json",
    ):
        problem(await client.get(path), 404, "not-found")
    framework = [
        route.path for route in house.routes for one in _handlers(route) if "litestar._openapi" in one.__module__
    ]
    assert not framework


def _handlers(route: BaseRoute) -> list[Any]:
    return [handler.fn for handler in getattr(route, "route_handlers", [])]


# --- form (OpenAPI 3.1) ---------------------------------------------------------------------------------------------


def nodes(value: Any, at: str = "#") -> Iterator[tuple[str, Any]]:
    yield at, value
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from nodes(inner, f"{at}/{str(key).replace('~', '~0').replace('/', '~1')}")


def found_at(described: dict[str, Any], reference: str) -> Any:
    value: Any = described
    for step in reference.removeprefix("#/").split("/"):
        value = value[step.replace("~1", "/").replace("~0", "~")]
    return value


def test_it_is_an_openapi_3_1_document(described: dict[str, Any]) -> None:
    assert re.fullmatch(r"3\.1\.\d+", described["openapi"])
    assert {"title", "version", "description", "license"} <= described["info"].keys()
    known = {"openapi", "info", "servers", "paths", "components", "tags", "security", "externalDocs", "webhooks"}
    assert described.keys() <= known
    for path, item in described["paths"].items():
        assert path.startswith("/")
        assert item.keys() <= METHODS | {"parameters", "summary", "description", "servers"}, path


def test_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    references = [node["$ref"] for at, node in nodes(described) if isinstance(node, dict) and "$ref" in node]
    assert len(references) > 100
    for reference in set(references):
        assert reference.startswith("#/"), reference
        assert isinstance(found_at(described, reference), dict)


def test_no_component_is_left_over(described: dict[str, Any]) -> None:
    used = {node["$ref"] for _, node in nodes(described) if isinstance(node, dict) and "$ref" in node}
    left = {name for name in described["components"]["schemas"] if f"#/components/schemas/{name}" not in used}
    assert not left


def test_a_schema_has_a_plain_name(described: dict[str, Any]) -> None:
    """A name with a module in it means that two Structs share theirs, and a generated client would show it."""
    odd = [name for name in described["components"]["schemas"] if not re.fullmatch(r"[A-Z][A-Za-z]+", name)]
    assert not odd


def test_no_example_is_one_of_another_struct_of_the_same_name() -> None:
    named: dict[str, list[type]] = {}
    waiting: list[type] = list(msgspec.Struct.__subclasses__())
    while waiting:
        struct = waiting.pop()
        waiting += struct.__subclasses__()
        if "EXAMPLE" in struct.__dict__ and struct.__module__.startswith("procure."):
            named.setdefault(struct.__name__, []).append(struct)
    assert not {name: structs for name, structs in named.items() if len(set(structs)) > 1}


def test_operations_are_told_apart_and_sorted_under_known_tags(
    described: dict[str, Any], operations: list[tuple[str, str, dict[str, Any]]]
) -> None:
    ids = [operation["operationId"] for _, _, operation in operations]
    assert len(set(ids)) == len(ids)
    tags = {tag["name"] for tag in described["tags"]}
    used = {tag for _, _, operation in operations for tag in operation["tags"]}
    assert used == tags
    assert all(len(operation["tags"]) == 1 for _, _, operation in operations)


def test_every_operation_says_what_it_does(operations: list[tuple[str, str, dict[str, Any]]]) -> None:
    for path, method, operation in operations:
        assert operation["summary"], (method, path)
        assert len(operation["description"].split()) >= 4, (method, path)


def test_the_parameters_of_a_path_are_those_in_it(operations: list[tuple[str, str, dict[str, Any]]]) -> None:
    for path, method, operation in operations:
        parameters = operation.get("parameters", [])
        in_path = [one["name"] for one in parameters if one["in"] == "path"]
        assert sorted(in_path) == sorted(re.findall(r"{(\w+)}", path)), (method, path)
        assert all(one["required"] for one in parameters if one["in"] == "path")
        in_headers = {one["name"] for one in parameters if one["in"] not in {"path", "query"}}
        taken = {"Idempotency-Key", "If-Match", "If-None-Match", "Procure-Organisation"}
        taken |= {"Last-Event-ID"} if path.endswith("/stream") else set()
        assert in_headers <= taken, "nothing else is taken"
        assert len({(one["in"], one["name"]) for one in parameters}) == len(parameters)


def test_a_write_shows_its_key_bounded_and_whether_it_is_needed(
    operations: list[tuple[str, str, dict[str, Any]]],
) -> None:
    needed = {}
    for path, method, operation in operations:
        found = [one for one in operation.get("parameters", []) if one["name"] == "Idempotency-Key"]
        if method == "get" or path in {*OAUTH, "/v1/sandbox/clock"}:
            assert not found, path
            continue
        (key,) = found
        assert (key["in"], bool(key["description"])) == ("header", True)
        assert (key["schema"]["minLength"], key["schema"]["maxLength"]) == (16, 255)
        assert re.fullmatch(key["schema"]["pattern"], key["example"])
        said = operation["responses"]["400"]["description"], operation["responses"]["409"]["description"]
        assert ("idempotency-key-missing" in said[0]) == key["required"], path
        assert "idempotency-key-busy" in said[1]
        done = [one for status, one in operation["responses"].items() if status.startswith("2")]
        assert all({"Idempotency-Replayed", "Validated-Only"} <= one["headers"].keys() for one in done), path
        (trial,) = [one for one in operation["parameters"] if one["name"] == "validate_only"]
        assert (trial["in"], trial["required"], trial["schema"]["type"]) == ("query", False, "boolean")
        needed[operation["operationId"]] = key["required"]
    assert (needed["submitBid"], needed["sendInvoice"], needed["draftLot"]) == (True, True, False)


def test_an_act_shows_whose_tag_it_takes_bounded_and_whether_it_is_needed(
    described: dict[str, Any], operations: list[tuple[str, str, dict[str, Any]]]
) -> None:
    needed = set()
    for path, method, operation in operations:
        named = {one["name"]: one for one in operation.get("parameters", [])}
        responses = operation["responses"]
        tagged = [status for status, one in responses.items() if "ETag" in one.get("headers", {})]
        if (match := named.get("If-Match")) is not None:
            assert (match["in"], match["schema"]["minLength"], match["schema"]["maxLength"]) == ("header", 1, 2000)
            assert "changed-since-read" in responses["412"]["description"], path
            assert ("428" in responses) == match["required"], path
            needed |= {operation["operationId"]} if match["required"] else set()
        if method == "get":
            assert ("If-None-Match" in named) == ("304" in responses) == ("304" in tagged) == bool(tagged), path
        elif match is not None:
            assert re.match(r"The `ETag` of the [a-z]+, as you have read it: ", match["description"]), path
            assert "condition-invalid" in responses["400"]["description"], path
        assert method != "put" or not tagged, path
    assert {"publishLot", "reviseLot", "signContract"} <= needed
    tag = described["components"]["headers"]["ETag"]["schema"]
    assert all(re.fullmatch(tag["pattern"], one) for one in ('"yP6c0qUq3dJp1nXk"', '"yP6c0qUq3dJp1n-_+zstd"'))


def test_security_names_schemes_and_scopes_that_exist(
    described: dict[str, Any], operations: list[tuple[str, str, dict[str, Any]]]
) -> None:
    schemes = described["components"]["securitySchemes"]
    offered = schemes["oauth2"]["flows"]["clientCredentials"]["scopes"]
    assert set(offered) == {scope.value for scope in Scope}
    for path, method, operation in operations:
        assert operation["security"], (method, path)
        for requirement in operation["security"]:
            assert requirement.keys() <= schemes.keys()
            assert set(requirement.get("oauth2", [])) <= set(offered)


# --- problems -------------------------------------------------------------------------------------------------------


def test_every_operation_names_the_problems_that_it_may_answer(
    operations: list[tuple[str, str, dict[str, Any]]],
) -> None:
    for path, method, operation in operations:
        responses = operation["responses"]
        where = f"{method} {path}"
        expected = {"400", "503"}
        if {} not in operation["security"] and "client" not in str(operation["security"]):
            expected |= {"401", "403"}
        if "application/json" in operation.get("requestBody", {}).get("content", {}):
            expected |= {"413", "415", "422"}
        if "{" in path and not path.startswith("/v1/finance"):
            expected |= {"404"}
        assert expected <= responses.keys(), where
        assert any(status.startswith("2") for status in responses), where
        for status, response in responses.items():
            assert response["description"], where
            if status >= "400" and path not in OAUTH:  # whose own errors have the form of RFC 6749
                schema = response["content"][PROBLEM_JSON]["schema"]
                assert schema == {"$ref": "#/components/schemas/Problem"}, f"{where} {status}"


def test_every_problem_of_an_operation_is_explained_by_its_slug(
    house: Litestar, operations: list[tuple[str, str, dict[str, Any]]]
) -> None:
    named = {
        slug
        for _, _, operation in operations
        for status, response in operation["responses"].items()
        if status >= "400"
        for slug in re.findall(r"(?:^|; )`([a-z-]+)`:", response["description"])
    }
    assert len(named) > 60
    assert named <= set(docs._problems())


def test_examples_of_problems_are_problems_of_their_status(operations: list[tuple[str, str, dict[str, Any]]]) -> None:
    for path, method, operation in operations:
        for status, response in operation["responses"].items():
            for example in response.get("content", {}).get(PROBLEM_JSON, {}).get("examples", {}).values():
                problem = convert(example["value"], Problem)
                assert str(problem.status) == status, (method, path)


def test_what_stands_in_every_reply_stands_in_its_description(
    operations: list[tuple[str, str, dict[str, Any]]],
) -> None:
    for path, method, operation in operations:
        where = f"{method} {path}"
        for status, response in operation["responses"].items():
            names = {"X-Request-ID", "Access-Control-Allow-Origin"}
            names |= {"401": {"WWW-Authenticate"}, "429": {"Retry-After"}, "503": {"Retry-After"}}.get(status, set())
            assert names <= response["headers"].keys(), f"{where} {status}"
            assert response.get("content") or status == "304", f"{where} {status}"


def test_no_reply_is_described_by_its_status_alone(operations: list[tuple[str, str, dict[str, Any]]]) -> None:
    stock = {status.description for status in HTTPStatus} | {status.phrase for status in HTTPStatus}
    for path, method, operation in operations:
        for status, response in operation["responses"].items():
            assert response["description"] not in stock, f"{method} {path} {status}"
    put = next(operation for path, method, operation in operations if operation["operationId"] == "placeOrder")
    assert put["responses"]["200"]["description"] != put["responses"]["201"]["description"]


@pytest.mark.parametrize(("name", "statuses"), [("WWW-Authenticate", {"401"}), ("Retry-After", {"429", "503"})])
def test_a_header_that_goes_with_a_status_is_named_nowhere_else(
    operations: list[tuple[str, str, dict[str, Any]]], name: str, statuses: set[str]
) -> None:
    found = {at for _, _, one in operations for at, response in one["responses"].items() if name in response["headers"]}
    assert found == statuses


def test_every_operation_tells_its_quota_and_refuses_beyond_it(
    described: dict[str, Any], operations: list[tuple[str, str, dict[str, Any]]]
) -> None:
    """But for those that watch over the service, and the token endpoint, which slows down failures alone."""
    quota = {"RateLimit", "RateLimit-Policy"}
    without = set()
    for path, method, operation in operations:
        responses = operation["responses"]
        told = [quota <= one.get("headers", {}).keys() for status, one in responses.items() if status[0] == "2"]
        refused = responses.get("429", {}).get("headers", {}).keys()
        if not any(told):
            without.add(operation["operationId"])
            assert not refused & quota, (method, path)
            continue
        assert all(told), (method, path)
        assert refused >= quota | {"Retry-After"}, (method, path)
    assert without == {"getLiveness", "getReadiness", "getToken", "introspectToken", "revokeToken"}
    token = described["paths"]["/oauth/token"]["post"]["responses"]["429"]
    assert "Retry-After" in token["headers"]
    assert token["content"].keys() == {"application/json"}


def test_the_examples_of_headers_have_their_form(described: dict[str, Any]) -> None:
    headers = described["components"]["headers"]
    for name in ("RateLimit", "RateLimit-Policy"):
        schema, example = headers[name]["schema"], headers[name]["example"]
        assert re.search(schema["pattern"], example), name
        assert len(example) <= schema["maxLength"], name


# --- links ----------------------------------------------------------------------------------------------------------


def links(operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By status."""
    return {status: response["links"] for status, response in operation["responses"].items() if "links" in response}


def test_whatever_makes_or_acts_leads_to_a_read(operations: list[tuple[str, str, dict[str, Any]]]) -> None:
    methods = {operation["operationId"]: method for _, method, operation in operations}
    # A token is no resource, the clock is read at one address, and of a registration that waits nothing is told.
    alone = {"getToken", "introspectToken", "moveSandboxClock", "registerSupplier", "revokeToken"}
    for _, method, operation in operations:
        if method != "get" and operation["operationId"] not in alone:
            succeeded = {status for status in operation["responses"] if status < "300"}
            assert links(operation).keys() == succeeded, operation["operationId"]
            for led in links(operation).values():
                assert "get" in {methods[link["operationId"]] for link in led.values()}, operation["operationId"]


def test_a_link_gives_every_place_of_its_target_from_what_there_is(
    described: dict[str, Any], operations: list[tuple[str, str, dict[str, Any]]]
) -> None:
    by_name = {operation["operationId"]: operation for _, _, operation in operations}
    checked = 0
    for _, _, operation in operations:
        for status, led in links(operation).items():
            body = found_at(described, operation["responses"][status]["content"]["application/json"]["schema"]["$ref"])
            for link in led.values():
                wanted = {one["name"]: one["schema"] for one in places(by_name[link["operationId"]])}
                given = {name: found(said, body, operation) for name, said in link.get("parameters", {}).items()}
                assert {name: one.get("format") for name, one in given.items()} == {
                    name: one.get("format") for name, one in wanted.items()
                }, f"{operation['operationId']} {status}: {link}"
                checked += 1
    assert checked > 100


def places(operation: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in operation.get("parameters", []) if one["in"] == "path"]


def found(expression: str, body: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any]:
    """The schema of what a runtime expression stands for."""
    if pointer := re.fullmatch(r"\$response\.body#/(\w+)", expression):
        schema: dict[str, Any] = body["properties"][pointer[1]]
        return schema
    place = re.fullmatch(r"\$request\.path\.(\w+)", expression)
    assert place, expression
    return next(one["schema"] for one in places(operation) if one["name"] == place[1])


# --- bounds ---------------------------------------------------------------------------------------------------------


def test_every_text_list_and_number_has_its_bounds(described: dict[str, Any]) -> None:
    """In replies as in requests. The clock's seconds are the one number that is no integer, and has none."""
    wanted = {"string": {"maxLength", "enum", "const"}, "array": {"maxItems"}, "integer": {"maximum"}}
    open_ = [
        at
        for at, node in nodes(described)
        if isinstance(node, dict)
        and "example" not in at
        and isinstance(node.get("type"), str)
        and node["type"] in wanted
        and not node.keys() & wanted[node["type"]]
    ]
    assert not open_
    assert sum(isinstance(node, dict) and "maxLength" in node for _, node in nodes(described)) > 500


# --- bodies ---------------------------------------------------------------------------------------------------------


def test_every_json_body_has_an_example_that_its_operation_reads(
    house: Litestar, operations: list[tuple[str, str, dict[str, Any]]]
) -> None:
    types = {
        str(handler.operation_id): field.annotation
        for route in house.routes
        for handler in getattr(route, "route_handlers", [])
        if (field := handler.parsed_fn_signature.parameters.get("data")) is not None
    }
    read_ = 0
    for path, method, operation in operations:
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            continue
        assert operation["requestBody"]["required"], (method, path)
        assert content.get("examples"), f"{method} {path} has no example"
        for example in content["examples"].values():
            read(msgspec.json.encode(example["value"]), types[operation["operationId"]])
            read_ += 1
    assert read_ >= 30


def test_only_what_takes_a_body_describes_one(operations: list[tuple[str, str, dict[str, Any]]]) -> None:
    assert not [path for path, method, operation in operations if method == "get" and "requestBody" in operation]


def test_a_schema_that_is_taken_refuses_what_it_does_not_know(
    described: dict[str, Any], operations: list[tuple[str, str, dict[str, Any]]]
) -> None:
    taken = {
        media["schema"]["$ref"]
        for _, _, operation in operations
        for kind, media in operation.get("requestBody", {}).get("content", {}).items()
        if kind == "application/json"
    }
    open_ = [
        reference for reference in taken if found_at(described, reference).get("additionalProperties") is not False
    ]
    assert not open_


def test_every_schema_says_its_type(described: dict[str, Any]) -> None:
    known = {"string", "integer", "number", "boolean", "array", "object", "null"}
    for at, node in nodes(described["components"]["schemas"]):
        if isinstance(node, dict) and isinstance(node.get("type"), str | list) and "examples/" not in at:
            types = [node["type"]] if isinstance(node["type"], str) else node["type"]
            assert set(types) <= known, at
    for name, schema in described["components"]["schemas"].items():
        assert schema.keys() & {"type", "$ref", "oneOf", "anyOf", "allOf", "enum"}, name
