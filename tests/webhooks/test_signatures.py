"""Signatures as the Standard Webhooks specification has them, and the receivers' code of docs/webhooks.md, run as it stands there."""

import asyncio
import base64
import re
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from procure.kit.clock import wall_now
from procure.webhooks import signatures
from procure.webhooks.signatures import Scheme, shown_key, shown_secret

GUIDE = Path(__file__).parents[2] / "docs" / "webhooks.md"
NODE = Path(sys.executable).parent / "node"


def test_the_specifications_own_example_is_signed_as_it_says() -> None:
    """From the reference libraries of github.com/standard-webhooks/standard-webhooks."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = signatures.headers(
        Scheme.HMAC, [secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert made == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_secret_is_new_each_time_and_a_key_has_a_public_half() -> None:
    secrets = {signatures.make(Scheme.HMAC).secret for _ in range(50)}
    assert len(secrets) == 50
    assert {len(one) for one in secrets} == {signatures.SECRET_BYTES}
    assert signatures.make(Scheme.HMAC).public_key is None
    assert len(signatures.make(Scheme.ED25519).public_key or b"") == 32


def block(language: str) -> str:
    """The receiver's code in the guide."""
    found = re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert len(found) == 1, language
    return str(found[0])


#: What a receiver is sent, and whether it takes that.
CASES = {
    "as it was sent": True,
    "signed by two": True,
    "another body": False,
    "another id": False,
    "another time": False,
    "ten minutes old": False,
    "ten minutes ahead": False,
    "no signature": False,
    "another kind of signature": False,
    "another's secret": False,
    "no base64": False,
}


def sent(scheme: Scheme, case: str) -> dict[str, Any]:
    """What `verify` is given: the headers, the body, and what the receiver has kept."""
    mine, other = signatures.make(scheme), signatures.make(scheme)
    now, body, id_ = int(wall_now().timestamp()), b'{"type":"lot.published"}', "evt_42_00ff"
    at = now + {"ten minutes old": -600, "ten minutes ahead": 600}.get(case, 0)
    keys = {"signed by two": [other.secret, mine.secret], "another's secret": [other.secret]}.get(case, [mine.secret])
    headers = signatures.headers(scheme, keys, id_, at, body)
    if case == "another id":
        headers["webhook-id"] = "evt_43_00ff"
    if case == "another time":
        headers["webhook-timestamp"] = str(at + 1)
    if case == "no signature":
        headers["webhook-signature"] = ""
    if case == "another kind of signature":
        headers["webhook-signature"] = headers["webhook-signature"].replace("v1", "v9", 1)
    if case == "no base64":
        headers["webhook-signature"] = f"{headers['webhook-signature'].partition(',')[0]},é=!"
    kept = shown_secret(mine.secret) if mine.public_key is None else shown_key(mine.public_key)
    return {"headers": headers, "body": (b"{}" if case == "another body" else body).decode(), "kept": kept}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("scheme", Scheme)
def test_the_guides_python_takes_what_was_sent_and_nothing_else(scheme: Scheme, case: str) -> None:
    names: dict[str, Any] = {}
    exec(compile(block("python"), str(GUIDE), "exec"), names)
    asked = sent(scheme, case)
    assert names["verify"](asked["headers"], asked["body"].encode(), asked["kept"]) is CASES[case]


async def test_the_guides_javascript_takes_what_was_sent_and_nothing_else(tmp_path: Path) -> None:
    """All cases in one process, which takes a while to start."""
    if not NODE.exists():
        pytest.skip("There is no Node for this machine.")
    asked = [sent(scheme, case) for scheme in Scheme for case in CASES]
    script = tmp_path / "receiver.mjs"
    ask = "const asked = JSON.parse(process.argv[2]);\n"
    tell = "console.log(JSON.stringify(asked.map((one) => verify(one.headers, Buffer.from(one.body), one.kept))));\n"
    script.write_text(block("javascript") + ask + tell)
    process = await asyncio.create_subprocess_exec(
        NODE, script, msgspec.json.encode(asked).decode(), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert msgspec.json.decode(out) == [CASES[case] for _ in Scheme for case in CASES]
