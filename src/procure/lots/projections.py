"""LotView and LotSummary as PostgreSQL builds them: the two hot reads, by the driver's own call (`kit.driver`).

Most requests to a marketplace read a published lot or the list of them, without a token. Built by the ORM they cost five to nine
times the query; here they are the query. A test holds both to `LotView.of` and `LotSummary.of`, field by field.
"""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from cachetools import LRUCache

from procure.kit.actor import Actor
from procure.kit.driver import Driver
from procure.kit.etags import UNCONDITIONAL, Seen
from procure.kit.paging import Paging, Position, next_link
from procure.lots.errors import LotNotFound
from procure.lots.rules import LotStatus, Phase
from procure.lots.schemas import LotView

_CLOCK = "(SELECT app_now() AS now) AS clock"
#: `rules.status_at`, with `rules.has_closed`.
_STATUS = "CASE WHEN status = 'published' AND closes_at <= clock.now THEN 'closed' ELSE status END"
# Written out: cheaper than json_build_object, and without its spaces. Only a name has anything to escape.
_BUYER = """('{"id":"' || buyer_id || '","name":' || to_json(buyer_name) || '}')::json"""


def _fields(fields: dict[str, str]) -> str:
    # In a subselect of named columns, row_to_json costs half of what json_build_object does.
    return ", ".join(f"{expression} AS {name}" for name, expression in fields.items())


def _money(amount: str) -> str:
    return f"""('{{"amount":"' || ({amount}) || '","currency":"' || currency || '"}}')::json"""


def _base64(column: str) -> str:
    return f"translate(encode({column}, 'base64'), E'\\n', '')"


_SUMMARY = {
    "id": "id",
    "reference": "reference",
    "outcome_id": "outcome_id",
    "buyer": _BUYER,
    "iteration": "iteration",
    "status": _STATUS,
    "title": "title",
    "phase": "phase",
    "band": "band",
    "ceiling": _money("ceiling"),
    "closes_at": "app_instant(closes_at)",
    "created_at": "app_instant(created_at)",
}

_VIEW = {
    "id": "id",
    "reference": "reference",
    "outcome_id": "outcome_id",
    "buyer": _BUYER,
    "iteration": "iteration",
    "follows_id": "follows_id",
    "copied_from_id": "copied_from_id",
    "status": _STATUS,
    "title": "title",
    "phase": "phase",
    "route": "route",
    "pricing": "pricing",
    "brief": "brief",
    "deliverables": "deliverables",
    "criteria": "criteria",
    "measure_ids": "measure_ids",
    "cpv": "cpv",
    "cpv_additional": "cpv_additional",
    "place": "place",
    "skills": "skills",
    "remote": "remote",
    "ip": "ip",
    "starts_on": "starts_on",
    "duration_days": "duration_days",
    "ceiling": _money("ceiling"),
    "further_iterations": f"""('{{"count":' || further_iterations || ',"ceiling":' || {_money("further_ceiling")} || '}}')::json""",
    "estimate": _money("ceiling + further_iterations * further_ceiling"),
    "enquiries_close_at": "app_instant(enquiries_close_at)",
    "closes_at": "app_instant(closes_at)",
    "validity_days": "validity_days",
    "band": "band",
    "policy": "policy",
    "notice": (
        "CASE WHEN notice_at IS NOT NULL THEN"
        " json_build_object('id', notice_id, 'ocid', notice_ocid, 'published_at', app_instant(notice_at)) END"
    ),
    "key": (
        "CASE WHEN key_id IS NOT NULL THEN json_build_object('id', key_id, 'scheme', key_scheme,"
        f" 'public_key', {_base64('public_key')}, 'signature', {_base64('key_signature')}) END"
    ),
    "published_at": "app_instant(published_at)",
    "ended_at": "app_instant(ended_at)",
    "end_reason": "end_reason",
    "end_reason_code": "end_reason_code",
    "created_at": "app_instant(created_at)",
    "version": "version",
}


