"""The Merkle tree agrees with RFC 9162 word for word, and a proof proves exactly one leaf at one place."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procure.kit import merkle

#: The leaves and roots with which Certificate Transparency (RFC 6962) implementations test themselves.
CT_LEAVES = [
    bytes.fromhex(leaf)
    for leaf in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]

trees = st.lists(st.binary(max_size=40), min_size=1, max_size=70)


def rfc_root(leaves: list[bytes]) -> bytes:
    """Section 2.1.1, transcribed as it stands."""
    n = len(leaves)
    if n == 0:
        return hashlib.sha256(b"").digest()
    if n == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = rfc_split(n)
    return hashlib.sha256(b"\x01" + rfc_root(leaves[:k]) + rfc_root(leaves[k:])).digest()


def rfc_path(m: int, leaves: list[bytes]) -> list[bytes]:
    """Section 2.1.3.1, transcribed as it stands."""
    n = len(leaves)
    if n == 1:
        return []
    k = rfc_split(n)
    if m < k:
        return [*rfc_path(m, leaves[:k]), rfc_root(leaves[k:])]
    return [*rfc_path(m - k, leaves[k:]), rfc_root(leaves[:k])]


def rfc_split(n: int) -> int:
    """The largest power of two smaller than n."""
    return 1 << ((n - 1).bit_length() - 1)


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert merkle.root([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("size", range(1, 9))
def test_known_roots(size: int) -> None:
    assert merkle.root(CT_LEAVES[:size]).hex() == CT_ROOTS[size - 1]


def test_a_known_proof() -> None:
    expected = [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    proof = merkle.inclusion_proof(CT_LEAVES, 5)
    assert [sibling.hex() for sibling in proof] == expected


@given(st.lists(st.binary(max_size=40), max_size=70))
def test_the_root_is_the_one_of_the_rfc(leaves: list[bytes]) -> None:
    assert merkle.root(leaves) == rfc_root(leaves)


@given(trees, st.data())
def test_a_proof_is_the_one_of_the_rfc_and_holds(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof = merkle.inclusion_proof(leaves, index)
    assert proof == rfc_path(index, leaves)
    assert merkle.verify_inclusion(leaves[index], index, len(leaves), proof, merkle.root(leaves))


@pytest.mark.parametrize("size", range(1, 34))
def test_every_leaf_of_every_small_tree_is_proved_at_its_place_alone(size: int) -> None:
    leaves = [bytes([n]) for n in range(size)]
    root = merkle.root(leaves)
    for index, leaf in enumerate(leaves):
        proof = merkle.inclusion_proof(leaves, index)
        held = [place for place in range(size) if merkle.verify_inclusion(leaf, place, size, proof, root)]
        assert held == [index]


@given(trees, st.data())
def test_a_proof_holds_for_nothing_else(leaves: list[bytes], data: st.DataObject) -> None:
    index, size = data.draw(st.integers(0, len(leaves) - 1)), len(leaves)
    leaf, proof, root = leaves[index], merkle.inclusion_proof(leaves, index), merkle.root(leaves)
    assert not merkle.verify_inclusion(leaf + b"x", index, size, proof, root)
    assert not merkle.verify_inclusion(leaf, index, size, [*proof, root], root)
    assert not merkle.verify_inclusion(leaf, index, size, proof, merkle.root([*leaves, b"added"]))
    for step in range(len(proof)):
        assert not merkle.verify_inclusion(leaf, index, size, proof[:step] + proof[step + 1 :], root)
        changed = [bytes(32) if at == step else sibling for at, sibling in enumerate(proof)]
        assert not merkle.verify_inclusion(leaf, index, size, changed, root)


@pytest.mark.parametrize(("index", "size"), [(-1, 8), (8, 8), (0, 0), (0, -1)])
def test_no_leaf_stands_outside_the_tree(index: int, size: int) -> None:
    proof = merkle.inclusion_proof(CT_LEAVES, 0)
    assert not merkle.verify_inclusion(CT_LEAVES[0], index, size, proof, merkle.root(CT_LEAVES))


def test_a_proof_is_asked_for_a_leaf_of_the_tree() -> None:
    for index in (-1, 8):
        with pytest.raises(IndexError):
            merkle.inclusion_proof(CT_LEAVES, index)


def test_an_inner_node_is_no_leaf() -> None:
    left, right = merkle.leaf_hash(b"a"), merkle.leaf_hash(b"b")
    root = merkle.root([b"a", b"b"])
    assert not merkle.verify_inclusion(left + right, 0, 1, [], root)


def rfc_subproof(m: int, leaves: list[bytes], *, is_whole: bool) -> list[bytes]:
    """SUBPROOF of section 2.1.4.1, transcribed as it stands."""
    n = len(leaves)
    if m == n:
        return [] if is_whole else [rfc_root(leaves)]
    k = rfc_split(n)
    if m <= k:
        return [*rfc_subproof(m, leaves[:k], is_whole=is_whole), rfc_root(leaves[k:])]
    return [*rfc_subproof(m - k, leaves[k:], is_whole=False), rfc_root(leaves[:k])]


def grown(leaves: list[bytes]) -> tuple[merkle.Frontier, dict[merkle.Node, bytes]]:
    """The tree appended leaf by leaf, and every node that was completed on the way."""
    frontier, nodes = merkle.Frontier(), {}
    for index, leaf in enumerate(leaves):
        nodes[merkle.Node(0, index)] = merkle.leaf_hash(leaf)
        nodes.update(frontier.append(merkle.leaf_hash(leaf)))
    return frontier, nodes


def made(parts: list[merkle.Part], nodes: dict[merkle.Node, bytes]) -> list[bytes]:
    return [merkle.folded([nodes[node] for node in part]) for part in parts]


@given(trees)
def test_a_frontier_that_was_packed_goes_on_as_the_same_tree(leaves: list[bytes]) -> None:
    frontier, nodes = grown([])
    for size, leaf in enumerate(leaves, start=1):
        frontier = merkle.Frontier.unpacked(frontier.size, frontier.packed())
        nodes.update(frontier.append(merkle.leaf_hash(leaf)))
        assert (frontier.size, frontier.root()) == (size, rfc_root(leaves[:size]))
    assert all(
        hashed == rfc_root(leaves[node.place << node.level :][: 1 << node.level]) for node, hashed in nodes.items()
    )


def test_an_empty_frontier_is_the_empty_tree_and_another_number_of_hashes_is_none() -> None:
    assert merkle.Frontier().root() == merkle.root([])
    for size, packed in ((3, bytes(32)), (1, bytes(31)), (0, bytes(32)), (4, b"")):
        with pytest.raises(ValueError, match="complete subtrees"):
            merkle.Frontier.unpacked(size, packed)


@given(trees, st.data())
def test_proofs_made_of_stored_nodes_are_those_of_the_rfc(leaves: list[bytes], data: st.DataObject) -> None:
    _, nodes = grown(leaves)
    size = data.draw(st.integers(1, len(leaves)))
    index = data.draw(st.integers(0, size - 1))
    assert made(merkle.inclusion_parts(index, size), nodes) == rfc_path(index, leaves[:size])
    old = data.draw(st.integers(1, size))
    assert made(merkle.consistency_parts(old, size), nodes) == rfc_subproof(old, leaves[:size], is_whole=True)


@pytest.mark.parametrize(("old", "new"), [(0, 1), (3, 2), (-1, 4)])
def test_there_is_no_proof_from_nothing_or_backwards(old: int, new: int) -> None:
    with pytest.raises(IndexError):
        merkle.consistency_parts(old, new)
    assert not merkle.verify_consistency(old, new, b"", b"", [])


@given(trees, st.data())
def test_a_consistency_proof_holds_for_its_two_trees_and_no_others(leaves: list[bytes], data: st.DataObject) -> None:
    new = len(leaves)
    old = data.draw(st.integers(1, new))
    proof = rfc_subproof(old, leaves, is_whole=True)
    roots = rfc_root(leaves[:old]), rfc_root(leaves)
    assert merkle.verify_consistency(old, new, *roots, proof)
    assert not merkle.verify_consistency(old, new, hashlib.sha256(b"x").digest(), roots[1], proof)
    assert not merkle.verify_consistency(old, new, roots[0], hashlib.sha256(b"x").digest(), proof)
    assert not merkle.verify_consistency(old, new, *roots, [*proof, bytes(32)])
    if proof:
        assert not merkle.verify_consistency(old, new, *roots, proof[:-1])
        at = data.draw(st.integers(0, len(proof) - 1))
        changed = [*proof[:at], bytes(one ^ 1 for one in proof[at]), *proof[at + 1 :]]
        assert not merkle.verify_consistency(old, new, *roots, changed)
