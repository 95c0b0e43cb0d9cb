"""Events in the document: what each type says, as a change of the feed, and as a webhook."""

from typing import Any

from procure import catalogue
from procure.document.schemas import REF
from procure.journal.events import Event
from procure.journal.schemas import ChangeView, WebhookPayload


def structs() -> list[type]:
    """What the document describes beside the bodies of its operations."""
    return [WebhookPayload, *catalogue.catalogue()]


def add(document: dict[str, Any]) -> None:
    """Tell changes apart by their type, and name a webhook for each. A type that comes later is a ChangeView like the others."""
    schemas, types = document["components"]["schemas"], catalogue.catalogue()
    names = {one.type: f"{one.__name__}Change" for one in types}
    schemas |= {names[one.type]: _change(one) for one in types}
    # Without a discriminator: validators take that for a closed list, and refuse a type that came later than the document.
    schemas["Changes"]["properties"]["items"]["items"] = {
        "anyOf": [{"$ref": REF.format(name=name)} for name in (*names.values(), ChangeView.__name__)]
    }
    document["webhooks"] = {one.type: {"post": _webhook(one)} for one in types}


def _change(event: type[Event]) -> dict[str, Any]:
    own = {
        "type": {"const": event.type, "type": "string"},
        "data": {"$ref": REF.format(name=event.__name__)},
    }
    base = {"$ref": REF.format(name=ChangeView.__name__)}
    return {"description": catalogue.said(event), "allOf": [base, {"type": "object", "properties": own}]}


def _webhook(event: type[Event]) -> dict[str, Any]:
    payload = REF.format(name=WebhookPayload.__name__)
    type_ = {"type": "object", "properties": {"type": {"const": event.type, "type": "string"}}}
    example = {
        **WebhookPayload.EXAMPLE,
        "type": event.type,
        "data": {
            **WebhookPayload.EXAMPLE["data"],
            "object_type": event.object_type,
            "event_version": event.event_version,
        },
    }
    return {
        "operationId": f"told{event.__name__}",
        "summary": f"Webhook {event.type}",
        "description": f"{catalogue.said(event)} {catalogue.audience(event)}",
        "tags": ["Changes"],
        "security": [],
        "requestBody": {
            "required": True,
            "description": "Signed by the headers of Standard Webhooks.",
            "content": {
                "application/json": {
                    "schema": {"allOf": [{"$ref": payload}, type_]},
                    "examples": {"example": {"summary": "An example", "value": example}},
                }
            },
        },
        "responses": {
            "204": {"description": "Taken: it is not sent again. Whatever else begins with 2 says the same."},
            "410": {"description": "Not wanted any more: nothing is sent there from now on."},
        },
    }
