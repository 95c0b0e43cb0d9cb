"""Facts of the code list."""

from procure.kit.errors import NotFound


class CpvNotFound(NotFound):
    """The Common Procurement Vocabulary of 2008 has no such code, or not with this check digit."""

    slug, title = "cpv-not-found", "CPV code not found"
