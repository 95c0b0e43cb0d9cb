"""Reads OCDS release packages as they really are, and tells each notice that can be played from those that can't, and why."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import files
from pathlib import Path

from procure.demo import cleaning
from procure.demo.documents import Document, as_dict, as_list
from procure.demo.parties import Party, party_of
from procure.demo.reasons import CannotPlay, Reason, Unplayable
from procure.demo.values import value_of

FILE_MAX_BYTES = 128 * 1024 * 1024
SUPPLIERS_MAX = 4
TITLE_LETTERS_MIN = 3


class NoticesUnreadable(Exception):
    """The file is no OCDS that can be read; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What is played of a notice: who bought what, from whom, for how much (net)."""

    place: int
    ocid: str
    release_id: str
    date: str
    url: str | None
    title: str
    description: str
    cpv: str | None
    buyer: Party
    suppliers: tuple[Party, ...]
    suppliers_named: int
    value: Decimal
    award_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Reading:
    """A file's notices, each in one of the two lists."""

    playable: tuple[Notice, ...]
    unplayable: tuple[Unplayable, ...]


def read_file(path: Path | None) -> Reading:
    """The notices of an OCDS file, or of the one that ships with Procure; raises NoticesUnreadable."""
    shipped = files("procure.demo") / "data" / "uk-contracts-finder.json"
    try:
        # Not by its size: a pipe has none, and /dev/zero no end.
        with path.open("rb") if path is not None else shipped.open("rb") as file:
            raw = file.read(FILE_MAX_BYTES + 1)
    except OSError as error:
        raise NoticesUnreadable(f"{path} can't be read: {error.strerror}.") from error
    if len(raw) > FILE_MAX_BYTES:
        raise NoticesUnreadable(f"{path} is larger than {FILE_MAX_BYTES // 1024**2} MiB; split it.")
    return read(raw)


def read(raw: bytes) -> Reading:
    """The notices of a release package, a record package or a bare list of releases; raises NoticesUnreadable."""
    try:
        # Numbers stay exact; NaN and Infinity, which JSON does not have, become nothing.
        document = json.loads(
            raw.decode("utf-8-sig"), parse_float=Decimal, parse_int=Decimal, parse_constant=lambda _: None
        )
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise NoticesUnreadable(f"This is not JSON that can be read: {cleaning.line(str(error), 200)}.") from error
    return sort_out(list(_releases(document)))


def sort_out(releases: Sequence[object]) -> Reading:
    """Each release as a notice to play or a reason not to."""
    playable: list[Notice] = []
    unplayable: list[Unplayable] = []
    for place, release in enumerate(releases, start=1):
        try:
            playable.append(notice_of(release, place))
        except CannotPlay as fact:
            unplayable.append(_unplayable(release, place, fact))
    last = _last_of_each_award(playable)
    kept, other_kind = _of_one_kind(last)
    unplayable += [_superseded(notice) for notice in playable if notice not in last] + other_kind
    return Reading(tuple(kept), tuple(sorted(unplayable, key=lambda one: one.place)))


def _releases(document: object) -> Iterator[object]:
    if isinstance(document, list):
        yield from document
    elif isinstance(document, dict) and isinstance(document.get("releases"), list):
        yield from document["releases"]
    elif isinstance(document, dict) and isinstance(document.get("records"), list):
        for record in document["records"]:
            compiled = as_dict(record).get("compiledRelease")
            yield from [compiled] if compiled else as_list(as_dict(record).get("releases")) or [record]
    else:
        raise NoticesUnreadable("This is neither an OCDS release package nor a record package: it has no `releases`.")


def notice_of(release: object, place: int) -> Notice:
    """One release; raises CannotPlay with the first thing that is in the way."""
    if not isinstance(release, dict):
        raise CannotPlay(Reason.NOT_A_RELEASE, "This entry is not an object.")
    ocid = cleaning.line(release.get("ocid"), 100)
    if not ocid:
        raise CannotPlay(Reason.NO_OCID, "It has no ocid.")
    tender = as_dict(release.get("tender"))
    awards = [
        award for award in map(as_dict, as_list(release.get("awards"))) if award.get("status", "active") == "active"
    ]
    buyer = _buyer(release)
    suppliers = _suppliers(release, awards)
    _check_apart(buyer, suppliers)
    return Notice(
        place=place,
        ocid=ocid,
        release_id=cleaning.line(release.get("id"), 100),
        date=cleaning.line(release.get("date"), 40),
        url=_url(tender, awards),
        title=_title(release, tender),
        description=cleaning.cut(cleaning.text(tender.get("description")), 1200),
        cpv=_cpv(tender),
        buyer=buyer,
        suppliers=tuple(suppliers[:SUPPLIERS_MAX]),
        suppliers_named=len(suppliers),
        value=value_of(release, tender, awards),
        award_ids=frozenset(cleaning.line(award.get("id"), 200) for award in awards),
    )


