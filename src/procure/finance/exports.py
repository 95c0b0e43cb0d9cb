"""A list as one CSV file: RFC 4180, UTF-8, safe to open in a spreadsheet, of one moment, in flat memory.

The rows come through a server-side cursor and go to a file that is in memory while small and on disk beyond; only then is it sent.
So a slow reader holds no connection, and a fault on the way is an error before the first byte, never a file cut short.
"""

import csv
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from tempfile import SpooledTemporaryFile
from typing import Any

from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession

Spool = SpooledTemporaryFile[bytes]
ROWS_AT_ONCE = 500
MEMORY_MAX_BYTES = 1024 * 1024
CHUNK_BYTES = 64 * 1024
#: What makes a spreadsheet read a cell as a formula (OWASP, CSV injection), the full-width forms of East Asian input included.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


async def spooled(db: AsyncSession, statement: Select[Any]) -> Spool:
    """The whole list with its header, one statement and so one moment."""
    spool: Spool = SpooledTemporaryFile(max_size=MEMORY_MAX_BYTES)  # noqa: SIM115 - `chunks` closes it
    try:
        spool.write(encoded([statement.selected_columns.keys()]))
        result = await db.stream(statement, execution_options={"yield_per": ROWS_AT_ONCE})
        async for rows in result.partitions():
            spool.write(encoded(rows))
    except BaseException:
        spool.close()
        raise
    return spool


def chunks(spool: Spool) -> Iterator[bytes]:
    """What was spooled, from its start; closed at the end or when nobody reads on."""
    with spool:
        spool.seek(0)
        while chunk := spool.read(CHUNK_BYTES):
            yield chunk


def encoded(rows: Sequence[Sequence[Any]]) -> bytes:
    text = StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows([cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def cell(value: object) -> str:
    """A value as its CSV cell: numbers, dates and ids in their plain form, text kept from being read as a formula."""
    if isinstance(value, list):
        value = " ".join(value)
    if isinstance(value, str):
        return harmless(str(value))
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Decimal):
        return f"{value:f}"
    return "" if value is None else str(value)


def harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
