"""Why a notice is not played."""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why a notice is not played."""

    NOT_A_RELEASE = "not-a-release"
    NO_OCID = "no-ocid"
    NO_TITLE = "no-title"
    NO_BUYER = "no-buyer"
    NO_SUPPLIER = "no-supplier"
    SAME_PARTY = "same-party"
    TWO_KINDS = "two-kinds"
    NO_VALUE = "no-value"
    ZERO_VALUE = "zero-value"
    SYMBOLIC_VALUE = "symbolic-value"
    NEGATIVE_VALUE = "negative-value"
    NOT_MONEY = "not-money"
    OTHER_CURRENCY = "other-currency"
    TOO_LARGE = "beyond-short-lots"
    SUPERSEDED = "superseded"
    NOT_ACTIVE = "not-active"


class CannotPlay(Exception):
    """This notice can't be played; the message says why in a sentence."""

    def __init__(self, reason: Reason, said: str) -> None:
        super().__init__(said)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Unplayable:
    """A notice that is not played. `place` counts in the file from 1."""

    place: int
    ocid: str
    title: str
    reason: Reason
    said: str
