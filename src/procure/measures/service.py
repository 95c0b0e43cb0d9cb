"""The catalogue: read once, when it is first asked for, and kept."""

from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from procure.measures.schemas import CatalogueCriterion, CatalogueMeasure, MeasureCatalogue, Theme


@cache
def _whole() -> MeasureCatalogue:
    """Everything, as the file has it; each theme with its source."""
    raw: dict[str, Any] = msgspec.json.decode(files("procure.measures").joinpath("data/catalogue.json").read_bytes())
    themes = [{**theme, "source": raw["sources"][theme["source"]]} for theme in raw["themes"]]
    return MeasureCatalogue(
        themes=msgspec.convert(themes, list[Theme]),
        measures=msgspec.convert(raw["measures"], list[CatalogueMeasure]),
        criteria=msgspec.convert(raw["criteria"], list[CatalogueCriterion]),
    )


def catalogue(theme: str | None) -> MeasureCatalogue:
    """All of it, or what is about one theme: nothing, if there is no such."""
    whole = _whole()
    if theme is None:
        return whole
    return MeasureCatalogue(
        themes=[one for one in whole.themes if one.key == theme],
        measures=[one for one in whole.measures if one.theme == theme],
        criteria=[one for one in whole.criteria if one.theme == theme],
    )
