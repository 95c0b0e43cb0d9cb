"""Log lines for people: what a caller sends moves nobody's terminal."""

import httpx
import pytest

from procure.kit import logs


@pytest.mark.parametrize("sent", ["%1b]0;mine%07", "%1b[2Jmine", "mine%E2%80%AE", "mine%0Aanother", "mine%C2%9B2J"])
async def test_an_address_writes_no_control_characters_to_a_terminal(
    client: httpx.AsyncClient, capsys: pytest.CaptureFixture[str], sent: str
) -> None:
    logs.configure(level="info", form="console")
    try:
        await client.get(f"/v1/{sent}")
    finally:
        logs.configure(level="error", form="json")
    (line,) = [one for one in capsys.readouterr().err.splitlines() if "mine" in one]
    told = line.partition("/v1/")[2].partition("mine")
    # What colours the line is written by us, after the path's end.
    assert "\x1b" not in told[0]
    assert not {"\x07", "\x9b", "\u202e"} & set(line)
