"""The key that access tokens are signed with: ES256, one JWK file beside the other keys, never in the database."""

import os
import secrets
from pathlib import Path
from typing import Final

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from procure.identity.schemas import Jwk
from procure.kit.settings import SettingsFault
from procure.vault.files import make_folder

ALGORITHM: Final = "ES256"
FILE_NAME = "token-signing.jwk"


class SigningKey:
    """A P-256 key and its id, the RFC 7638 thumbprint. It shows its private half in no text."""

    __slots__ = ("_key", "key_id")

    def __init__(self, key: ECKey) -> None:
        self._key = key
        self.key_id = key.thumbprint()

    @classmethod
    def new(cls) -> "SigningKey":
        return cls(ECKey.generate_key("P-256"))

    @classmethod
    def load(cls, folder: Path) -> "SigningKey":
        """The key in `folder`, made there if there is none; several processes that start at once end up with one.

        Raises SettingsFault with a sentence when the folder or the file can't be used.
        """
        path = folder / FILE_NAME
        try:
            make_folder(folder)
            if not path.exists():
                _make(path)
            return cls(_read(path))
        except OSError as error:
            raise SettingsFault(f"The token signing key {path} can't be used: {error.strerror}.") from error

    @property
    def key(self) -> ECKey:
        return self._key

    def public(self) -> Jwk:
        values = self._key.as_dict(private=False)
        x, y = str(values["x"]), str(values["y"])
        return Jwk(kty="EC", crv="P-256", x=x, y=y, kid=self.key_id, use="sig", alg=ALGORITHM)


def _make(path: Path) -> None:
    """Write a key whole, then link it into place: whoever links first decides, the others read theirs."""
    key = ECKey.generate_key("P-256", {"use": "sig", "alg": ALGORITHM}, auto_kid=True)
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(key.as_dict(private=True)))
            file.flush()
            os.fsync(descriptor)
        os.link(temporary, path)
    except FileExistsError:
        return
    finally:
        temporary.unlink(missing_ok=True)


def _read(path: Path) -> ECKey:
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    try:
        key = ECKey.import_key(msgspec.json.decode(path.read_bytes(), type=dict[str, str | list[str]]))
    except (msgspec.DecodeError, JoseError, ValueError, KeyError):
        raise _damaged(path) from None  # the cause may quote the key
    if not key.is_private or key.curve_name != "P-256":
        raise _damaged(path)
    return key


def _damaged(path: Path) -> SettingsFault:
    return SettingsFault(
        f"The token signing key {path} is not a private P-256 key in JWK form; restore it, or remove it to have a new one "
        "made (every token handed out so far then stops working)."
    )
