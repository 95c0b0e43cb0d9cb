"""The routes of the code list."""

from typing import Annotated

from litestar import Controller, get
from litestar.params import FromPath, QueryParameter

from procure.cpv import service
from procure.cpv.errors import CpvNotFound
from procure.cpv.schemas import CpvFindings, CpvView
from procure.kit.http import AsSeen, public
from procure.kit.paging import LIMIT_MAX
from procure.kit.problems import problems

#: The list is of 2008: only a release of this service changes it.
KEPT_S = 24 * 60 * 60
LIMIT_DEFAULT = 20

TextAsked = Annotated[
    str,
    QueryParameter(
        pattern=r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$",  # no control characters, as in every text
        max_length=100,
        description="Words of a name or their beginnings, or the beginning of a code.",
    ),
]
CodeAsked = Annotated[
    str | None,
    QueryParameter(
        pattern=r"^[0-9]{8}(-[0-9])?$", max_length=10, description="Only what lies under this code, and it itself."
    ),
]
LimitAsked = Annotated[int, QueryParameter(ge=1, le=LIMIT_MAX, description="How many at most, 1 to 200.")]


class CpvController(Controller):
    """What is bought, by the Common Procurement Vocabulary."""

    path = "/v1/cpv"
    tags = ("Policy",)

    @get(
        "/",
        operation_id="searchCpv",
        summary="Search CPV codes",
        responses=problems(CpvNotFound),
        **public(kept_s=KEPT_S),
    )
    async def search(
        self, seen: AsSeen, q: TextAsked = "", under: CodeAsked = None, limit: LimitAsked = LIMIT_DEFAULT
    ) -> CpvFindings:
        """Codes of the Common Procurement Vocabulary of 2008, the best first: the very code, then names with all of the words.

        Among those the more general come first. Without `q`: what is right below the code in `under`, or the divisions.
        """
        found = service.search(q, under=under, limit=limit)
        seen.check(found.etag)
        return found

    @get(
        "/{code:str}",
        operation_id="getCpvCode",
        summary="Read a CPV code",
        responses=problems(CpvNotFound),
        **public(kept_s=KEPT_S),
    )
    async def read(self, seen: AsSeen, code: FromPath[str]) -> CpvView:
        """A code, given with or without its check digit, with the codes above it and those right below."""
        found = service.find(code)
        seen.check(found.etag)
        return found
