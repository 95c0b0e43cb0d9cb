"""A load generator for loopback: keep-alive HTTP/1.1 over plain asyncio streams, bounded in count and time.

A general client costs more CPU than the service; this one writes prepared bytes and reads a reply by its Content-Length.
"""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

SECONDS_MAX = 30.0


@dataclass
class Result:
    """What was seen: seconds per request, and how many replies had another status than expected."""

    took: list[float] = field(default_factory=list)
    unexpected: dict[int, int] = field(default_factory=dict)
    seconds: float = 0.0

    def percentile(self, share: float) -> float:
        ordered = sorted(self.took)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def request(method: str, path: str, *, token: str | None = None, key: str | None = None, body: bytes = b"") -> bytes:
    """The bytes of one request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Accept: application/json"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if key:
        lines.append(f"Idempotency-Key: {key}")
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def run(port: int, requests: Iterator[bytes], *, connections: int, seconds: float, expect: int) -> Result:
    """Send what `requests` yields over `connections`, until it is spent or `seconds` are over."""
    assert 0 < seconds <= SECONDS_MAX
    result, started = Result(), time.perf_counter()
    until = started + seconds
    await asyncio.gather(*(_client(port, requests, until, expect, result) for _ in range(connections)))
    result.seconds = time.perf_counter() - started
    return result


async def _client(port: int, requests: Iterator[bytes], until: float, expect: int, result: Result) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for wanted in requests:
            if time.perf_counter() > until:
                return
            sent = time.perf_counter()
            writer.write(wanted)
            status = await _status(reader)
            result.took.append(time.perf_counter() - sent)
            if status != expect:
                result.unexpected[status] = result.unexpected.get(status, 0) + 1
    finally:
        writer.close()


async def _status(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    lowered = head.lower()
    at = lowered.find(b"content-length:")
    if at >= 0:
        length = int(lowered[at + 15 : lowered.index(b"\r\n", at)])
        await reader.readexactly(length)
    return int(head.split(b" ", 2)[1])
