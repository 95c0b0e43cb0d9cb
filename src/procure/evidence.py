"""Where the journal's proof is read from: the database or an exported bundle of it; and the business rows that entries vouch for."""

import gzip
import hashlib
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import Select, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import selectinload

from procure.awards import models as awards
from procure.bids import models as bids
from procure.contracts import models as contracts
from procure.finance import models as finance
from procure.journal.documents import COLUMNS
from procure.journal.verification import BusinessRow, Signed, Stamp
from procure.kit.canonical import canonical
from procure.kit.db import make_engine

#: Rows that are fetched at once: memory does not grow with the journal.
FETCH = 2000
#: Of a bundle's form.
VERSION = 1
#: The longest that one statement over all of the journal may take.
READ_MAX_S = 1800.0
#: Told how many entries are done.
Tick = Callable[[int], None]


class Vouched(NamedTuple):
    """A kind of business row: how it is read, and what of it entries' digests cover."""

    statement: Select[Any]
    facts: Callable[[Any], object]


#: By `object_type`, as entries name it.
VOUCHED: dict[str, Vouched] = {
    "award": Vouched(select(awards.Award), awards.facts),
    "bid": Vouched(select(bids.Bid), bids.facts),
    "contract": Vouched(
        select(contracts.Contract).options(selectinload(contracts.Contract.deliverables)), contracts.facts
    ),
    "invoice": Vouched(select(finance.Invoice), finance.facts),
    "order": Vouched(select(finance.Order), finance.facts),
    "payment": Vouched(select(finance.Payment), finance.facts),
}

_ENTRIES = f"""
SELECT position, leaf_hash, salt, data, {COLUMNS}
FROM journal_positions FULL JOIN journal_entries ON id = entry_id LEFT JOIN journal_personal AS personal ON personal.entry_id = id
ORDER BY position NULLS LAST, id
"""  # noqa: S608 - column names of our own
_CHECKPOINTS = "SELECT size, root, note FROM journal_checkpoints ORDER BY size"
_STAMPS = "SELECT size, reply, stamped_at, authority FROM journal_timestamps ORDER BY size"
_COUNT = text("SELECT count(*) FROM journal_positions")


class DatabaseSource:
    """The database as of one moment, read with cursors."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def count(self) -> int:
        return int(await self._connection.scalar(_COUNT) or 0)

    async def checkpoints(self) -> AsyncIterator[Signed]:
        async for row in self._streamed(_CHECKPOINTS):
            yield Signed(row["size"], row["root"], row["note"])

    async def stamps(self) -> AsyncIterator[Stamp]:
        async for row in self.stamp_rows():
            yield Stamp(row["size"], row["reply"], row["stamped_at"])

    async def stamp_rows(self) -> AsyncIterator[Mapping[str, Any]]:
        """With the authority's address."""
        async for row in self._streamed(_STAMPS):
            yield row

    async def entries(self) -> AsyncIterator[Mapping[str, Any]]:
        async for row in self._streamed(_ENTRIES):
            yield row

    async def rows(self) -> AsyncIterator[BusinessRow]:
        async for kind, row, document in self.documents():
            yield BusinessRow(kind, row.id, hashlib.sha256(document).digest())

    async def documents(self) -> AsyncIterator[tuple[str, Any, bytes]]:
        """Each business row with the canonical form of its facts."""
        async with AsyncSession(self._connection, expire_on_commit=False) as db:
            for kind, vouched in VOUCHED.items():
                streamed = await db.stream_scalars(vouched.statement.execution_options(yield_per=FETCH))
                async for row in streamed:
                    yield kind, row, canonical(vouched.facts(row))
                db.expunge_all()

    async def _streamed(self, statement: str) -> AsyncIterator[Mapping[str, Any]]:
        raw = await self._connection.get_raw_connection()
        assert raw.driver_connection is not None
        async for row in raw.driver_connection.cursor(statement, prefetch=FETCH):
            yield row


class _Entry(msgspec.Struct, kw_only=True, omit_defaults=True, tag_field="is", tag="entry"):
    """An entry's line of a bundle; bytes are base64."""

    position: int | None = None
    leaf_hash: bytes | None = None
    salt: bytes | None = None
    data: bytes | None = None
    id: int | None
    xid: int
    cluster: int
    recorded_at: datetime
    at: datetime
    type: str
    event_version: int
    object_type: str
    object_id: UUID | None
    object_version: int | None
    organisation_id: UUID | None
    client_id: UUID | None
    person_id: UUID | None
    request_id: str | None
    payload: str
    digest: bytes | None
    personal_hash: bytes | None
    hold: UUID | None
    is_public: bool
    audience_organisations: list[UUID]
    audience_roles: list[str]
    audience_persons: list[UUID]


