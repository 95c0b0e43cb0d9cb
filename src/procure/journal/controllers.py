"""The routes of the journal: changes, their stream, checkpoints and proofs."""

import asyncio
import weakref
from base64 import b64encode
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Annotated, Literal

from litestar import Controller, Response, get
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, FromQuery, HeaderParameter, QueryParameter
from litestar.response import Stream

from procure.journal import notes, readers
from procure.journal.errors import CheckpointNotFound, EntryNotFound, ProofUnknown, StreamsTooMany, TimestampNotFound
from procure.journal.events import types_of
from procure.journal.schemas import (
    Changes,
    Checkpoints,
    CheckpointView,
    ConsistencyProof,
    InclusionProof,
    JournalKey,
    Place,
)
from procure.journal.stamps import REPLY
from procure.journal.tail import Tail
from procure.kit.actor import Actor
from procure.kit.errors import Fact, Fault
from procure.kit.etags import tag_of
from procure.kit.http import ApiRequest, ApiResponse, AsSeen, Caller, Db, public
from procure.kit.paging import LIMIT_DEFAULT, Limit
from procure.kit.problems import ParametersInvalid, problems

#: A stream says that it lives, and a client that hears nothing for three times as long comes again.
HEARTBEAT_S = 15.0
#: How often a stream asks whether its caller may still listen, beside when the journal says that this may have changed.
STANDING_S = 60.0
WAIT_MAX_S = 30
_FIRST = b"retry: 2000\n\n"

After = Annotated[int, QueryParameter(ge=0, le=2**53 - 1, description="The last position that you have; 0 for all.")]
Types = Annotated[
    str | None,
    QueryParameter(
        max_length=2000, pattern=r"^[a-z_.,]+$", description="Types of changes, separated by commas; all without it."
    ),
]
Wait = Annotated[
    int, QueryParameter(ge=0, le=WAIT_MAX_S, description="Seconds to wait for a change if there is none yet.")
]
Size = Annotated[int | None, QueryParameter(ge=1, le=2**53 - 1, description="The size of a checkpoint.")]
OnlyAsked = Annotated[
    Literal["stamped"] | None,
    QueryParameter(description="`stamped`: those with a time stamp of an authority alone; all without it."),
]
LastEventId = Annotated[
    str | None,
    HeaderParameter(
        name="Last-Event-ID",
        max_length=20,
        description="As an EventSource sends it: where it goes on, whatever `after` says.",
    ),
]

_STAMP = ResponseSpec(
    bytes,
    media_type=REPLY,
    generate_examples=False,
    description="The authority's answer as it came: a TimeStampResp in DER (RFC 3161, section 2.4.2).",
)


class ChangeController(Controller):
    """Everything that happens, in one order, as far as each caller may see it."""

    path = "/v1/changes"
    tags = ("Changes",)

    @get("/", operation_id="listChanges", summary="List changes", responses=problems(), **public())
    async def list_(
        self,
        request: ApiRequest,
        after: After = 0,
        types: Types = None,
        limit: Limit = LIMIT_DEFAULT,
        wait: Wait = 0,
    ) -> Response[Changes]:
        """What happened after a position, oldest first: what is public, and with a token what is yours to see.

        Keep `next` and ask again from there: positions have no gaps, nothing comes later at an earlier one, and after a loss of all you
        have you begin with 0. With `wait` the reply comes as soon as there is something, or empty when the time is over. What is
        not yours counts in positions too, and is left out.
        """
        wanted = _types(types)
        found = await _changes(request, request.user, after, limit, wanted)
        if wait and not found.items and found.is_caught_up:
            until = asyncio.get_running_loop().time() + wait
            while not found.items and (left := until - asyncio.get_running_loop().time()) > 0:
                if not await _tail(request).beyond(found.next, left):
                    break
                found = await _changes(request, await _standing(request), found.next, limit, wanted)
        return ApiResponse(found)

    @get(
        "/stream",
        operation_id="streamChanges",
        summary="Stream changes",
        media_type="text/event-stream",
        responses=problems(StreamsTooMany),
        **public(),
    )
    async def stream(
        self, request: ApiRequest, after: After = 0, types: Types = None, last_event_id: LastEventId = None
    ) -> Stream:
        """The same as Server-Sent Events: each `id` is a position, each `event` a type, `data` as in the list.

        An EventSource goes on by itself where it was cut off (`Last-Event-ID`). A comment comes every 15 seconds if nothing else does. The
        stream ends when you may not listen any more: when your client, membership or organisation is suspended, or your token ends.
        """
        return _stream(request, _resumed(last_event_id, after), _types(types))