#: $1 the lot, $2 the caller's buyer organisation or null.
_SEEN = f"FROM lots, {_CLOCK} WHERE id = $1 AND (published_at IS NOT NULL OR buyer_id = $2)"
#: What a LotView depends on: which row of PostgreSQL's it is, whoever wrote it and however, and the status, which changes with time.
#: A server that has started anew may have lost its last transactions, and give their numbers and places to others.
_STATE = f"lots.xmin::text || lots.ctid::text || pg_postmaster_start_time()::text AS row, {_STATUS} AS status"
_CHECK = f"SELECT version, {_STATE} {_SEEN}"
_READ = (
    f"SELECT version, {_STATE}, (SELECT row_to_json(lot)::text FROM (SELECT {_fields(_VIEW)}) AS lot) AS body {_SEEN}"  # noqa: S608 - no input in it
)
_LIST = (
    f"SELECT (SELECT row_to_json(item)::text FROM (SELECT {_fields(_SUMMARY)}) AS item) AS body FROM lots, {_CLOCK}"  # noqa: S608
    " WHERE (published_at IS NOT NULL OR buyer_id = $1)"
)


class _Last(msgspec.Struct):
    """What of a summary places it in the list."""

    created_at: datetime
    id: UUID


class _Kept(NamedTuple):
    """A LotView in JSON, and the state of the lot that it shows."""

    row: str
    status: str
    etag: str
    body: bytes


#: What the LotViews that are kept may take together; one that is pushed out is built again, no more.
KEPT_MAX_BYTES = 16 * 1024 * 1024


def size(kept: _Kept) -> int:
    """In bytes; what stands around the body is small beside it."""
    return len(kept.body)


_kept: LRUCache[UUID, _Kept] = LRUCache(KEPT_MAX_BYTES, getsizeof=size)


async def read_lot(driver: Driver, actor: Actor, lot_id: UUID, seen: Seen = UNCONDITIONAL) -> tuple[bytes, str]:
    """A LotView in JSON, and its tag, if this caller may see it and has not: raises LotNotFound, NotModified, ChangedSinceRead.

    It is built once for each state of the lot, and that is asked for every time.
    """
    state = _row(await driver.rows(_CHECK, lot_id, actor.buyer_id))
    kept = _kept.get(lot_id)
    is_kept = kept is not None and (kept.row, kept.status) == (state["row"], state["status"])
    if seen:
        seen.check(kept.etag if kept and is_kept else LotView.tag(lot_id, state["version"], state["status"]))
    if kept is None or not is_kept:
        read = _row(await driver.rows(_READ, lot_id, actor.buyer_id))
        etag = LotView.tag(lot_id, read["version"], read["status"])
        kept = _kept[lot_id] = _Kept(read["row"], read["status"], etag, _written(read["body"]))
    return kept.body, kept.etag


def _written(body: str) -> bytes:
    """To the byte as an act's reply has it, which has the same tag: PostgreSQL sets spaces in its documents, and sorts their names."""
    return msgspec.json.encode(msgspec.json.decode(body, type=LotView))


def _row(rows: list[Any]) -> Any:
    if not rows:
        raise LotNotFound("There is no such lot, or it is not yours to see.")
    return rows[0]


async def list_lots(
    driver: Driver,
    actor: Actor,
    paging: Paging,
    *,
    status: LotStatus | None = None,
    phase: Phase | None = None,
    outcome_id: UUID | None = None,
    buyer_id: UUID | None = None,
) -> bytes:
    """A Page of LotSummary in JSON, newest first; `status` is as of now."""
    arguments: list[Any] = [actor.buyer_id]
    statement = _LIST
    conditions = ((_STATUS, status), ("phase", phase), ("outcome_id", outcome_id), ("buyer_id", buyer_id))
    for expression, wanted in conditions:
        if wanted is not None:
            arguments.append(wanted)
            statement += f" AND {expression} = ${len(arguments)}"
    if paging.after is not None:
        arguments += [paging.after.at, paging.after.id]
        statement += f" AND (created_at, id) < (${len(arguments) - 1}, ${len(arguments)})"
    statement += f" ORDER BY created_at DESC, id DESC LIMIT {paging.limit + 1}"
    return _page([row["body"] for row in await driver.rows(statement, *arguments)], paging)


def _page(bodies: list[str], paging: Paging) -> bytes:
    """As `paging.page_of` makes it, from rows that are JSON already."""
    link = None
    if len(bodies) > paging.limit:
        bodies = bodies[: paging.limit]
        last = msgspec.json.decode(bodies[-1], type=_Last)
        link = next_link(Position(last.created_at, last.id), paging)
    return f'{{"items":[{",".join(bodies)}],"next":{msgspec.json.encode(link).decode()}}}'.encode()
