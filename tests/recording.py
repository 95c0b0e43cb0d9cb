"""What the service answered, as an example that is the same whenever it is recorded: no chance, no clock, nothing secret."""

import hashlib
import re
from base64 import b64encode, urlsafe_b64encode
from typing import Any

#: The examples' calendar is that of 2026 and 2027; tests play it eleven years later, when each day is the same day of the week.
YEARS = {"2026": "2037", "2027": "2038"}
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_MINUTES = 5
_CHANCE = re.compile(rf"(?P<uuid>{UUID})|\b(?P<hex>[0-9a-f]{{64}}|[0-9a-f]{{32}})\b")
_DAY = re.compile(rf"\b({'|'.join(YEARS.values())})-")
_INSTANT = re.compile(r"T(\d\d):(\d\d):\d\d(\.\d+)?(Z|\+00:00)")
#: Of values that are drawn by chance or belong to one release: what stands for them.
_BYTES = hashlib.sha256(b"an example").digest()
_URLSAFE = urlsafe_b64encode(_BYTES).decode().rstrip("=")
_BASE64 = b64encode(_BYTES).decode()
#: A hash of the journal's tree.
_HASH = re.compile(r"(?<![\w+/])[\w+/]{43}=(?![\w+/=])", re.ASCII)
_NOTE = f"procure.example/journal\n1042\n{_BASE64}\n\n— procure.example/journal {b64encode(_BYTES * 2 + _BYTES[:4]).decode()}\n"
PLAIN: dict[str, Any] = {
    "access_token": f"eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.{_URLSAFE}.{_URLSAFE}{_URLSAFE}",
    "ahead_seconds": 1209600.0,
    "checkpoint": _NOTE,
    "client_secret": _URLSAFE,
    "code": "Zm9yIG9uZSBwZXJzb24sIGFuZCBmb3Igb25lIHRpbWU",
    "exp": 1764594000,
    "expires_at": "2026-12-08T09:00:00Z",
    "kid": _URLSAFE,
    "made_at": "2026-12-01T09:00:00Z",
    "message_id": "test_0199c0de000070008000000000000060",
    "next_attempt_at": "2026-12-01T09:00:00Z",
    "note": _NOTE,
    "public_key": _BASE64,
    "revision": "20261201_0001",
    "rotation_ends_at": "2026-12-02T09:00:00Z",
    "secret": f"whsec_{_BASE64}",
    "signature": b64encode(_BYTES * 2).decode(),
    "stamped_at": "2026-12-01T09:00:00Z",
    "verifier_key": f"procure.example/journal+9f86d081+{b64encode(bytes([1]) + _BYTES).decode()}",
    "waiting_since": "2026-12-01T09:00:00Z",
    "x": _URLSAFE,
    "y": _URLSAFE,
}


class Recorder:
    """Puts a name of its own for each id and digest that it meets, the same for the same one."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}

    def plain(self, value: Any, field: str = "") -> Any:
        if field in PLAIN and value is not None and not _is_known(field, value):
            return PLAIN[field]
        if isinstance(value, dict):
            return {name: self.plain(inner, name) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.plain(inner) for inner in value]
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        text = _HASH.sub(_BASE64, _CHANCE.sub(self._named, text))
        text = _DAY.sub(lambda found: f"{_back(found[1])}-", text)
        return _INSTANT.sub(lambda found: f"T{found[1]}:{int(found[2]) // _MINUTES * _MINUTES:02d}:00Z", text)

    def _named(self, found: re.Match[str]) -> str:
        number = len(self.names) + 1
        if found["uuid"]:
            made = f"0199c0de-0000-{found['uuid'][14]}000-8000-{0xE000 + number:012x}"
        else:
            made = hashlib.sha256(str(number).encode()).hexdigest()[: len(found["hex"])]
        return self.names.setdefault(found[0], made)


def _is_known(field: str, value: Any) -> bool:
    """A code that is in a list, of checks or of CPV, and no secret."""
    return field == "code" and len(value) < len(PLAIN["code"])


def _back(year: str) -> str:
    return next(before for before, after in YEARS.items() if after == year)


def later(text: str) -> str:
    """An example's dates in the years in which it is played."""
    return re.sub(rf"\b({'|'.join(YEARS)})-(?=\d\d-\d\d)", lambda found: f"{YEARS[found[1]]}-", text)
