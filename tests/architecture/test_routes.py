"""Every operation says who may call it, what it does, what may go wrong, and bounds what it takes."""

import inspect
import re
import types
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
import pytest
from litestar import Controller, Litestar
from litestar.handlers import HTTPRouteHandler
from msgspec import Meta, UnsetType

from architecture.source import subclasses
from procure.app import ROUTES, SANDBOX_ROUTES, create_app
from procure.document import conditions
from procure.kit.http import authorise, is_limited, is_write, key_use
from procure.kit.idempotency import Key
from procure.kit.scopes import Scope
from procure.kit.settings import Settings

WRITES = {"POST", "PUT", "PATCH", "DELETE"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Litestar:
    """The application as a sandbox has it; nothing connects."""
    keys: Path = tmp_path_factory.mktemp("keys")
    return create_app(
        Settings(database_url="postgresql+asyncpg:///", keys_path=keys, sandbox=True, log_level="critical")
    )


@pytest.fixture(scope="module")
def handlers(house: Litestar) -> list[tuple[str, HTTPRouteHandler]]:
    """What answers at each address, but for Litestar's OPTIONS."""
    found = [
        (route.path, handler)
        for route in house.routes
        for handler in getattr(route, "route_handlers", [])
        if not handler.http_methods <= {"OPTIONS"}
    ]
    assert len(found) > 80
    return found


def test_every_route_names_a_scope_or_says_that_it_is_public(handlers: list[tuple[str, HTTPRouteHandler]]) -> None:
    for path, handler in handlers:
        if not handler.include_in_schema:
            assert handler.http_methods <= {"GET"}, f"{path} is in no document and writes"
            assert not handler.opt.get("scope"), path
            continue
        scope = handler.opt.get("scope")
        says = [scope is not None, bool(handler.opt.get("public")), bool(handler.opt.get("known"))]
        assert sum(says) == 1, path
        assert scope is None or isinstance(scope, Scope), path
        assert handler.security, path


def test_every_controller_is_on_the_map_of_the_api() -> None:
    written = [one for one in subclasses(Controller) if one.__module__.endswith((".controllers", ".health"))]
    assert len(written) > 15
    on_the_map = {*ROUTES, *SANDBOX_ROUTES}
    assert not [one for one in written if one not in on_the_map]


#: Where a client authenticates by what it has of its own, and not by a token.
OWN_CREDENTIALS = {"/oauth/introspect", "/oauth/revoke", "/oauth/token"}


#: Where the caller is nobody yet, and has no roles that would give a scope.
OF_NOBODY = {
    "/v1/invitations/accept",
    "/v1/registrations",
    "/v1/registrations/{registration_id:uuid}/confirm",
}


def test_what_writes_needs_a_token(handlers: list[tuple[str, HTTPRouteHandler]]) -> None:
    for path, handler in handlers:
        if handler.http_methods & WRITES and path not in OWN_CREDENTIALS:
            assert handler.opt.get("scope") or path in OF_NOBODY, path


def test_every_scope_opens_something(handlers: list[tuple[str, HTTPRouteHandler]]) -> None:
    used = {handler.opt.get("scope") for _, handler in handlers}
    # Changes and outcomes are read by everybody, what is not public of them by whoever it concerns.
    assert set(Scope) - used == {Scope.CHANGES_READ, Scope.OUTCOMES_READ}


def test_nobody_walks_around_the_one_check_of_callers(
    house: Litestar, handlers: list[tuple[str, HTTPRouteHandler]]
) -> None:
    assert house.before_request is authorise or getattr(house.before_request, "func", None) is authorise
    for path, handler in handlers:
        hook = handler.resolve_before_request()
        assert hook is not None, path
        assert authorise in {hook, getattr(hook, "func", None), getattr(hook, "ref", None)}, path


def test_every_caller_has_a_quota_and_bids_one_of_their_own(handlers: list[tuple[str, HTTPRouteHandler]]) -> None:
    assert {path for path, one in handlers if not is_limited(one)} == {
        "/livez",
        "/readyz",
        "/oauth/introspect",
        "/oauth/revoke",
        "/oauth/token",
    }
    of_bids = {path for path, one in handlers if one.opt.get("rate") == "bids"}
    assert of_bids == {path for path, one in handlers if one.opt.get("scope") is Scope.BIDS_SUBMIT}
    for path, one in handlers:
        if path in of_bids and one.opt.get("rate") == "bids":
            assert one.opt["confidential"], f"{path}: a log line of a refusal would tell that somebody bids"


def test_there_is_one_dependency_that_has_to_be_closed(house: Litestar) -> None:
    generators = [name for name, one in house.dependencies.items() if getattr(one, "has_async_generator_dependency", 0)]
    assert generators == ["db"]


#: Writes that may go without an Idempotency-Key, though they honour one. What is not named here asks for it: a new one has to choose.
WITHOUT_KEY = {
    *(
        "activateOutcome",
        "addClient",
        "addClientKey",
        "addClientSecret",
        "addInvitation",
        "addMember",
        "answerEnquiry",
        "approveProposal",
        "askEnquiry",
        "cancelLot",
        "extendLot",
        "mergeEnquiry",
        "publishEnquiry",
        "replyToEnquiry",
        "changeNextStep",
    ),
    *("completeContract", "concludeEvaluation", "continueContract", "declareInterests", "draftLot", "draftNextLot"),
    *("copyLot", "withdrawLot"),
    *("draftOutcome", "drawUpContract", "endMembership", "endOutcome", "giveRetrospective", "lockScores"),
    *("makeProposal", "refuseProposal"),
    *(
        "observeMeasure",
        "observeUnderContract",
        "openLot",
        "placeOrder",
        "publishLot",
        "recordAwardNotice",
        "recordConsensus",
        "recordLotNotice",
    ),
    *("recordBand", "recordPlatformLimits", "recordPolicyVersion", "recordTerms", "recordVatRate"),
    *("recordScores", "registerOrganisation", "reinstateOrganisation", "reviseLot", "reviseOutcome", "revokeClient"),
    *("acceptInvitation", "registerSupplier", "revokeClientKey", "revokeClientSecret", "revokeInvitation"),
    *(f"{act}{noun}" for act in ("reinstate", "suspend") for noun in ("Client", "Membership", "Person")),
    *(f"{act}Webhook" for act in ("add", "disable", "edit", "pause", "replay", "resume", "test")),
    *("rotateWebhookSecret", "setPanel", "submitDeliverable", "suspendOrganisation", "terminateContract"),
}
#: Nothing is done once there: a token is no effect, and a sandbox's clock moves to a moment.
KEY_IGNORED = {"getToken", "introspectToken", "moveSandboxClock", "revokeToken"}


def test_every_write_asks_for_an_idempotency_key_or_is_known_to_go_without(
    handlers: list[tuple[str, HTTPRouteHandler]],
) -> None:
    uses: dict[Key, set[str]] = {use: set() for use in Key}
    for _, handler in handlers:
        if handler.http_methods & WRITES:
            uses[key_use(handler)].add(str(handler.operation_id))
        else:
            assert key_use(handler) is Key.IGNORED, handler.operation_id
    assert uses[Key.IGNORED] == KEY_IGNORED
    assert uses[Key.HONOURED] == WITHOUT_KEY
    assert len(uses[Key.REQUIRED]) > 10


def test_what_honours_a_key_works_in_the_session_that_keeps_its_reply(
    handlers: list[tuple[str, HTTPRouteHandler]],
) -> None:
    """Or, as bids do, at the desk."""
    keyed = [handler for _, handler in handlers if key_use(handler) is not Key.IGNORED]
    without = {str(one.operation_id) for one in keyed if "db" not in one.parsed_fn_signature.parameters}
    assert without == {"submitBid", "replaceBid"}


#: What a person approves or edits on having read it, and whose tag says that: nothing else is refused for want of one.
ON_SIGHT = {
    "activateOutcome": "outcome",
    "approveProposal": "proposal",
    "approveAward": "award",
    "decideDeliverable": "deliverable",
    "extendLot": "lot",
    "openLot": "lot",
    "publishEnquiry": "enquiry",
    "publishLot": "lot",
    "reviseLot": "lot",
    "reviseOutcome": "outcome",
    "signContract": "contract",
    "editWebhook": "webhook",
}
#: Writes that make something new, and so have nothing to hold a condition against. Every other act takes one.
WITHOUT_SIGHT = {
    *("addClient", "addMember", "askEnquiry", "draftLot", "draftOutcome", "getToken", "moveSandboxClock"),
    "addWebhook",
    *("recordBand", "recordPlatformLimits", "recordPolicyVersion", "recordTerms", "recordVatRate"),
    *("acceptInvitation", "addClientKey", "addClientSecret", "addInvitation", "introspectToken", "revokeToken"),
    *("confirmRegistration", "registerSupplier"),
    *(
        "observeMeasure",
        "observeUnderContract",
        "placeOrder",
        "recordPayment",
        "registerOrganisation",
        "sendInvoice",
        "submitBid",
    ),
}
#: Replies that are no resource's: of the service itself, of its clock, of what may be done now; and how far an opening is.
UNTAGGED = {
    *("getControlTotals", "getLiveness", "getReadiness", "getTime", "getToken", "getTokenKeys", "getTokenMetadata"),
    *("getMe", "getVersion", "introspectToken", "moveSandboxClock", "openLot", "revokeToken", "testWebhook"),
    "getLotChecks",
    "getExtensionOffer",
    *("getBidTimeline", "getContractTimeline", "getLotTimeline", "getOutcomeTimeline"),
    *("getJournalKey", "listChanges", "listCheckpoints", "proveConsistency", "proveInclusion"),
    *("confirmRegistration", "registerSupplier"),
}


def test_who_approves_or_edits_says_what_was_seen(handlers: list[tuple[str, HTTPRouteHandler]]) -> None:
    uses = {handler: conditions.use_of(handler) for _, handler in handlers if is_write(handler)}
    needed = {str(handler.operation_id): use.resource for handler, use in uses.items() if use.is_required}
    assert needed == ON_SIGHT
    assert {str(handler.operation_id) for handler, use in uses.items() if use.resource is None} == WITHOUT_SIGHT
    assert all(use.is_required for handler, use in uses.items() if "PATCH" in handler.http_methods)
    named = {use.resource for use in uses.values()} - {None}
    assert named - conditions.READS.keys() == {"client", "invitation", "key", "membership", "secret"}, (
        "which only lists show"
    )


def test_what_takes_a_condition_hands_it_on(handlers: list[tuple[str, HTTPRouteHandler]]) -> None:
    """Or asks the request for it, as the hot paths do; whether it is held against anything is for `tests/insights` to see."""
    without = set()
    for _, handler in handlers:
        use = conditions.use_of(handler)
        asks = "seen" in handler.parsed_fn_signature.parameters
        if use.resource is not None or (use.is_read and use.is_tagged):
            without |= set() if asks else {str(handler.operation_id)}
        else:
            assert not asks, handler.operation_id
    assert without == {"getLot", "replaceBid"}


def test_every_resource_is_answered_with_its_tag(handlers: list[tuple[str, HTTPRouteHandler]]) -> None:
    """But not lists, files and actions; and nothing to a PUT (RFC 9110, section 9.3.4)."""
    for path, handler in handlers:
        use = conditions.use_of(handler)
        if not handler.include_in_schema or "PUT" in handler.http_methods:
            assert not use.is_tagged, path
            continue
        answered = str(handler.parsed_fn_signature.return_type.annotation)
        is_many = any(kind in answered for kind in ("Page[", "Stream", "ActionsView"))
        assert use.is_tagged is not (is_many or handler.operation_id in UNTAGGED), f"{path}: {answered}"


def test_every_operation_is_described(handlers: list[tuple[str, HTTPRouteHandler]]) -> None:
    for path, handler in handlers:
        if not handler.include_in_schema:
            continue
        assert handler.operation_id, path
        assert re.fullmatch(r"[a-z]+([A-Z][a-z]+)*", str(handler.operation_id)), handler.operation_id
        assert handler.summary, path
        assert not handler.summary.endswith("."), path
        text = inspect.getdoc(handler.fn) or ""
        assert text.strip().endswith((".", ")", "`")), f"{path}: {text}"
        assert handler.responses is not None, f"{path} does not say what may go wrong"


def test_operation_ids_are_unique(handlers: list[tuple[str, HTTPRouteHandler]]) -> None:
    ids = [str(handler.operation_id) for _, handler in handlers if handler.include_in_schema]
    assert len(set(ids)) == len(ids)


def test_an_act_is_a_verb_under_its_resource_and_answers_200(handlers: list[tuple[str, HTTPRouteHandler]]) -> None:
    for path, handler in handlers:
        assert not handler.http_methods & {"DELETE"}, f"{path}: things end by a verb, with a reason"
        # A PUT to an address of the caller's own choosing makes what is not there yet; a registration is not done by asking for it.
        allowed = {"GET": {200}, "PATCH": {200}, "PUT": {200, 201}, "POST": {200, 201}}
        allowed["POST"] |= {202} if handler.operation_id == "registerSupplier" else set()
        assert all(handler.status_code in allowed[method] for method in handler.http_methods), path
        assert path == path.lower(), path


# --- what is taken --------------------------------------------------------------------------------------------------


def inputs(handlers: list[tuple[str, HTTPRouteHandler]]) -> Iterator[tuple[str, type[msgspec.Struct]]]:
    """Every Struct that is read from a body, those inside others included."""
    seen: set[type] = set()
    for path, handler in handlers:
        field = handler.parsed_fn_signature.parameters.get("data")
        for struct in structs_in(field.annotation) if field is not None else ():
            if struct not in seen:
                seen.add(struct)
                yield path, struct


def structs_in(type_: Any) -> Iterator[type[msgspec.Struct]]:
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        yield type_
        for field in msgspec.structs.fields(type_):
            yield from structs_in(field.type)
    for part in get_args(type_):
        yield from structs_in(part)


def test_a_body_takes_no_field_that_it_does_not_know(handlers: list[tuple[str, HTTPRouteHandler]]) -> None:
    found = {struct: path for path, struct in inputs(handlers)}
    assert len(found) > 30
    lax = {
        struct.__name__: path for struct, path in found.items() if not struct.__struct_config__.forbid_unknown_fields
    }
    assert not lax


def test_every_body_has_an_example_that_it_takes(handlers: list[tuple[str, HTTPRouteHandler]]) -> None:
    for path, handler in handlers:
        field = handler.parsed_fn_signature.parameters.get("data")
        if field is not None:
            assert "EXAMPLE" in field.annotation.__dict__, f"{path}: {field.annotation.__name__} has no EXAMPLE"
            msgspec.convert(field.annotation.EXAMPLE, field.annotation)


#: What a type has to be given, and how one tells.
BOUNDS: dict[Any, dict[str, Any]] = {
    list: {"a list without max_length": lambda meta: meta.max_length is not None},
    str: {"a text without max_length": lambda meta: meta.max_length is not None},
    int: {"a number without ge": lambda meta: meta.ge is not None, "without le": lambda meta: meta.le is not None},
    datetime: {"an instant without tz": lambda meta: meta.tz},
    float: {"a float": lambda _: False},
    dict: {"names of the sender's own": lambda _: False},
}


def unbounded(type_: Any, metas: tuple[Meta, ...] = ()) -> Iterator[str]:
    """What of this type could be as long or as large as the sender likes."""
    origin, parts = get_origin(type_) or type_, get_args(type_)
    if origin is Annotated:
        yield from unbounded(parts[0], (*metas, *(one for one in parts[1:] if isinstance(one, Meta))))
        return
    yield from (said for said, holds in BOUNDS.get(origin, {}).items() if not any(map(holds, metas)))
    if origin in (Union, types.UnionType, list):
        # What is said of a union is said of its parts, what is said of a list is not.
        for part in parts:
            yield from unbounded(part, () if origin is list else metas)


def test_everything_that_is_taken_has_a_bound(handlers: list[tuple[str, HTTPRouteHandler]]) -> None:
    found = [
        f"{struct.__module__}.{struct.__name__}.{field.name}: {fault}"
        for _, struct in inputs(handlers)
        for field in msgspec.structs.fields(struct)
        for fault in unbounded(field.type)
    ]
    assert not found


def test_the_bounds_are_looked_for_rightly() -> None:
    assert list(unbounded(Annotated[list[str], Meta(max_length=3)])) == ["a text without max_length"]
    assert list(unbounded(list[Annotated[str, Meta(max_length=3)]] | None)) == ["a list without max_length"]
    assert list(unbounded(Annotated[int, Meta(ge=1)] | UnsetType)) == ["without le"]
    assert list(unbounded(Annotated[datetime, Meta(tz=True)])) == []
    assert list(unbounded(dict[str, float])) == ["names of the sender's own"]


def test_no_answer_holds_a_float_but_the_clocks(handlers: list[tuple[str, HTTPRouteHandler]]) -> None:
    """Amounts and quantities travel as decimal strings."""
    found = {
        f"{struct.__name__}.{field.name}"
        for _, handler in handlers
        for struct in structs_in(handler.parsed_fn_signature.return_type.annotation)
        for field in msgspec.structs.fields(struct)
        if float in {field.type, *get_args(field.type)}
    }
    assert found == {"ClockView.ahead_seconds"}
