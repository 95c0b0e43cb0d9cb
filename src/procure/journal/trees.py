"""Proofs of the positions' tree, from the leaf hashes and the nodes that are stored: a few ranges of rows, whatever the tree's size."""

from collections.abc import Iterable, Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from procure.kit.merkle import Node, Part, consistency_parts, folded, inclusion_parts, node_hash

#: Nodes are stored of each eighth level (`JournalNode`); those between are made of the level below.
STORED_LEVELS = 8

_LEAVES = text("""
SELECT position - 1 AS place, leaf_hash AS hash FROM journal_positions
JOIN unnest(CAST(:starts AS bigint[]), CAST(:ends AS bigint[])) AS wanted (start, beyond)
  ON position - 1 >= start AND position - 1 < beyond
""")
_NODES = text("""
SELECT index AS place, hash FROM journal_nodes
JOIN unnest(CAST(:starts AS bigint[]), CAST(:ends AS bigint[])) AS wanted (start, beyond) ON index >= start AND index < beyond
WHERE level = :level
""")


async def inclusion(db: AsyncSession, position: int, size: int) -> list[bytes]:
    """The proof that the entry at `position` stands in the tree of the first `size`. IndexError outside 1 <= position <= size."""
    return await _proof(db, inclusion_parts(position - 1, size))


async def consistency(db: AsyncSession, old: int, new: int) -> list[bytes]:
    """The proof that the tree of `new` entries begins with that of `old`. IndexError outside 1 <= old <= new."""
    return await _proof(db, consistency_parts(old, new))


async def root(db: AsyncSession, size: int) -> bytes:
    """Of the tree of the first `size` entries, at least one: at whatever size, not at checkpoints alone."""
    nodes = [Node(level, (size >> (level + 1)) << 1) for level in range(size.bit_length()) if size >> level & 1]
    (found,) = await _proof(db, [tuple(reversed(nodes))])
    return found


async def _proof(db: AsyncSession, parts: Sequence[Part]) -> list[bytes]:
    hashes = await _hashes(db, {node for part in parts for node in part})
    return [folded([hashes[node] for node in part]) for part in parts]


async def _hashes(db: AsyncSession, nodes: Iterable[Node]) -> dict[Node, bytes]:
    found: dict[Node, bytes] = {}
    by_level: dict[int, list[Node]] = {}
    for node in nodes:
        by_level.setdefault(node.level - node.level % STORED_LEVELS, []).append(node)
    for level, wanted in by_level.items():
        stored = await _stored(db, level, wanted)
        found |= {node: _made(node, level, stored) for node in wanted}
    return found


async def _stored(db: AsyncSession, level: int, nodes: Sequence[Node]) -> dict[int, bytes]:
    """The stored hashes of `level` that the nodes are made of, by their place."""
    values = {
        "starts": [node.place << (node.level - level) for node in nodes],
        "ends": [(node.place + 1) << (node.level - level) for node in nodes],
    }
    rows = await db.execute(_NODES, {**values, "level": level}) if level else await db.execute(_LEAVES, values)
    return {row.place: row.hash for row in rows}


def _made(node: Node, level: int, stored: dict[int, bytes]) -> bytes:
    width = 1 << (node.level - level)
    hashes = [stored[place] for place in range(node.place * width, (node.place + 1) * width)]
    while len(hashes) > 1:
        hashes = [node_hash(left, right) for left, right in zip(hashes[::2], hashes[1::2], strict=True)]
    return hashes[0]
