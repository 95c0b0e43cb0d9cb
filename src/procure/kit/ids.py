"""Identifiers. Rows are numbered with UUIDs that rise with time (RFC 9562, version 7); bids are not, see `unordered_id`."""

import secrets
import time
import uuid


def new_id() -> uuid.UUID:
    """A UUID version 7: 48 bits of milliseconds, then 74 random bits; rows written together lie together in an index."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & 0xFFFF_FFFF_FFFF) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return uuid.UUID(int=value)


def unordered_id() -> uuid.UUID:
    """A UUID version 4, for bids: the order in which sealed bids arrived must be told by nothing."""
    return uuid.uuid4()
