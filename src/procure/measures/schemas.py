"""What is answered of the catalogue, in the forms that an outcome's draft and a lot's draft take."""

from typing import Annotated

import msgspec
from msgspec import Meta

from procure.kit.etags import TaggedByContent
from procure.kit.fields import Line, Link, Name, Slug
from procure.lots.rules import CriterionKind
from procure.lots.schemas import Weight
from procure.outcomes.rules import Direction


class CatalogueSource(msgspec.Struct, frozen=True, kw_only=True):
    """What the entries are made after, and how it may be reused."""

    citation: Line
    url: Link
    licence: Line


class Theme(msgspec.Struct, frozen=True, kw_only=True):
    """What entries are about, and where in its source it stands."""

    key: Slug
    title: Line
    place: Name
    source: CatalogueSource


class MeasureBody(msgspec.Struct, frozen=True, kw_only=True):
    """A measure of an outcome but for its `baseline` and its `target`: those are the buyer's own."""

    name: Line
    unit: Name
    direction: Direction
    method: Line


class CriterionBody(msgspec.Struct, frozen=True, kw_only=True):
    """A criterion of a lot as it stands, with the least weight that the source gives social value."""

    name: Name
    kind: CriterionKind
    weight: Weight


class CatalogueMeasure(msgspec.Struct, frozen=True, kw_only=True):
    """A measure to pick."""

    key: Slug
    theme: Slug
    measure: MeasureBody


class CatalogueCriterion(msgspec.Struct, frozen=True, kw_only=True):
    """A criterion to pick."""

    key: Slug
    theme: Slug
    criterion: CriterionBody


class MeasureCatalogue(TaggedByContent, frozen=True, kw_only=True):
    """Measures of sustainability and social value, and criteria to go with them, by theme."""

    themes: Annotated[list[Theme], Meta(max_length=50)]
    measures: Annotated[list[CatalogueMeasure], Meta(max_length=500)]
    criteria: Annotated[list[CatalogueCriterion], Meta(max_length=200)]
