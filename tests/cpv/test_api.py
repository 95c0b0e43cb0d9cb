"""The list over HTTP."""

from sqlalchemy.ext.asyncio import AsyncSession

from build import council, outcome_document
from calls import Call, ok, problem


async def test_codes_are_searched_and_kept_by_whoever_likes(call: Call) -> None:
    reply = await call.get(None, "/v1/cpv?q=software%20develop&limit=1&under=72000000")
    (best,) = ok(reply)["items"]
    assert (best["code"], best["written"], best["level"]) == ("72000000", "72000000-5", 1)
    assert reply.headers["cache-control"] == "public, max-age=86400"
    again = await call.get(
        None, "/v1/cpv?q=software%20develop&limit=1&under=72000000", headers={"If-None-Match": reply.headers["etag"]}
    )
    assert (again.status_code, again.headers["cache-control"]) == (304, "public, max-age=86400")
    assert ok(await call.get(None, "/v1/cpv/72200000-7"))["parents"][0]["code"] == "72000000"
    for path in ("/v1/cpv/72299999", "/v1/cpv/x", "/v1/cpv/72200000-1", "/v1/cpv?under=99999999"):
        refused = await call.get(None, path)
        problem(refused, 404, "cpv-not-found")
        assert refused.headers["cache-control"] == "no-store"
    for query in ("under=72", "limit=0", "limit=201", f"q={'x' * 101}", "q=%00", "q=%C2%84"):
        problem(await call.get(None, f"/v1/cpv?{query}"), 400, "parameters-invalid")


async def test_an_outcome_takes_a_code_of_the_list_and_says_what_is_near_another(db: AsyncSession, call: Call) -> None:
    buyer = await council(db)
    made = ok(await call.post(buyer.officer, "/v1/outcomes", outcome_document(buyer, cpv="72200000-7")), 201)
    assert made["cpv"] == "72200000"
    path = f"/v1/outcomes/{made['id']}"
    for wrong in ("72299999", "72200000-1"):
        for reply in (
            await call.post(buyer.officer, "/v1/outcomes", outcome_document(buyer, cpv=wrong)),
            await call.patch(buyer.officer, path, {"cpv": wrong}),
        ):
            (fault,) = problem(reply, 422, "outcome-invalid")["errors"]
            assert (fault["pointer"], fault["code"]) == ("/cpv", "unknown-cpv")
            assert "72200000-7 (Software programming and consultancy services)" in fault["message"]
    assert ok(await call.patch(buyer.officer, path, {"cpv": "45000000-7"}))["cpv"] == "45000000"
    assert ok(await call.patch(buyer.officer, path, {"cpv": None}))["cpv"] is None
