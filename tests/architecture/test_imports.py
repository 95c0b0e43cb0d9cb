"""The import contracts cover every package, hold, and break when somebody breaks them."""

import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from architecture.source import PARTS, ROOT, SRC

CONTRACTS = ROOT / ".importlinter"


def lint(checkout: Path) -> subprocess.CompletedProcess[str]:
    """`lint-imports` on the code of this checkout, whatever is installed."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    environment = os.environ | {"PYTHONPATH": str(checkout / "src")}
    return subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the code that a test may spoil."""
    shutil.copytree(SRC, tmp_path / "src" / "procure", ignore=shutil.ignore_patterns("__pycache__", "assets", "data"))
    shutil.copy(CONTRACTS, tmp_path)
    return tmp_path


def contract(name: str) -> configparser.SectionProxy:
    parser = configparser.ConfigParser()
    parser.read(CONTRACTS)
    return parser[f"importlinter:contract:{name}"]


def packages() -> set[str]:
    """Every folder with one of the house's six files, as it is imported."""
    files = (path for part in PARTS for path in SRC.rglob(f"{part}.py"))
    return {".".join(path.parent.relative_to(SRC.parent).parts) for path in files}


def test_the_contracts_hold() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout[-4000:]


def test_every_package_is_held_to_the_order_inside_it() -> None:
    # The kit's errors are everybody's; document is no step; the vault has no business rules, and its own order in its docstrings.
    held = set(contract("package")["containers"].split()) | {
        "procure.document",
        "procure.identity",
        "procure.kit",
        "procure.vault",
        "procure.webhooks",
    }
    assert packages() - held == set()


PLANTED = {
    "an earlier step asks a later one": ("lots/service.py", "from procure.awards import models as _", "step"),
    "siblings know each other": ("bids/service.py", "from procure.enquiries import models as _", "step"),
    "the kit knows procurement": ("kit/money.py", "from procure.lots import rules as _", "step"),
    "a model knows its service": ("lots/models.py", "import procure.lots.service", "Inside a package"),
    "a rule knows the table": ("lots/rules.py", "from procure.lots.models import Lot", "Inside a package"),
    "a rule knows SQL": ("policy/rules.py", "from sqlalchemy import select", "Rules know no framework"),
    "a rule knows who knows SQL": ("lots/rules.py", "from procure.policy import service", "Rules know no framework"),
    "a service knows HTTP": ("awards/service.py", "from litestar import Request", "Services know no HTTP"),
    "a service imports a route": ("awards/service.py", "from procure.lots import controllers", "imports controllers"),
    "the demo reaches behind HTTP": ("demo/play.py", "from procure.lots import service", "plays over HTTP"),
    "a module that no layer names": ("lots/helpers.py", '"""Odds and ends."""', "Inside a package"),
    "a package that no tier names": ("auctions/__init__.py", '"""Another step."""', "step"),
}


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_whoever_breaks_a_contract_is_told_which(checkout: Path, planted: tuple[str, str, str]) -> None:
    where, line, told = planted
    path = checkout / "src" / "procure" / where
    path.parent.mkdir(exist_ok=True)
    path.write_text((path.read_text() if path.exists() else "") + f"\n{line}\n")
    done = lint(checkout)
    assert done.returncode != 0
    broken = [line for line in done.stdout.splitlines() if " BROKEN" in line]
    assert any(told in line for line in broken), done.stdout[-4000:]
