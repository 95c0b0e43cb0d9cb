"""Merkle trees as RFC 9162, section 2.1, defines them: SHA-256, the root, proofs of inclusion and of consistency.

A leaf is any bytes. The recursive tree of the RFC is the same as pairing each level from the left and lifting an odd
last node unchanged, which is how it is computed here: in linear time and without recursion. A tree that only grows is kept
as its frontier, and proofs of it name the nodes that they need (`Node`), so that whoever stores nodes need not read all leaves.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

HASH_BYTES = 32


def leaf_hash(leaf: bytes) -> bytes:
    """Prefix 0x00: a leaf can never be passed off as an inner node."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Prefix 0x01: an inner node can never be passed off as a leaf."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaves: Iterable[bytes]) -> bytes:
    """The Merkle tree hash of the leaves in this order; of none, the SHA-256 of nothing (section 2.1.1)."""
    level = [leaf_hash(leaf) for leaf in leaves]
    if not level:
        return hashlib.sha256(b"").digest()
    while len(level) > 1:
        level = _next_level(level)
    return level[0]


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The siblings from leaf `index` up to the root, lowest first (section 2.1.3.1). IndexError outside the tree."""
    if not 0 <= index < len(leaves):
        raise IndexError(f"There is no leaf {index} in a tree of {len(leaves)}.")
    level = [leaf_hash(leaf) for leaf in leaves]
    proof: list[bytes] = []
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            proof.append(level[sibling])
        level, index = _next_level(level), index >> 1
    return proof


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected_root: bytes) -> bool:
    """Whether `leaf` stands at `index` of the tree of `size` leaves with this root (section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    position, last, reached = index, size - 1, leaf_hash(leaf)
    for sibling in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            reached = node_hash(sibling, reached)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            reached = node_hash(reached, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and reached == expected_root


def _next_level(level: list[bytes]) -> list[bytes]:
    paired = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    return paired + level[len(level) & ~1 :]


class Node(NamedTuple):
    """A complete subtree: the 2^level leaves from place x 2^level on."""

    level: int
    place: int


class Frontier:
    """A growing tree as the roots of its complete subtrees, largest first: one for each bit of its size that is set."""

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        """Raises ValueError if there are not as many hashes of 32 bytes as the size has bits that are set."""
        if len(hashes) != size.bit_count() or any(len(one) != HASH_BYTES for one in hashes):
            raise ValueError(f"A tree of {size} has {size.bit_count()} complete subtrees, not {len(hashes)}.")
        self.size = size
        self._hashes = list(hashes)

    @classmethod
    def unpacked(cls, size: int, packed: bytes) -> "Frontier":
        return cls(size, [packed[at : at + HASH_BYTES] for at in range(0, len(packed), HASH_BYTES)])

    def packed(self) -> bytes:
        return b"".join(self._hashes)

    def append(self, hashed: bytes) -> list[tuple[Node, bytes]]:
        """Add one leaf by its hash; the subtrees above it that are complete now, lowest first."""
        completed: list[tuple[Node, bytes]] = []
        level, index = 0, self.size
        while index & 1:
            hashed = node_hash(self._hashes.pop(), hashed)
            level, index = level + 1, index >> 1
            completed.append((Node(level, index), hashed))
        self._hashes.append(hashed)
        self.size += 1
        return completed

    def root(self) -> bytes:
        """The tree's hash; of the empty one the SHA-256 of nothing."""
        if not self._hashes:
            return hashlib.sha256(b"").digest()
        return folded(self._hashes)


#: A hash of a proof: the roots of complete subtrees, left to right, which `folded` makes one.
Part = tuple[Node, ...]


def folded(hashes: Sequence[bytes]) -> bytes:
    """The hash of neighbours of falling size, as `Frontier.root`."""
    *left, reached = hashes
    for one in reversed(left):
        reached = node_hash(one, reached)
    return reached


def inclusion_parts(index: int, size: int) -> list[Part]:
    """What an inclusion proof of leaf `index` in a tree of `size` is made of, lowest first (section 2.1.3.1). IndexError outside."""
    if not 0 <= index < size:
        raise IndexError(f"There is no leaf {index} in a tree of {size}.")
    return _path(index, 0, size)


def _path(index: int, start: int, end: int) -> list[Part]:
    parts: list[Part] = []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            parts.append(_covering(middle, end))
            end = middle
        else:
            parts.append(_covering(start, middle))
            start = middle
    return parts[::-1]


def consistency_parts(old: int, new: int) -> list[Part]:
    """What a proof that a tree of `new` begins with the tree of `old` is made of (section 2.1.4.1). IndexError outside 0 < old <= new."""
    if not 0 < old <= new:
        raise IndexError(f"There is no proof from a tree of {old} to one of {new}.")
    parts: list[Part] = []
    start, end, is_whole = 0, new, True
    while old - start != end - start:
        middle = start + _split(end - start)
        if old <= middle:
            parts.append(_covering(middle, end))
            end = middle
        else:
            parts.append(_covering(start, middle))
            start, is_whole = middle, False
    if not is_whole:
        parts.append(_covering(start, end))
    return parts[::-1]


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the tree of `new` leaves begins with the one of `old` (section 2.1.4.2)."""
    if not 0 < old <= new:
        return False
    if old == new:
        return not proof and old_root == new_root
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not path:
        return False
    position, last = old - 1, new - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    reached_old = reached_new = path[0]
    for one in path[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            reached_old, reached_new = node_hash(one, reached_old), node_hash(one, reached_new)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            reached_new = node_hash(reached_new, one)
        position, last = position >> 1, last >> 1
    return last == 0 and reached_old == old_root and reached_new == new_root


def _split(n: int) -> int:
    """The largest power of two smaller than n."""
    return 1 << ((n - 1).bit_length() - 1)


def _covering(start: int, end: int) -> Part:
    """The complete subtrees that make up the leaves from `start` to `end`, where `start` is the beginning of a subtree of the RFC."""
    nodes: list[Node] = []
    while start < end:
        level = min((start & -start).bit_length() - 1 if start else 64, (end - start).bit_length() - 1)
        nodes.append(Node(level, start >> level))
        start += 1 << level
    return tuple(nodes)
