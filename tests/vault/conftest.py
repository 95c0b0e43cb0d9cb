"""Every test of the vault has a folder of its own, which does not exist yet."""

from pathlib import Path

import pytest

from vault.house import House


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "deep" / "keyring")
