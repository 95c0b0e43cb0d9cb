"""The keys that access tokens are signed with: ES256, a JWK file each beside the other keys, never in the database.

Which of them does what is told by the files and the time alone, so that any number of processes that share the folder agree without
a word: a key is published and believed as soon as its file is there, signs from its `nbf` on, and until the next one does; it is
believed for as long after as a token of its own may last.
"""

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from procure.identity.schemas import Jwk
from procure.kit.clock import wall_now
from procure.kit.settings import SettingsFault
from procure.vault.files import FolderLock, make_folder

ALGORITHM: Final = "ES256"
#: The first key, under one name for all who start at once; its successors carry their ids.
FILE_NAME = "token-signing.jwk"
_FILES = "token-signing*.jwk"
_LOCK = "token-signing.lock"
#: How long a key is published before it signs: whoever checks tokens by `/oauth/jwks` may have kept that for some minutes.
AHEAD_S = 600
#: How old a process's view of the folder may be. Far below AHEAD_S: a new key is known everywhere before it signs anywhere.
LOOK_EVERY_S = 5.0
#: Clocks of several machines are this far apart at most.
SKEW_S = 60


class SigningKey:
    """A P-256 key, its id (RFC 7638 thumbprint), and when it begins to sign: seconds since 1970. It shows its private half in no text."""

    __slots__ = ("_key", "key_id", "signs_from")

    def __init__(self, key: ECKey, signs_from: int = 0) -> None:
        self._key = key
        self.key_id = key.thumbprint()
        self.signs_from = signs_from

    @classmethod
    def new(cls, signs_from: int = 0) -> "SigningKey":
        return cls(ECKey.generate_key("P-256"), signs_from)

    @property
    def key(self) -> ECKey:
        return self._key

    def public(self) -> Jwk:
        values = self._key.as_dict(private=False)
        x, y = str(values["x"]), str(values["y"])
        return Jwk(kty="EC", crv="P-256", x=x, y=y, kid=self.key_id, use="sig", alg=ALGORITHM)


@dataclass(frozen=True, slots=True)
class Ring:
    """The keys of one look at the folder, in the order in which they sign."""

    keys: tuple[SigningKey, ...]

    def signer(self, moment: float) -> SigningKey:
        """The latest that signs by now."""
        begun = [key for key in self.keys if key.signs_from <= moment]
        return begun[-1] if begun else self.keys[0]

    def believed(self, moment: float, lifetime_s: int) -> tuple[SigningKey, ...]:
        """Those that sign, those that will, and those of which a token may be out still."""
        signer = self.signer(moment)
        ends = {
            key.key_id: after.signs_from + lifetime_s + SKEW_S
            for key, after in zip(self.keys, self.keys[1:], strict=False)
        }
        return tuple(
            key
            for key in self.keys
            if key is signer or key.signs_from > moment or moment < ends.get(key.key_id, moment)
        )


class SigningKeys:
    """The keys in a folder, looked at again every `LOOK_EVERY_S`, so that a running process takes up what `rotate` leaves there."""

    def __init__(self, folder: Path, lifetime_s: int) -> None:
        """A key is made if there is none; several processes that start at once end up with one.

        Raises SettingsFault with a sentence when the folder or a file can't be used.
        """
        self._folder, self._lifetime_s = folder, lifetime_s
        with _said(folder):
            make_folder(folder)
            if not _names(folder):
                _make(folder / FILE_NAME, SigningKey.new())
            self._names, self._ring = _loaded(folder)
        self._looked_at_s = time.monotonic()

    def ring(self) -> Ring:
        """As the folder is, or was some seconds ago: the same object for as long as nothing has changed."""
        if time.monotonic() - self._looked_at_s >= LOOK_EVERY_S:
            self.look()
        return self._ring

    def look(self) -> None:
        """Look at the folder now. What can't be read leaves things as they are: a half-broken folder must not end a service that runs."""
        self._looked_at_s = time.monotonic()
        try:
            if (names := _names(self._folder)) != self._names and names:
                self._ring, self._names = _load(self._folder, names), names
        except (OSError, SettingsFault):
            return

    def signer(self, moment: float | None = None) -> SigningKey:
        """What to sign with now, or at another `moment`, seconds since 1970."""
        return self.ring().signer(_moment(moment))

    def believed(self, moment: float | None = None) -> tuple[SigningKey, ...]:
        return self.ring().believed(_moment(moment), self._lifetime_s)

    def find(self, key_id: object, moment: float | None = None) -> SigningKey | None:
        """The key of a token's `kid`, if it is believed: found among those here by its id, and by nothing else that a token says."""
        return next((key for key in self.believed(moment) if key.key_id == key_id), None)


