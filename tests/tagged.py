"""Every reply of the test suite is held to its entity tag: whoever is answered the same tag is answered the same bytes."""

from hashlib import sha256

import httpx

#: Replies that carry the tag of a resource and are not its representation: a bid's receipt, and a client with its secret.
OTHER = {
    *("submitBid", "withdrawBid", "addClient", "addClientSecret", "addInvitation", "addWebhook", "rotateWebhookSecret")
}

_known: dict[str, tuple[str, bytes]] = {}


def forget() -> None:
    """What was answered is taken back, and its versions will be others'."""
    _known.clear()


async def held_to_its_tag(reply: httpx.Response, operation_id: str) -> None:
    etag = reply.headers.get("etag")
    if etag is None or not reply.is_success or operation_id in OTHER or reply.request.method == "HEAD":
        return
    place = f"{reply.request.method} {reply.request.url.path}"
    # Of whatever coding: what is compared is decoded.
    before, digest = _known.setdefault(
        etag.partition("+")[0].rstrip('"'), (place, sha256(await reply.aread()).digest())
    )
    assert digest == sha256(reply.content).digest(), (
        f"{etag}: {place} answers other bytes than {before} did: {reply.text}"
    )
