"""The vault of a trial (`kit.trial`): it shows what the real one would give out, keeps nothing and opens nothing."""

from datetime import datetime
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from procure.vault.keys import SCHEME, LotKey, PrivateLotKey, Vault, fingerprint, statement


class TrialVault:
    """Signs as the platform, so that a lot on trial looks as it would; the private half of its key is forgotten at once."""

    is_trial = True

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def make_lot_key(self, lot_id: UUID, not_before: datetime) -> LotKey:  # noqa: ARG002 - nothing is kept until then
        public_key = X25519PrivateKey.generate().public_key().public_bytes_raw()
        key_id = fingerprint(public_key)
        signature = self._vault.sign(statement(lot_id, key_id, SCHEME, public_key))
        return LotKey(lot_id, key_id, SCHEME, public_key, signature)

    async def delay(self, lot_id: UUID, key_id: str, not_before: datetime) -> None:
        """Nothing is moved on trial."""

    async def open_lot(self, lot_id: UUID, key_id: str) -> PrivateLotKey:  # noqa: ARG002 - whichever it is
        raise AssertionError("nothing is opened on trial")
