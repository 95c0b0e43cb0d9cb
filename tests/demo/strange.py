"""A good notice, and what may become of one on its way."""

from copy import deepcopy
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

GOOD: dict[str, Any] = {
    "ocid": "ocds-b5fd17-1",
    "id": "1",
    "date": "2025-01-23T15:07:46Z",
    "tag": ["award"],
    "tender": {
        "title": "A map of waiting",
        "description": "Find out why it takes so long.",
        "value": {"amount": Decimal(99), "currency": "GBP"},
        "classification": {"scheme": "CPV", "id": "72200000-7"},
    },
    "buyer": {"id": "GB-LAE-DUR", "name": "Example Council"},
    "parties": [
        {"id": "GB-LAE-DUR", "name": "Example Council", "roles": ["buyer"], "address": {"postalCode": "EH1 1AA"}},
        {
            "id": "s",
            "name": "Example Limited",
            "roles": ["supplier"],
            "identifier": {"scheme": "GB-COH", "id": "7590785"},
        },
    ],
    "awards": [
        {
            "id": "a",
            "status": "active",
            "value": {"amount": Decimal("24000.50"), "currency": "GBP"},
            "suppliers": [{"id": "s", "name": "Example Limited"}],
            "documents": [
                {"documentType": "awardNotice", "url": "http://Contract Finder"},
                {"documentType": "awardNotice", "url": "https://example.org/Notice/1"},
            ],
        }
    ],
}

JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.text(max_size=20)
    | st.sampled_from(["", "\x00", "\ud800", "<b>", "GB-COH", "active"])
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.sampled_from([Decimal("1e400"), Decimal(0), Decimal(-1), Decimal("0.001")]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place inside a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at for key, one in inner for at in [(*path, key), *places(one, (*path, key))]]


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """The good notice with up to three places changed or gone."""
    release = deepcopy(GOOD)
    for _ in range(draw(st.integers(1, 3))):
        *path, last = draw(st.sampled_from(places(release) or [("ocid",)]))
        parent: Any = release
        for key in path:
            parent = parent[key]
        if draw(st.booleans()):
            parent[last] = draw(JUNK)
        elif last in parent or not isinstance(parent, dict):
            del parent[last]
    return release
