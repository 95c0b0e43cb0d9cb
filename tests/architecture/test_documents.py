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


RULES = ROOT / "docs" / "rules.md"


def test_every_function_that_holds_a_rule_is_where_the_page_says() -> None:
    """A cell names a module and then what in it holds the rule: `lots/rules.py` `check_content`, `status_at`."""
    module, checked, missing = "", 0, []
    for quoted in re.findall(r"`([^`\n]+)`", RULES.read_text()):
        if quoted.endswith(".py"):
            module = quoted
        elif module and re.fullmatch(r"\w+", quoted) and quoted not in NO_FUNCTIONS:
            checked += 1
            defined = rf"^(?:(?:async )?def |class )?{quoted}\b"
            if not re.search(defined, (SRC / module).read_text(), re.MULTILINE):
                missing.append((module, quoted))
    assert checked > 50
    assert not missing


#: What the page quotes beside functions: a status, a column, a sum.
NO_FUNCTIONS = {"closed", "closes_at", "event_version", "paid"}


def test_every_rule_that_the_code_cites_by_its_letter_is_on_the_page() -> None:
    letters = re.findall(r"^\| ([a-z]) \|", RULES.read_text(), re.MULTILINE)
    assert letters == list("abcdefghi")
    cited = [
        letter
        for path in SRC.rglob("*.py")
        for said in re.findall(r"\brules? ([a-z](?:(?:, | and )[a-z])*)\b", path.read_text())
        for letter in re.findall(r"\b[a-z]\b", said.replace("and", ""))
    ]
    assert len(cited) > 15
    assert set(cited) <= set(letters)


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
