"""An issuer that misbehaves, or is away: what it publishes, and what others make of its absence."""

import msgspec

from calls import problem
from described import client_of
from identity.issuing import AUDIENCE
from identity.test_sign_ons import PATH, Ground, clock, ground, issuer
from procure.app import create_app
from procure.kit.db import Sessions
from procure.kit.settings import Settings
from procure.vault.keyring import FileKeyring

__all__ = ["clock", "ground", "issuer"]


async def test_what_cannot_be_checked_counts_for_its_address(
    settings: Settings, sessions: Sessions, vault: FileKeyring, ground: Ground
) -> None:
    """While an issuer is away anybody can forge what nobody can refuse yet: that is no way around the limits."""
    ground.issuer.behaves = "500"
    few = msgspec.structs.replace(settings, oidc_issuers=f"{ground.issuer.issuer} {AUDIENCE}", rate_address=3)
    async with client_of(create_app(few, sessions=sessions, vault=vault)) as client:
        for number in range(4):
            forged = {"Authorization": f"Bearer {ground.issuer.token(str(number), head_kid=str(number))}"}
            reply = await client.get(PATH, headers=forged)
            problem(reply, *((503, "sign-on-away") if number < 3 else (429, "too-many-requests")))
