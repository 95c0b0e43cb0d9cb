"""The route of the catalogue."""

from typing import Annotated

from litestar import Controller, get
from litestar.params import QueryParameter

from procure.kit.http import AsSeen, public
from procure.kit.problems import problems
from procure.measures import service
from procure.measures.schemas import MeasureCatalogue

#: It changes with a release alone.
KEPT_S = 60 * 60

ThemeAsked = Annotated[
    str | None, QueryParameter(pattern=r"^[a-z]+(-[a-z]+)*$", max_length=60, description="A theme by its `key`.")
]


class MeasureController(Controller):
    """Measures to pick from."""

    path = "/v1/measures"
    tags = ("Outcomes",)

    @get(
        "/catalogue",
        operation_id="getMeasureCatalogue",
        summary="Read the catalogue of measures",
        responses=problems(),
        **public(kept_s=KEPT_S),
    )
    async def read(self, seen: AsSeen, theme: ThemeAsked = None) -> MeasureCatalogue:
        """Measures and criteria of sustainability and social value, after the government's Social Value Model.

        Put a `measure` into an outcome's draft with a `baseline` and a `target` of yours, a `criterion` into a lot's draft as it is: they
        are measures and criteria like any other.
        """
        found = service.catalogue(theme)
        seen.check(found.etag)
        return found