def _moment(moment: float | None) -> float:
    return wall_now().timestamp() if moment is None else moment


class RotationRunning(SettingsFault):
    """The key that is to sign next is there already."""


def rotate(folder: Path, lifetime_s: int, *, at_once: bool = False) -> SigningKey:
    """Publish a new key, which signs `AHEAD_S` from now; remove those that are believed no more.

    `at_once` is for a key that somebody else may have: the new one signs now, all others are removed, and every token out ends.
    Raises RotationRunning while a key waits for its time, SettingsFault if the folder can't be used.
    """
    keys = SigningKeys(folder, lifetime_s)
    moment = int(wall_now().timestamp())
    with _said(folder), FolderLock(folder / _LOCK).held():
        keys.look()
        ring = keys.ring()
        if not at_once and ring.keys[-1].signs_from > moment:
            raise RotationRunning("A new key is published already and signs soon: nothing is changed.")
        new = SigningKey.new(moment if at_once else moment + AHEAD_S)
        _make(folder / f"token-signing.{new.key_id}.jwk", new)
        kept = {new.key_id} if at_once else {new.key_id, *(key.key_id for key in ring.believed(moment, lifetime_s))}
        for name in _names(folder):
            if _read(folder / name).key_id not in kept:
                (folder / name).unlink()
    return new


@contextmanager
def _said(folder: Path) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise SettingsFault(f"Another process holds the token signing keys in {folder}; try again.") from error
    except OSError as error:
        raise SettingsFault(f"The token signing keys in {folder} can't be used: {error.strerror}.") from error


def _names(folder: Path) -> frozenset[str]:
    """What is in a file never changes: another name is another key."""
    return frozenset(path.name for path in folder.glob(_FILES))


def _loaded(folder: Path) -> tuple[frozenset[str], Ring]:
    """What is there. A rotation may remove a file between the look and the reading: then it is looked at again."""
    names = _names(folder)
    while True:
        try:
            return names, _load(folder, names)
        except FileNotFoundError:
            before, names = names, _names(folder)
            if names == before:
                raise


def _load(folder: Path, names: frozenset[str]) -> Ring:
    found = [_read(folder / name) for name in names]
    return Ring(tuple(sorted(found, key=lambda key: (key.signs_from, key.key_id))))


def _make(path: Path, key: SigningKey) -> None:
    """Write a key whole, then link it into place: whoever links first decides, the others read theirs."""
    members = {"use": "sig", "alg": ALGORITHM, "kid": key.key_id, "nbf": key.signs_from}
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode({**key.key.as_dict(private=True), **members}))
            file.flush()
            os.fsync(descriptor)
        os.link(temporary, path)
    except FileExistsError:
        return
    finally:
        temporary.unlink(missing_ok=True)


def _read(path: Path) -> SigningKey:
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    try:
        values = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        signs_from = msgspec.convert(values.pop("nbf", 0), int)
        key = ECKey.import_key(values)
    except (msgspec.MsgspecError, JoseError, ValueError, KeyError):
        raise _damaged(path) from None  # the cause may quote the key
    if not key.is_private or key.curve_name != "P-256":
        raise _damaged(path)
    return SigningKey(key, signs_from)


def _damaged(path: Path) -> SettingsFault:
    return SettingsFault(
        f"The token signing key {path} is not a private P-256 key in JWK form; restore it, or remove it to have a new one "
        "made (every token handed out so far then stops working)."
    )
