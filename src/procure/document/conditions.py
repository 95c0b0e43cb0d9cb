"""What the document says of entity tags: which replies have one, and which requests take one, of which resource."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from procure.document.schemas import answer_of, handlers
from procure.kit.etags import CONDITION_MAX, CONDITION_PATTERN, EXAMPLE, IF_MATCH, IF_NONE_MATCH
from procure.kit.http import is_write

#: The operation that reads a resource and so gives its tag; of those without one, acts and creations give it.
READS = {
    "award": "getAward",
    "bid": "getBid",
    "contract": "getContract",
    "deliverable": "getDeliverable",
    "enquiry": "getEnquiry",
    "lot": "getLot",
    "organisation": "getOrganisation",
    "outcome": "getOutcome",
    "panel": "getPanel",
    "person": "getPerson",
    "proposal": "getProposal",
    "scores": "getScores",
    "webhook": "getWebhook",
}
#: Answered as bytes that are made already, with a tag all the same.
_AS_BYTES = {"getCheckpointTimestamp", "getContractDocument", "getLot"}
_OF_READS = {
    IF_NONE_MATCH: "Tags of what you have: if it still is one of these, the answer is 304, without a body.",
    IF_MATCH: "Tags of what you expect: if it is none of these any more, the answer is 412.",
}
_REQUIRED = (
    "What you approve or edit is what you have seen: if it has changed since, nothing is done (412). `*` is not enough."
)
_HONOURED = "If it has changed since you read it, nothing is done (412). Left out, nothing is compared."


@dataclass(frozen=True)
class Use:
    """What an operation makes of tags: whether its reply has one, and of which resource it takes one, if need be."""

    is_read: bool
    is_tagged: bool
    resource: str | None
    is_required: bool


def uses(app: Litestar) -> dict[str, Use]:
    """By operation id."""
    return {str(handler.operation_id): use_of(handler) for handler in handlers(app)}


def use_of(handler: HTTPRouteHandler) -> Use:
    is_tagged = "PUT" not in handler.http_methods and (
        handler.operation_id in _AS_BYTES or any(hasattr(one, "etag") for one in _answers(handler))
    )
    opt = handler.opt
    return Use(not is_write(handler), is_tagged, opt.get("seen"), bool(opt.get("must_have_seen")))


def _answers(handler: HTTPRouteHandler) -> Iterator[type[msgspec.Struct]]:
    type_ = answer_of(handler.parsed_fn_signature.return_type.annotation)
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        yield type_


def add(operation: dict[str, Any], use: Use) -> None:
    """The condition that the operation takes, the tag in its reply, and the answer to who has it already."""
    parameters = operation.setdefault("parameters", [])
    if use.resource is not None:
        parameters.append(_condition(IF_MATCH, _which(use), is_required=use.is_required))
    if use.is_tagged:
        _tell_tag(operation)
        if use.is_read:
            parameters += [_condition(name, said, is_required=False) for name, said in _OF_READS.items()]
            operation["responses"]["304"] = _not_modified()
    if not parameters:
        del operation["parameters"]


def _which(use: Use) -> str:
    read = READS.get(str(use.resource))
    where = f"`{read}` gives it" if read else "the reply that you have of it gives it"
    return (
        f"The `ETag` of the {use.resource}, as you have read it: {where}. {_REQUIRED if use.is_required else _HONOURED}"
    )


def _condition(name: str, description: str, *, is_required: bool) -> dict[str, Any]:
    schema = {"type": "string", "pattern": CONDITION_PATTERN, "minLength": 1, "maxLength": CONDITION_MAX}
    said = {"name": name, "in": "header", "required": is_required, "description": description, "schema": schema}
    # Only where one is needed: the documentation page fills an example in, and puts the tag that it has read in its place.
    return {**said, "example": EXAMPLE} if is_required else said


def _tell_tag(operation: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            response["headers"] = {**response.get("headers", {}), **_tag()}


def _not_modified() -> dict[str, Any]:
    return {"description": "You have it already: it is what one of your tags names.", "headers": _tag()}


def _tag() -> dict[str, Any]:
    return {"ETag": {"$ref": "#/components/headers/ETag"}}
