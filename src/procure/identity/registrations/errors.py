"""Facts about registrations that stop a request."""

from procure.kit.errors import Conflict, Forbidden, Invalid, NotFound


class RegistrationOff(Forbidden):
    """Suppliers don't register themselves here; the operator registers them."""

    slug, title = "registration-off", "Suppliers are registered by the operator"


class RegistrationInvalid(Invalid):
    """The identifier is not one of its scheme or can't be checked, or the contact's address is none; every fault is listed."""

    slug, title = "registration-invalid", "Registration is not valid"


class RegistrationLimitReached(Conflict):
    """As many registrations as there may be at once wait for their codes from this network address."""

    slug, title = "registration-limit-reached", "As many registrations as there may be"


class RegistrationNotFound(NotFound):
    """There is no such registration, its code is another one, or too many wrong ones were tried: the three are not told apart."""

    slug, title = "registration-not-found", "Registration not found"


class RegistrationNotOpen(Conflict):
    """The registration has been confirmed already, or its code has expired."""

    slug, title = "registration-not-open", "Registration is not open"
