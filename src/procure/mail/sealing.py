"""What keeps letters from who reads the database or a copy of it: a key in a file beside the other keys.

A code that waits in the outbox would else let in whoever reads it there. The same key makes marks of addresses, by which they are counted
and not known.
"""

import hmac
import secrets
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from procure.vault import files

FILE_NAME = "mail.key"
_LOCK = "mail.lock"
_KEY_BYTES, _NONCE_BYTES = 32, 12


class Unreadable(Exception):
    """It was sealed with another key, as another letter, or has been changed."""


class MailKey:
    """The one of this folder, made if there is none yet, for all processes that share the folder. It shows itself in no text."""

    __slots__ = ("_marks", "_seals")

    def __init__(self, folder: Path) -> None:
        files.make_folder(folder)
        with files.FolderLock(folder / _LOCK).held():
            if not (folder / FILE_NAME).exists():
                files.write(folder / FILE_NAME, secrets.token_bytes(_KEY_BYTES))
            key = files.read(folder / FILE_NAME)
        self._seals = AESGCM(hmac.digest(key, b"procure mail letters", "sha256"))
        self._marks = hmac.digest(key, b"procure mail marks", "sha256")

    def seal(self, id_: UUID, plain: bytes) -> bytes:
        """Nonce and AES-256-GCM, bound to the letter's id."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._seals.encrypt(nonce, plain, id_.bytes)

    def open(self, id_: UUID, sealed: bytes) -> bytes:
        """The reverse; raises Unreadable."""
        try:
            return self._seals.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], id_.bytes)
        except InvalidTag:
            raise Unreadable from None

    def mark(self, purpose: str, text: str) -> bytes:
        """The same for the same text, and telling nothing of it without the key: HMAC-SHA256 (RFC 2104)."""
        return hmac.digest(self._marks, f"{purpose} {text}".encode(), "sha256")
