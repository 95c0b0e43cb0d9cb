"""A council, its published lot and a supplier, within the test's own transaction."""

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from build import (
    Council,
    council,
    published_lot,
    supplier,
)
from procure.kit.actor import Actor
from procure.lots.models import Lot
from procure.vault.keyring import FileKeyring


@pytest.fixture
async def buyer(db: AsyncSession) -> Council:
    return await council(db)


@pytest.fixture
async def lot(db: AsyncSession, buyer: Council, vault: FileKeyring) -> Lot:
    return await published_lot(db, buyer, vault)


@pytest.fixture
async def bidder(db: AsyncSession) -> Actor:
    return await supplier(db)