class JournalController(Controller):
    """The proof that nothing was altered: the order of all that happened as a Merkle tree (RFC 9162), its roots signed (C2SP)."""

    path = "/v1/journal"
    tags = ("Journal",)

    @get("/key", operation_id="getJournalKey", summary="Read the journal's key", responses=problems(), **public())
    async def key(self, request: ApiRequest) -> JournalKey:
        """The public key that signs checkpoints, also as C2SP tools take it. Keep it: a key that changes is a journal that was replaced."""
        public_key = request.app.state.vault.public_signing_key
        origin = notes.origin_of(request.app.state.base_url)
        return JournalKey(
            origin=origin,
            verifier_key=notes.verifier_key(origin, public_key),
            public_key=b64encode(public_key).decode(),
        )

    @get(
        "/checkpoints",
        operation_id="listCheckpoints",
        summary="List checkpoints",
        responses=problems(),
        **public(),
    )
    async def checkpoints(
        self, db: Db, before: Size = None, only: OnlyAsked = None, limit: Limit = LIMIT_DEFAULT
    ) -> Checkpoints:
        """Newest first. Keep one outside, and later have it proved that the journal still begins with it."""
        items = await readers.list_checkpoints(db, before, limit, stamped=only is not None)
        return Checkpoints(items=items, next=items[-1].size if len(items) == limit else None)

    @get(
        "/checkpoints/latest",
        operation_id="getCheckpoint",
        summary="Read the latest checkpoint",
        responses=problems(CheckpointNotFound),
        **public(),
    )
    async def latest(self, db: Db, seen: AsSeen) -> CheckpointView:
        """How many entries have their position now, and the signed root over them."""
        view = await readers.find_checkpoint(db)
        seen.check(view.etag)
        return view

    @get(
        "/checkpoints/{size:int}/timestamp",
        operation_id="getCheckpointTimestamp",
        summary="Read a checkpoint's time stamp",
        media_type=REPLY,
        responses={200: _STAMP} | problems(TimestampNotFound),
        **public(),
    )
    async def timestamp(self, db: Db, seen: AsSeen, size: FromPath[Place]) -> Response[bytes]:
        """What an authority has stamped of the checkpoint's `note` (RFC 3161): that all of it was there at `stamped_at`.

        Not every checkpoint has one, and without an authority none: `GET /v1/journal/checkpoints?only=stamped` lists those that do.
        """
        reply = await readers.find_timestamp(db, size)
        etag = tag_of(CheckpointView, size, reply)
        seen.check(etag)
        return ApiResponse(reply, media_type=REPLY, headers={"ETag": etag})

    @get(
        "/entries/{position:int}/proof",
        operation_id="proveInclusion",
        summary="Prove that an entry stands in the journal",
        responses=problems(EntryNotFound, CheckpointNotFound, ProofUnknown),
        **public(),
    )
    async def inclusion(self, db: Db, actor: Caller, position: FromPath[Place], size: Size = None) -> InclusionProof:
        """Of an entry that you may see, in the tree of the latest checkpoint, or of the one of `size` entries."""
        return await readers.prove_inclusion(db, actor, position, size)

    @get(
        "/consistency",
        operation_id="proveConsistency",
        summary="Prove that the journal only grew",
        responses=problems(ProofUnknown),
        **public(),
    )
    async def consistency(self, db: Db, since: FromQuery[Place], to: FromQuery[Place]) -> ConsistencyProof:
        """That the tree of `to` entries begins with that of `since`: nothing of what you knew was altered, removed or put in between."""
        return await readers.prove_consistency(db, since, to)


def _types(asked: str | None) -> frozenset[str] | None:
    if asked is None:
        return None
    wanted, known = frozenset(asked.split(",")), types_of()
    faults = [
        Fault("/types", "parameter", f"There is no type of change `{one[:60]}`.") for one in sorted(wanted - known)
    ]
    if faults:
        raise ParametersInvalid("A type of change is unknown: see `errors`.", faults=faults)
    return wanted


def _tail(request: ApiRequest) -> Tail:
    tail: Tail = request.app.state.tail
    return tail


async def _changes(request: ApiRequest, actor: Actor, after: int, limit: int, types: frozenset[str] | None) -> Changes:
    """By a session of its own, which is over before anybody waits."""
    async with request.app.state.readers() as db:
        return await readers.list_changes(db, actor, after, limit, types)


def _resumed(last_event_id: str | None, after: int) -> int:
    if last_event_id is None or not last_event_id.isdecimal() or not last_event_id.isascii():
        return after
    return min(int(last_event_id), 2**53 - 1)


def _stream(request: ApiRequest, after: int, types: frozenset[str] | None) -> Stream:
    tail = _tail(request)
    release = tail.admit(_listener_of(request))

    async def events() -> AsyncGenerator[bytes]:
        try:
            async for part in _events(tail, request.user, after, types, lambda: _standing(request)):
                yield part
        finally:
            release()

    parts = events()
    weakref.finalize(parts, release)  # what was never begun does not come to its end
    return Stream(
        parts, media_type="text/event-stream", headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )


def _listener_of(request: ApiRequest) -> str | None:
    """By whom streams are counted: a client, a person, or an address; None for one that is nobody's own."""
    known = request.user.client_id or request.user.person_id
    key: str | None = str(known) if known else request.app.state.rates.addresses.key(request.scope)
    return key


async def _standing(request: ApiRequest) -> Actor:
    """Who the caller is now. Raises whatever they would be told now; nobody's standing does not change."""
    if "authorization" not in request.headers:
        return request.user
    actor: Actor = await request.app.state.authenticate(request)
    return actor


async def _events(
    tail: Tail,
    actor: Actor,
    position: int,
    types: frozenset[str] | None,
    standing: Callable[[], Awaitable[Actor]],
) -> AsyncGenerator[bytes]:
    clock = asyncio.get_running_loop().time
    asked_at = clock()
    yield _FIRST
    while True:
        found, reached, moves = await tail.next(actor, position, types)
        if moves or clock() - asked_at > STANDING_S:
            try:
                former, actor, asked_at = actor, await standing(), clock()
            except Fact:
                return
            if actor != former:  # so is what is theirs of all this
                continue
        position = reached
        if found:
            yield b"".join(found)
        if tail.is_closed:
            return
        if not found and not await tail.beyond(position, HEARTBEAT_S):
            # What was left out counts: who comes again need not go through it once more.
            yield b": still here\nid: %d\n\n" % position
