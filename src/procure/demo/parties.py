"""The organisations of a notice, each under one identifier, so that a second run finds those that the first registered."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from procure.demo import cleaning
from procure.demo.documents import Document, as_dict
from procure.organisations.rules import Nation, canonical_identifier

#: For a party that states no identifier, or none that its scheme has: a digest of its name.
BY_NAME = "XX-NAME"

_SCHEME = re.compile(r"[A-Z]{2}(_[A-Z]{2,3})?-[A-Z0-9_-]{2,24}")
_PARTY_ID = re.compile(r"([A-Z]{2}-[A-Z0-9_]{2,24})-(.+)")
_CENTRAL = re.compile(
    r"\b(ministry of|department (for|of)|cabinet office|home office|hm (treasury|revenue)|foreign,? commonwealth|crown prosecution)\b",
    re.IGNORECASE,
)
_NAMES = {
    "scotland": Nation.SCOTLAND,
    "wales": Nation.WALES,
    "northern ireland": Nation.NORTHERN_IRELAND,
}
#: Areas of postcodes that lie outside England, whole or for the most part (ONS postcode directory).
_POSTCODES = {
    Nation.SCOTLAND: {"AB", "DD", "DG", "EH", "FK", "G", "HS", "IV", "KA", "KW", "KY", "ML", "PA", "PH", "TD", "ZE"},
    Nation.WALES: {"CF", "LD", "LL", "NP", "SA"},
    Nation.NORTHERN_IRELAND: {"BT"},
}
_POSTCODE = re.compile(r"\b([A-Z]{1,2})[0-9][0-9A-Z]? ?[0-9][A-Z]{2}\b")


@dataclass(frozen=True, slots=True)
class Party:
    """An organisation as it is registered."""

    name: str
    scheme: str
    identifier: str
    nation: Nation
    is_central_government: bool

    @property
    def key(self) -> tuple[str, str]:
        return self.scheme, self.identifier


def party_of(named: Document, parties: Sequence[Document]) -> Party | None:
    """The party that `named` (a buyer, a supplier of an award) refers to, or None where it has no name anywhere."""
    same = [party for party in parties if party.get("id") and party.get("id") == named.get("id")]
    known = [one for one in (named, *same) if one]
    names = [one.get("name") for one in known] + [as_dict(one.get("identifier")).get("legalName") for one in known]
    name = next((said for said in map(cleaning.line, names) if said), None)
    if name is None:
        return None
    scheme, identifier = _identity(name, known)
    place = " ".join(cleaning.line(value) for one in known for value in as_dict(one.get("address")).values())
    is_central = scheme == "GB-GOR" or bool(_CENTRAL.search(name))
    return Party(name, scheme, identifier, nation_of(place), is_central)


def _identity(name: str, known: Sequence[Document]) -> tuple[str, str]:
    """Scheme and identifier as stated; else both out of the party's id (`GB-CFS-168513`); else a digest of the name."""
    stated = [(as_dict(one.get("identifier")).get("scheme"), as_dict(one.get("identifier")).get("id")) for one in known]
    stated += [(found[1], found[2]) for one in known if (found := _PARTY_ID.fullmatch(str(one.get("id", ""))))]
    for scheme, identifier in stated:
        if isinstance(scheme, str) and isinstance(identifier, str) and _SCHEME.fullmatch(scheme):
            canonical = canonical_identifier(scheme, identifier[:200])
            if canonical is not None and len(canonical) <= 100:
                return scheme, canonical
    return BY_NAME, sha256(" ".join(name.casefold().split()).encode()).hexdigest()[:32]


def nation_of(address: str) -> Nation:
    """Where an address lies within the United Kingdom; England where it does not say."""
    said = address.casefold()
    for name, nation in _NAMES.items():
        if name in said and f"new south {name}" not in said:
            return nation
    found = _POSTCODE.search(address.upper())
    area = found.group(1) if found else ""
    return next((nation for nation, areas in _POSTCODES.items() if area in areas), Nation.ENGLAND)
