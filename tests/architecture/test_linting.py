"""The linters of the document are as strict as they are said to be, and come from where they are said to come from."""

import json
import re
from typing import Any

from architecture.source import ROOT


def uncommented(name: str) -> str:
    return re.sub(r"^\s*#.*\n", "", (ROOT / name).read_text(), flags=re.MULTILINE)


def test_the_rulesets_are_whole_and_nothing_is_taken_off_redocly() -> None:
    spectral = uncommented(".spectral.yaml")
    assert "- spectral:oas\n" in spectral
    assert '- "@stoplight/spectral-owasp-ruleset"\n' in spectral
    assert uncommented("redocly.yaml") == "extends:\n  - recommended-strict\n"


def test_a_rule_is_off_with_a_reason_above_it() -> None:
    lines = (ROOT / ".spectral.yaml").read_text().splitlines()
    off = [at for at, line in enumerate(lines) if line.endswith(": off")]
    assert 0 < len(off) <= 4, "as few as can be"
    for at in off:
        above = lines[max(0, at - 4) : at]
        assert any(line.lstrip().startswith("# ") for line in above), lines[at]


def lock() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((ROOT / "package-lock.json").read_text())
    return read


def test_every_package_is_pinned_by_its_hash_and_by_no_address() -> None:
    packages = {name: one for name, one in lock()["packages"].items() if name}
    assert len(packages) > 200
    assert not [name for name, one in packages.items() if not one.get("integrity", "").startswith("sha512-")]
    assert not [name for name, one in packages.items() if "resolved" in one]


def test_what_is_asked_for_is_exact_and_is_what_is_locked() -> None:
    asked = json.loads((ROOT / "package.json").read_text())["devDependencies"]
    assert len(asked) == 3
    for name, version in asked.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version), name
        assert lock()["packages"][f"node_modules/{name}"]["version"] == version


def test_no_script_of_a_package_is_run() -> None:
    assert "ignore-scripts=true" in (ROOT / ".npmrc").read_text().splitlines()
