"""An operation that is to go: said in its replies (RFC 9745, RFC 8594) and in the document, in one place."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from litestar.types import Scope


@dataclass(frozen=True)
class Deprecation:
    """Since when an operation should not be used for anything new, when it will be gone, and the page that says what to use instead.

    Instants with an offset; `ends_at` is not before `since` (RFC 9745, section 4), and None while no end is set.
    """

    since: datetime
    link: str
    ends_at: datetime | None = None

    def __post_init__(self) -> None:
        assert self.since.tzinfo is not None
        assert self.ends_at is None or self.ends_at >= self.since

    def headers(self) -> dict[str, str]:
        """`Deprecation` is an RFC 9651 Date, `Sunset` an HTTP date; `Link` leads to the page, for each of them."""
        said = {"Deprecation": f"@{int(self.since.timestamp())}"}
        relations = "deprecation"
        if self.ends_at is not None:
            said["Sunset"] = format_datetime(self.ends_at.astimezone(UTC), usegmt=True)
            relations = "deprecation sunset"
        return {**said, "Link": f'<{self.link}>; rel="{relations}"'}

    def sentence(self) -> str:
        """For the document's reader."""
        end = f"; gone after {self.ends_at.astimezone(UTC):%Y-%m-%d}" if self.ends_at is not None else ""
        return f"Deprecated since {self.since.astimezone(UTC):%Y-%m-%d}{end}: [what to use instead]({self.link})."


def deprecated(route: dict[str, Any], deprecation: Deprecation) -> dict[str, Any]:
    """A route's keyword arguments with its deprecation: `**deprecated(requires(Scope.LOTS_WRITE), Deprecation(…))`."""
    return {**route, "deprecated": True, "opt": {**route["opt"], "deprecation": deprecation}}


def deprecation_at(scope: Scope) -> Deprecation | None:
    """That of the operation which the router has chosen, if it has one; whatever it answers."""
    handler: Any = scope.get("route_handler")
    found: Deprecation | None = handler.opt.get("deprecation") if handler is not None else None
    return found
