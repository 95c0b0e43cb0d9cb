"""Facts about organisations that stop a request."""

from procure.kit.errors import Conflict, Forbidden, Invalid, NotFound


class OrganisationNotFound(NotFound):
    """There is no such organisation, or it is not the caller's to act on."""

    slug, title = "organisation-not-found", "Organisation not found"


class OrganisationInvalid(Invalid):
    """The organisation's identifier is not one of its scheme, or what is said of it contradicts itself."""

    slug, title = "organisation-invalid", "Organisation is not valid"


class OrganisationKnown(Conflict):
    """An organisation with this identifier is registered already."""

    slug, title = "organisation-known", "Organisation is registered already"


class OrganisationNotActive(Conflict):
    """Only an active organisation can be suspended."""

    slug, title = "organisation-not-active", "Organisation is not active"


class OrganisationNotSuspended(Conflict):
    """Only a suspended organisation can be reinstated."""

    slug, title = "organisation-not-suspended", "Organisation is not suspended"


class PlatformNeeded(Conflict):
    """The platform's own organisation can't be suspended: nobody would be left to reinstate it."""

    slug, title = "platform-needed", "The platform can't be suspended"


class OrganisationIsSuspended(Forbidden):
    """The organisation that the caller acts for is suspended."""

    slug, title = "organisation-suspended", "Organisation is suspended"