class _Checkpoint(msgspec.Struct, tag_field="is", tag="checkpoint"):
    size: int
    root: bytes
    note: str


class _Stamp(msgspec.Struct, tag_field="is", tag="timestamp"):
    size: int
    reply: bytes
    stamped_at: datetime
    authority: str


class _Row(msgspec.Struct, tag_field="is", tag="row"):
    object_type: str
    object_id: UUID
    facts: msgspec.Raw


class _Form(msgspec.Struct, tag_field="is", tag="bundle"):
    """The first line: what this is, how many entries have a position, the journal's key."""

    version: int
    count: int
    verifier_key: str


_LINES = msgspec.json.Decoder(_Entry | _Checkpoint | _Stamp | _Row | _Form)


class BundleDamaged(Exception):
    """The file is no bundle of the journal, or is not whole; the message says where."""


async def export(source: DatabaseSource, path: Path, verifier_key: str, *, personal: bool, tick: Tick) -> None:
    """Write a bundle: gzip, a JSON document a line, checkpoints first, then their time stamps, entries, business rows."""
    encoder = msgspec.json.Encoder()
    with gzip.open(path, "wb", compresslevel=6) as file:

        def write(line: msgspec.Struct) -> None:
            file.write(encoder.encode(line) + b"\n")

        write(_Form(VERSION, await source.count(), verifier_key))
        async for signed in source.checkpoints():
            write(_Checkpoint(signed.size, signed.root, signed.note))
        async for row in source.stamp_rows():
            write(_Stamp(**row))
        async for row in source.entries():
            said = {name: row[name] for name in _Entry.__struct_fields__}
            write(_Entry(**said if personal else {**said, "salt": None, "data": None}))
            tick(1)
        async for kind, row, document in source.documents():
            write(_Row(kind, row.id, msgspec.Raw(document)))


class BundleSource:
    """An exported bundle, read line by line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        first = next(self._lines(), None)
        if not isinstance(first, _Form) or first.version != VERSION:
            raise BundleDamaged(f"{path} is not a bundle of this version of the journal.")
        self.verifier_key, self._count = first.verifier_key, first.count

    async def count(self) -> int:
        return self._count

    async def checkpoints(self) -> AsyncIterator[Signed]:
        for line in self._lines():
            if isinstance(line, _Stamp | _Entry | _Row):
                return
            if isinstance(line, _Checkpoint):
                yield Signed(line.size, line.root, line.note)

    async def stamps(self) -> AsyncIterator[Stamp]:
        for line in self._lines():
            if isinstance(line, _Entry | _Row):
                return
            if isinstance(line, _Stamp):
                yield Stamp(line.size, line.reply, line.stamped_at)

    async def entries(self) -> AsyncIterator[Mapping[str, Any]]:
        for line in self._lines():
            if isinstance(line, _Row):
                return
            if isinstance(line, _Entry):
                yield msgspec.structs.asdict(line)

    async def rows(self) -> AsyncIterator[BusinessRow]:
        for line in self._lines():
            if isinstance(line, _Row):
                yield BusinessRow(line.object_type, line.object_id, hashlib.sha256(bytes(line.facts)).digest())

    def _lines(self) -> Iterator[_Entry | _Checkpoint | _Stamp | _Row | _Form]:
        try:
            with gzip.open(self._path, "rb") as file:
                yield from map(_LINES.decode, file)
        except (OSError, EOFError, zlib.error, msgspec.MsgspecError) as error:
            raise BundleDamaged(f"{self._path} can't be read to its end: {error}") from None


@asynccontextmanager
async def database(url: str) -> AsyncGenerator[DatabaseSource]:
    """All of it as of one moment, read and nothing else."""
    engine = make_engine(url, pool_size=1, silence_s=READ_MAX_S)
    try:
        async with engine.connect() as connection:
            await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            await connection.execute(text(f"SET LOCAL statement_timeout = '{READ_MAX_S:.0f}s'"))
            yield DatabaseSource(connection)
    finally:
        await engine.dispose()
