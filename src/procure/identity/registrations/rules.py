"""What a registration needs, how long its code lives, and how often anybody is written to."""

import hmac
from datetime import datetime, timedelta
from typing import NamedTuple

from email_validator import EmailNotValidError, validate_email

from procure.identity.registrations.errors import (
    RegistrationInvalid,
    RegistrationLimitReached,
    RegistrationNotOpen,
)
from procure.identity.rules import hash_secret
from procure.kit.errors import Faults
from procure.organisations.rules import CHECKED_SCHEMES, canonical_identifier

#: How long a code lives, by the machine's time as tokens do.
CODE_LIFETIME = timedelta(hours=24)
#: How long a registration is remembered, so that letters to one address can be counted.
REMEMBERED = timedelta(hours=48)
#: Wrong codes, after which the right one is worth nothing either.
ATTEMPTS_MAX = 5
#: Letters to one mailbox within COUNTED, whoever asks for them.
LETTERS_MAX, COUNTED = 3, timedelta(hours=24)
#: Registrations of one network address that wait for their codes.
OPEN_MAX = 20


class Applicant(NamedTuple):
    """What a registration is judged to name: a canonical identifier, and an address as a mail server takes it."""

    scheme: str
    identifier: str
    email: str


def check_applicant(scheme: str, identifier: str, email: str) -> Applicant:
    """Raises RegistrationInvalid with every fault. Only identifiers of schemes that have rules: nobody else looks at them here."""
    faults = Faults()
    known = ", ".join(sorted(CHECKED_SCHEMES))
    faults.unless(
        scheme in CHECKED_SCHEMES, "/identifier/scheme", "scheme", f"Register by one of {known}; else ask the operator."
    )
    found = canonical_identifier(scheme, identifier)
    faults.unless(found is not None, "/identifier/id", "identifier", f"This is no identifier of {scheme}.")
    address = _address(email, faults)
    faults.raise_any(RegistrationInvalid)
    assert found is not None
    return Applicant(scheme, found, address)


def _address(email: str, faults: Faults) -> str:
    """As RFC 5321 takes it, an international domain in its A-labels. Whether anybody reads there the letter itself finds out."""
    try:
        known = validate_email(email, allow_smtputf8=False, check_deliverability=False, strict=True)
    except EmailNotValidError as error:
        faults.add("/contact/email", "email", str(error))
        return ""
    assert known.ascii_email is not None
    return known.ascii_email


def mailbox(email: str) -> str:
    """Whom an address reaches, for counting alone: what stands after a plus is mostly the same reader's, and case is."""
    local, _, domain = email.casefold().rpartition("@")
    return f"{local.partition('+')[0] or local}@{domain}"


def is_let_write(letters: int) -> bool:
    """Whether one more letter goes to a mailbox that had so many."""
    return letters < LETTERS_MAX


def check_room(open_: int) -> None:
    """Whether there is room for one more; `open_` are the network address's own."""
    if open_ >= OPEN_MAX:
        raise RegistrationLimitReached(
            f"{OPEN_MAX} registrations from your network address wait for their codes; confirm them, or wait a day."
        )


def is_right(code: str, code_hash: bytes) -> bool:
    """Compared in constant time."""
    return hmac.compare_digest(hash_secret(code), code_hash)


def is_over(attempts: int) -> bool:
    """Whether so many wrong codes were tried that the right one is worth nothing either."""
    return attempts >= ATTEMPTS_MAX


def check_confirmable(confirmed_at: datetime | None, expires_at: datetime, now: datetime) -> None:
    """Who is told has its code, so nobody learns of a registration here."""
    if confirmed_at is not None:
        raise RegistrationNotOpen("It has been confirmed already; its client's secret was shown then, and never again.")
    if now >= expires_at:
        raise RegistrationNotOpen("The code has expired; register again.")
