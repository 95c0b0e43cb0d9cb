"""A key beside the lots' keys, for what the service has to read again and nobody who has the database shall: webhooks' secrets, letters.

The key's file also tells one installation from its copies: `instance` is made of the key and of the file's own number in its file system.
Who restores the database elsewhere has another key, and who copies the folder too has the same one in another file.
"""

import hmac
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from procure.kit.settings import SettingsFault
from procure.vault import files

#: Its folder, beside the other keys.
STRONGBOX = "strongbox"
_NAME, _LOCK = "sealing.key", "lock"
_KEY_BYTES, _NONCE_BYTES = 32, 12


class Unreadable(Exception):
    """It was not sealed under this key, or for something else."""


class Strongbox:
    """AES-256-GCM under a key in a folder of its own, made at the first start. Construction reads the disk."""

    def __init__(self, folder: Path) -> None:
        """Raises SettingsFault if the folder can't be used."""
        try:
            files.make_folder(folder)
            path = folder / _NAME
            with files.FolderLock(folder / _LOCK).held():
                if not path.exists():
                    files.write(path, secrets.token_bytes(_KEY_BYTES))
            key = files.read(path)
            said = b"procure/instance/v1 %d" % path.stat().st_ino
        except (OSError, TimeoutError, files.Damaged) as error:
            raise SettingsFault(f"The sealing key in {folder} can't be used: {type(error).__name__}.") from None
        self._cipher, self._marks = AESGCM(key), hmac.digest(key, b"procure/marks/v1", "sha256")
        self.instance = hmac.digest(key, said, "sha256").hex()[:32]

    def mark(self, purpose: str, text: str) -> bytes:
        """The same for the same text, and telling nothing of it without the key: HMAC-SHA256 (RFC 2104)."""
        return hmac.digest(self._marks, f"{purpose} {text}".encode(), "sha256")

    def seal(self, plain: bytes, about: bytes) -> bytes:
        """`about` is whose it is: what is moved to another row can't be opened there."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, about)

    def open(self, sealed: bytes, about: bytes) -> bytes:
        """Raises Unreadable."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], about)
        except (InvalidTag, ValueError):
            raise Unreadable from None
