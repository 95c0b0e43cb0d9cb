"""The project's own documents say what is so."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from architecture.source import ROOT, SRC
from procure.states import NOUNS

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *SRC.rglob("*.md")])


@pytest.mark.parametrize(("noun", "table"), [(noun, table) for noun, table, _ in NOUNS])
def test_every_status_can_be_reached_and_leads_only_to_ones_in_the_table(noun: str, table: Mapping[Any, Any]) -> None:
    reached, waiting = set(), [next(iter(table))]
    while waiting:
        status = waiting.pop()
        if status not in reached:
            reached.add(status)
            waiting += table[status]
    assert reached == set(table), noun


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_file(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), target


#: Paths in code quotes: `src/procure/lots/rules.py`, `lots/rules.py`, `tests/build.py`, `kit/db.py`.
QUOTED = re.compile(r"`((?:[\w.-]+/)+[\w-]+\.(?:py|md|json|toml|ini|txt|yml))`")


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"])
def test_every_file_that_a_document_names_is_there(name: str) -> None:
    places = (ROOT, SRC, SRC.parent)
    missing = [
        quoted
        for quoted in QUOTED.findall((ROOT / name).read_text())
        if not any((place / quoted).exists() for place in places)
    ]
    assert not missing


def test_the_map_of_the_house_names_every_package_and_module() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    names = {path.stem for path in SRC.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    missing = {name for name in names if not name.startswith("_") and not re.search(rf"\b{name}(/|\.py|\b)", text)}
    assert not missing


def test_every_decision_is_one_page_with_a_number_of_its_own() -> None:
    pages = sorted((ROOT / "docs" / "adr").glob("*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        lines = page.read_text().splitlines()
        assert lines[0].startswith(f"# {int(page.name[:4])}. "), page.name
        assert len(lines) <= 60, page.name
