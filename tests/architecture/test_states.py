"""The drawn states are those of the rules, and every table of the code is drawn."""

from architecture.source import ROOT, SRC
from procure import states


def test_the_page_of_states_is_up_to_date() -> None:
    assert (ROOT / states.PAGE).read_text(encoding="utf-8") == states.render(), "run `make states`"


def test_every_transition_table_is_drawn() -> None:
    tables = sum(path.read_text(encoding="utf-8").count("NEXT: dict[") for path in SRC.rglob("rules.py"))
    assert tables == len(states.NOUNS)
