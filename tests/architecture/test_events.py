"""Every event is described, bounded, and named as its readers expect; the catalogue is that of the code."""

import re

import msgspec
import pytest

from architecture.source import ROOT, SRC
from architecture.test_routes import unbounded
from procure import catalogue
from procure.journal.events import Event, Told
from procure.journal.schemas import ChangeView

EVENTS = catalogue.catalogue()
#: Past tenses that do not end in -ed.
PAST = {"drawn", "given", "paid", "set", "withdrawn"}


def test_the_page_of_events_is_up_to_date() -> None:
    assert (ROOT / catalogue.PAGE).read_text(encoding="utf-8") == catalogue.render(), "run `make events`"


def test_every_event_of_the_code_is_in_the_catalogue_once() -> None:
    written = sum(
        path.read_text(encoding="utf-8").count("    type: ClassVar[str] = ") for path in SRC.rglob("events.py")
    )
    assert len(EVENTS) == written == len({one.type for one in EVENTS})


@pytest.mark.parametrize("event", EVENTS, ids=lambda one: one.type)
def test_an_event_is_in_the_past_tense_and_says_what_it_tells_to_whom(event: type[Event]) -> None:
    about, _, happened = event.type.partition(".")
    last = happened.rpartition("_")[2]
    assert about
    assert last.endswith("ed") or last in PAST
    assert catalogue.said(event).endswith(".")
    assert "__doc__" in event.__dict__
    assert event.told
    assert set(event.told) <= set(Told)
    assert not (event.readers and event.told == (Told.EVERYBODY,)), "what everybody is told is no role's alone"


@pytest.mark.parametrize("event", EVENTS, ids=lambda one: one.type)
def test_everything_that_an_event_says_is_bounded(event: type[Event]) -> None:
    found = {
        f"{field.name}: {fault}"
        for field in msgspec.structs.fields(event)
        for fault in unbounded(field.type)
        if not fault.startswith("an instant")
    }
    assert not found


def test_every_type_fits_what_a_change_says_of_itself() -> None:
    fields = {one.name: one.type for one in msgspec.structs.fields(ChangeView)}
    for event in EVENTS:
        msgspec.convert(event.type, fields["type"])
        msgspec.convert(event.object_type, fields["object_type"])
        assert re.fullmatch(r"[a-z_.]+", event.type)
