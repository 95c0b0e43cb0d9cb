"""Every resource in each of its states, for everybody who may see it: its tag, and what is answered to who has it."""

from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from calls import Call
from insights.scenes import STORIES, scene
from procure.kit.actor import Actor
from procure.vault.keyring import FileKeyring

#: What stands under a resource and is read by itself.
PARTS = {
    "lots": ("panel", "scores", "ranking", "seal"),
    "awards": ("assessment",),
    "contracts": ("document", "deliverables/D1", "deliverables/D2"),
}
KEPT = ("cache-control", "etag", "vary")


def addresses(resources: list[str]) -> list[str]:
    found = []
    for resource in resources:
        noun = resource.split("/")[2]
        found += [resource, *(f"{resource}/{part}" for part in PARTS.get(noun, ()))]
    return found


async def conditional(
    call: Call, actor: Actor | None, path: str, method: str = "GET", **headers: str
) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await call(method, actor, path, headers={"Accept-Encoding": "identity", **named}, key=None)


@pytest.mark.parametrize("story", STORIES)
async def test_who_has_it_is_told_so(
    story: str, db: AsyncSession, connection: AsyncConnection, call: Call, vault: FileKeyring
) -> None:
    at = await scene(db, connection, vault)
    kinds: set[str] = set()
    async for _ in STORIES[story](at):
        await db.commit()
        for path in addresses(at.resources):
            for actor in (*at.people.values(), None):
                reply = await conditional(call, actor, path)
                if reply.is_success:
                    await known(call, actor, path, reply)
                    if (kind := path.split("/")[2] + "/" + "/".join(path.split("/")[4:])) not in kinds:
                        kinds.add(kind)
                        await every_way(call, actor, path, reply)
    assert kinds


async def known(call: Call, actor: Actor | None, path: str, reply: httpx.Response) -> None:
    """304, with what a 200 says to who keeps it, and without a body."""
    again = await conditional(call, actor, path, If_None_Match=reply.headers["etag"])
    assert (again.status_code, again.content) == (304, b""), f"{path}: {again.text}"
    assert {name: again.headers.get(name) for name in KEPT} == {name: reply.headers.get(name) for name in KEPT}
    assert "content-type" not in again.headers


async def every_way(call: Call, actor: Actor | None, path: str, reply: httpx.Response) -> None:
    tag = reply.headers["etag"]
    expected: list[tuple[dict[str, Any], int]] = [
        ({"If_None_Match": f"W/{tag}"}, 304),
        ({"If_None_Match": f'"another", W/"third",{tag}'}, 304),
        ({"If_None_Match": "*"}, 304),
        ({"If_None_Match": '"another"'}, 200),
        ({"If_None_Match": tag.strip('"')}, 200),
        ({"If_Match": tag}, 200),
        ({"If_Match": "*"}, 200),
        ({"If_Match": f"W/{tag}"}, 412),
        ({"If_Match": '"another"', "If_None_Match": tag}, 412),
        ({"If_Match": tag, "If_None_Match": tag}, 304),
        ({"If_Modified_Since": "Fri, 01 Jan 2100 00:00:00 GMT"}, 200),
    ]
    for headers, status in expected:
        for method in ("GET", "HEAD"):
            answer = await conditional(call, actor, path, method, **headers)
            assert answer.status_code == status, f"{method} {path} {headers}: {answer.text}"
            assert method == "GET" or not answer.content
            if status < 400:
                assert answer.headers["etag"] == tag
