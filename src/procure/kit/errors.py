"""Facts that stop a request: what a rule found, in words, before HTTP is thought of.

A package's `errors.py` derives its own facts from the families below; `problems.py` turns the family into a status. A rule
that finds several faults in one body raises them together, each with the JSON Pointer (RFC 6901) of its place.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, NoReturn, Self

#: How many faults of one body are told; whoever mends them is told the next ones.
FAULTS_MAX = 100


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a body: where (JSON Pointer), a stable code, a sentence."""

    pointer: str
    code: str
    message: str


class Fact(Exception):
    """Base of every refusal. `slug` names the problem type, `title` is its short name; both are part of the API."""

    slug: ClassVar[str]
    title: ClassVar[str]
    status: ClassVar[int]
    #: Whether, and after how many seconds, the same request may succeed.
    retry_after_s: int | None = None
    #: Of a body whose content coding is refused: the one that is taken (RFC 9110, section 12.5.3).
    takes_coding: ClassVar[str | None] = None

    def __init__(self, detail: str = "", *, faults: Iterable[Fault] = ()) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or f"{self.title}."
        self.faults = tuple(faults)[:FAULTS_MAX]
        self.refusal: object | None = None
        self.is_kept = False

    def recorded(self, refusal: object, *, kept: bool = False) -> Self:
        """Carry the journal entry of a guarded refusal; `provide_db` writes it after its own rollback.

        `kept`: it is the last word to its Idempotency-Key, as what was done is; a retry adds no second entry.
        """
        self.refusal, self.is_kept = refusal, kept
        return self


class Malformed(Fact):
    """The request cannot be read at all (400)."""

    slug, title, status = "malformed", "Malformed request", 400


class Unauthenticated(Fact):
    """Nobody is known to be calling (401)."""

    slug, title, status = "unauthenticated", "Authentication needed", 401


class Forbidden(Fact):
    """The caller may see the thing but not do this to it (403)."""

    slug, title, status = "forbidden", "Not allowed", 403


class NotFound(Fact):
    """Absent, or not the caller's to know of: the two are not told apart (404)."""

    slug, title, status = "not-found", "Not found", 404


class Conflict(Fact):
    """The state of things does not allow it now, or somebody was faster (409)."""

    slug, title, status = "conflict", "Conflict with the current state", 409


class PreconditionFailed(Fact):
    """It is not as the caller's condition says (412)."""

    slug, title, status = "precondition-failed", "Precondition failed", 412


class PreconditionRequired(Fact):
    """This is done only on a condition, and the request has none (428, RFC 6585)."""

    slug, title, status = "precondition-required", "Precondition required", 428


class Invalid(Fact):
    """The body is readable, and wrong (422). All its faults are told at once."""

    slug, title, status = "invalid", "Content is not valid", 422


class Unavailable(Fact):
    """Something the service needs is away; the same request may succeed shortly (503)."""

    slug, title, status, retry_after_s = "unavailable", "Service temporarily unavailable", 503, 2


class Faults:
    """Collects every fault of a body, so that a caller mends them in one go."""

    def __init__(self) -> None:
        self.found: list[Fault] = []

    def add(self, pointer: str, code: str, message: str) -> None:
        self.found.append(Fault(pointer, code, message))

    def unless(self, holds: bool, pointer: str, code: str, message: str) -> None:
        if not holds:
            self.add(pointer, code, message)

    def raise_any(self, error: type[Fact], detail: str = "") -> None:
        if self.found:
            self.raise_as(error, detail)

    def raise_as(self, error: type[Fact], detail: str = "") -> NoReturn:
        told = " ".join(fault.message for fault in self.found[:FAULTS_MAX])
        raise error(detail or told, faults=self.found)
