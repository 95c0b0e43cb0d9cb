"""Files that outlive a crash: written whole or not at all, checked when read, changed by one process at a time."""

import fcntl
import hashlib
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK_WAIT_S = 10.0
_LOCK_POLL_S = 0.005
_HEADER = b"procure-vault-1 "
_TEMPORARY = ".writing"


class Damaged(Exception):
    """The file is not what was written into it."""


def make_folder(folder: Path) -> None:
    """A folder of mode 0700; its parents are made as needed, and an existing one is closed to others."""
    if not folder.is_dir():
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        _sync_folder(folder.parent)
    if folder.stat().st_mode & 0o777 != 0o700:
        folder.chmod(0o700)


def write(path: Path, payload: bytes) -> None:
    """Replace the file by `payload`, mode 0600, durable on return. The caller holds the lock."""
    temporary = path.with_name(path.name + _TEMPORARY)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)
        file.write(_HEADER + hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload)
        file.flush()
        os.fsync(descriptor)
    temporary.replace(path)
    _sync_folder(path.parent)


def read(path: Path) -> bytes:
    """The payload as it was written; FileNotFoundError, or Damaged."""
    # Nothing is raised where the bytes are a local variable: tracebacks that print locals would print a share.
    payload = _intact(path)
    if payload is None:
        raise Damaged(path.name)
    return payload


def remove(path: Path) -> None:
    """Remove the file if it is there, durable on return."""
    path.unlink(missing_ok=True)
    _sync_folder(path.parent)


def remove_unfinished(folder: Path) -> None:
    """Clear what a crash in the middle of `write` left. The caller holds the lock, so nobody is writing."""
    for path in folder.glob(f"*{_TEMPORARY}"):
        remove(path)


class FolderLock:
    """Exclusive between threads and processes; the kernel frees it when its holder dies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads = threading.Lock()

    @contextmanager
    def held(self) -> Iterator[None]:
        """TimeoutError after `LOCK_WAIT_S`: a stopped process must not stop the others for ever."""
        deadline = time.monotonic() + LOCK_WAIT_S
        if not self._threads.acquire(timeout=LOCK_WAIT_S):
            raise TimeoutError
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                _lock(descriptor, deadline)
                yield
            finally:
                os.close(descriptor)
        finally:
            self._threads.release()


def _lock(descriptor: int, deadline: float) -> None:
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise TimeoutError from None
            time.sleep(_LOCK_POLL_S)


def _intact(path: Path) -> bytes | None:
    header, _, payload = path.read_bytes().partition(b"\n")
    return payload if header == _HEADER + hashlib.sha256(payload).hexdigest().encode() else None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