def _buyer(release: Document) -> Party:
    parties = list(map(as_dict, as_list(release.get("parties"))))
    named = as_dict(release.get("buyer"))
    in_role = [party for party in parties if "buyer" in as_list(party.get("roles"))]
    buyer = party_of(named or (in_role[0] if in_role else {}), parties)
    if buyer is None:
        raise CannotPlay(Reason.NO_BUYER, "It names no buyer.")
    return buyer


def _suppliers(release: Document, awards: list[Document]) -> list[Party]:
    """Every supplier with a name, once, in the order of the awards."""
    parties = list(map(as_dict, as_list(release.get("parties"))))
    named = [supplier for award in awards for supplier in map(as_dict, as_list(award.get("suppliers")))]
    found = [party for supplier in named if (party := party_of(supplier, parties)) is not None]
    if not found:
        said = "Its award names no supplier by name." if named else "It has no award to a supplier (yet)."
        raise CannotPlay(Reason.NO_SUPPLIER, said)
    return list({party.key: party for party in reversed(found)}.values())[::-1]


def _check_apart(buyer: Party, suppliers: list[Party]) -> None:
    if any(one.key == buyer.key or one.name.casefold() == buyer.name.casefold() for one in suppliers):
        raise CannotPlay(Reason.SAME_PARTY, f"{buyer.name} is buyer and supplier at once.")


def _title(release: Document, tender: Document) -> str:
    title = cleaning.line(tender.get("title"), 150) or cleaning.line(release.get("title"), 150)
    if sum(letter.isalnum() for letter in title) < TITLE_LETTERS_MIN:
        raise CannotPlay(Reason.NO_TITLE, f"Its title says nothing: “{title}”.")
    return title


def _cpv(tender: Document) -> str | None:
    classification = as_dict(tender.get("classification"))
    code = str(classification.get("id", "")).partition("-")[0]
    is_cpv = classification.get("scheme") == "CPV" and re.fullmatch(r"[0-9]{8}", code)
    return code if is_cpv else None


def _url(tender: Document, awards: list[Document]) -> str | None:
    documents = [document for one in (*awards, tender) for document in map(as_dict, as_list(one.get("documents")))]
    notices = [one for one in documents if "notice" in str(one.get("documentType", "")).casefold()]
    found = (cleaning.url(one.get("url")) for one in (*notices, *documents))
    return next((url for url in found if url), None)


def _last_of_each_award(notices: Iterable[Notice]) -> list[Notice]:
    """Without those whose every award a later release of the same process states again."""
    ordered = sorted(notices, key=lambda one: (one.date, one.place))
    last = {(notice.ocid, award_id): notice for notice in ordered for award_id in notice.award_ids}
    kept = {notice.place for notice in last.values()} | {one.place for one in ordered if not one.award_ids}
    return [notice for notice in notices if notice.place in kept]


def _of_one_kind(notices: Iterable[Notice]) -> tuple[list[Notice], list[Unplayable]]:
    """Those in which nobody buys who sells in an earlier one, or the other way round: an organisation here is of one kind."""
    kinds: dict[tuple[str, str], str] = {}
    kept, left = [], []
    for notice in notices:
        parts = {notice.buyer: "buyer"} | dict.fromkeys(notice.suppliers, "supplier")
        other = [party for party, kind in parts.items() if kinds.get(party.key, kind) != kind]
        if other:
            said = f"{other[0].name} is a {kinds[other[0].key]} in an earlier notice; one organisation is of one kind."
            left.append(Unplayable(notice.place, notice.ocid, notice.title, Reason.TWO_KINDS, said))
        else:
            kept.append(notice)
            kinds |= {party.key: kind for party, kind in parts.items()}
    return kept, left


def _superseded(notice: Notice) -> Unplayable:
    said = "A later release of the same process states its award again."
    return Unplayable(notice.place, notice.ocid, notice.title, Reason.SUPERSEDED, said)


def _unplayable(release: object, place: int, fact: CannotPlay) -> Unplayable:
    named = as_dict(release)
    title = cleaning.line(as_dict(named.get("tender")).get("title"), 150) or cleaning.line(named.get("title"), 150)
    return Unplayable(place, cleaning.line(named.get("ocid"), 100), title, fact.reason, str(fact))
