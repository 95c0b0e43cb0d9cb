"""What is in the catalogue can be used as it is, says where it comes from, and is told by theme."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from build import active_outcome, council, lot_document, measure_ids, outcome_document
from calls import Call, ok
from procure.kit import clock
from procure.measures import service


def with_values(measure: dict[str, Any]) -> dict[str, Any]:
    """As the buyer completes it: from ten to twenty, or back."""
    values = ("10", "20") if measure["direction"] == "increase" else ("20", "10")
    days = ("2026-01-01", "2027-01-01")
    ends = ({"value": value, "on": day} for value, day in zip(values, days, strict=True))
    return {**measure, **dict(zip(("baseline", "target"), ends, strict=True))}


async def test_every_measure_is_taken_by_an_outcome_and_every_criterion_by_a_lot(db: AsyncSession, call: Call) -> None:
    buyer = await council(db)
    catalogue = ok(await call.get(None, "/v1/measures/catalogue"))
    measures = [with_values(one["measure"]) for one in catalogue["measures"]]
    assert len(measures) > 20
    for start in range(0, len(measures), 20):  # as many as an outcome has
        document = outcome_document(buyer, measures=measures[start : start + 20])
        made = ok(await call.post(buyer.officer, "/v1/outcomes", document), 201)
        assert [one["name"] for one in made["measures"]] == [one["name"] for one in document["measures"]]

    outcome = await active_outcome(db, buyer)
    document = lot_document(outcome.id, await measure_ids(db, outcome), await clock.now(db))
    criteria = [one["criterion"] for one in catalogue["criteria"]]
    document["criteria"] = [
        {"name": "How you would work", "kind": "quality", "weight": 100 - 10 * len(criteria)},
        *criteria,
    ]
    assert {one["kind"] for one in criteria} == {"social_value"}
    assert len(ok(await call.post(buyer.officer, "/v1/lots", document), 201)["criteria"]) == len(criteria) + 1


def test_every_entry_belongs_to_a_theme_and_every_theme_says_its_source() -> None:
    whole = service.catalogue(None)
    keys = {theme.key for theme in whole.themes}
    assert {one.theme for one in whole.measures} == keys == {one.theme for one in whole.criteria}
    assert all(
        "PPN 002" in theme.source.citation and "Open Government Licence" in theme.source.licence
        for theme in whole.themes
    )
    for entries in (whole.measures, whole.criteria):
        assert len({one.key for one in entries}) == len(entries)
    assert len({one.measure.name for one in whole.measures}) == len(whole.measures)
    climate = service.catalogue("climate")
    assert {one.theme for one in climate.measures} == {"climate"}
    assert service.catalogue("nothing").measures == []
