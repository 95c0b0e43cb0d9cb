"""The signing key's file: one key however many start at once, and a sentence when it can't be used."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from joserfc.jwk import ECKey, OctKey

from procure.identity import signing
from procure.identity.signing import FILE_NAME, SigningKey, SigningKeys
from procure.kit.settings import SettingsFault

_LOAD = """
import sys
from pathlib import Path
from procure.identity.signing import SigningKeys
print("ready", flush=True)
sys.stdin.read(1)
print(SigningKeys(Path(sys.argv[1]), 3600).signer().key_id)
"""


LIFETIME_S = 3600


def load(folder: Path) -> SigningKey:
    return SigningKeys(folder, LIFETIME_S).signer()


def test_a_key_is_made_once_and_closed_to_others(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "keys"
    key = load(folder)
    [file] = folder.iterdir()
    assert (folder.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)
    assert load(folder).key_id == key.key_id
    kept = json.loads(file.read_text())
    assert (kept["kid"], kept["crv"], kept["alg"]) == (key.key_id, "P-256", "ES256")


def test_a_file_that_others_could_read_is_closed(tmp_path: Path) -> None:
    load(tmp_path)
    (tmp_path / FILE_NAME).chmod(0o644)
    load(tmp_path)
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_processes_that_start_at_once_share_one_key(tmp_path: Path) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _LOAD, str(tmp_path / "keys")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    # All have imported what they need before any is let go, so that they meet at the file.
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    found = {process.communicate(timeout=60)[0] for process in started}
    assert len(found) == 1
    assert {process.returncode for process in started} == {0}
    assert [path.name for path in (tmp_path / "keys").iterdir()] == [FILE_NAME]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"not json",
        b'{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AA"}',
        json.dumps(ECKey.generate_key("P-256").as_dict(private=False)).encode(),
        json.dumps(ECKey.generate_key("P-384").as_dict(private=True)).encode(),
        json.dumps(OctKey.generate_key(256).as_dict(private=True)).encode(),
    ],
    ids=lambda _: "key",  # the same in every process, as made keys are not
)
def test_a_damaged_key_is_refused_in_a_sentence_that_does_not_quote_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(SettingsFault, match="restore it, or remove it") as caught:
        load(tmp_path)
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    assert (tmp_path / FILE_NAME).read_bytes() == content


def test_a_folder_that_cannot_be_used_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a file")
    with pytest.raises(SettingsFault, match="can't be used"):
        load(tmp_path / "keys")


def test_a_key_shows_only_its_public_half() -> None:
    key = SigningKey.new()
    private = str(key.key.as_dict(private=True)["d"])
    assert private not in repr(key)
    assert private not in repr(key.public())
    assert not hasattr(key, "__dict__")


def test_a_start_beside_a_rotation_reads_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(tmp_path)
    names = signing._names

    def seen_too_early(folder: Path) -> frozenset[str]:
        """The folder as it was a moment before another process removed one of its files."""
        monkeypatch.setattr(signing, "_names", names)
        return names(folder) | {"token-signing.removed.jwk"}

    monkeypatch.setattr(signing, "_names", seen_too_early)
    folder = tmp_path
    assert signing._loaded(folder)[1].keys[0].key_id == first.key_id
    monkeypatch.setattr(signing, "_names", lambda _: frozenset({"token-signing.removed.jwk"}))
    with pytest.raises(FileNotFoundError):
        signing._loaded(folder)
