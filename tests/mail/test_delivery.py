"""Letters on their way from the outbox: sent at least once, to a server that is who it says, and given up in the end."""

import asyncio
import ssl
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.testing import capture_logs

from conftest import World
from mail.posting import HOST, LOGIN, MailServer, SilentServer, certified, mail_server, silent_server
from procure import worker
from procure.kit import logs
from procure.kit.clock import wall_now
from procure.kit.db import Sessions
from procure.kit.ids import new_id
from procure.kit.settings import MailRoute, Settings, SettingsFault
from procure.mail import delivery, service
from procure.mail.models import OutgoingMail
from procure.mail.schemas import Letter
from procure.mail.service import Post
from procure.vault.strongbox import STRONGBOX, Strongbox, Unreadable

#: aiosmtpd does not see that the whole connection is TLS.
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
SENDER = "procure@council.example"
LETTER = Letter(to="director@supplier.example", subject="A code", text="The code is\n\n    open-sesame\n")
DAY = timedelta(days=1)


def by(server: MailServer | SilentServer, settings: Settings, **changes: Any) -> Post:
    """The post by a server on this machine, without TLS unless it is said."""
    route = MailRoute(**{"sender": SENDER, "host": HOST, "port": server.port, "tls": "none", **changes})
    return Post(route, Strongbox(settings.keys_path / STRONGBOX))


async def write(db: AsyncSession, post: Post, letter: Letter = LETTER, lasts: timedelta = DAY) -> None:
    await service.write(db, post, letter, wall_now() + lasts)
    await db.commit()


async def waiting(db: AsyncSession) -> list[OutgoingMail]:
    found = select(OutgoingMail).order_by(OutgoingMail.id).execution_options(populate_existing=True)
    return list(await db.scalars(found))


async def be_due(db: AsyncSession) -> None:
    """As if the pause before the next attempt were over."""
    await db.execute(text("UPDATE outgoing_mails SET due_at = clock_timestamp()"))
    await db.commit()


# --- sent -----------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _heard() -> None:
    """Whatever another test has told the log to keep to itself."""
    logs.configure(level="info", form="json")


async def test_a_letter_is_sent_once_and_then_forgotten(
    db: AsyncSession, sessions: Sessions, settings: Settings
) -> None:
    async with mail_server() as server:
        post = by(server, settings)
        await write(db, post)
        for _ in range(2):
            await delivery.deliver_due(sessions, post)
        ((envelope,), (message,)) = server.envelopes, server.messages
    assert (envelope.mail_from, envelope.rcpt_tos) == (SENDER, [LETTER.to])
    assert (message["From"], message["To"], message["Subject"]) == (SENDER, LETTER.to, LETTER.subject)
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content() == LETTER.text.replace("\n", "\r\n")
    assert await waiting(db) == []


async def test_a_letter_whose_effect_is_rolled_back_is_never_sent(
    db: AsyncSession, sessions: Sessions, settings: Settings
) -> None:
    async with mail_server() as server:
        post = by(server, settings)
        await service.write(db, post, LETTER, wall_now() + DAY)
        await db.rollback()
        await delivery.deliver_due(sessions, post)
    assert server.envelopes == []


async def test_what_waits_can_be_read_by_nobody_without_the_key(
    db: AsyncSession, sessions: Sessions, settings: Settings, tmp_path: Path
) -> None:
    async with mail_server() as server:
        post = by(server, settings)
        await write(db, post)
        (row,) = (await db.execute(text("SELECT outgoing_mails::text, sealed FROM outgoing_mails"))).all()
        for word in (b"sesame", b"director", b"supplier.example"):
            assert word not in row[0].encode()
            assert word not in row[1]
        other = msgspec.structs.replace(settings, keys_path=tmp_path / "other")
        with capture_logs() as said:
            await delivery.deliver_due(sessions, by(server, other))
    assert server.envelopes == []
    assert [(one["error"], one["final"]) for one in said] == [("Unreadable", True)]
    assert "sesame" not in repr(LETTER)


async def test_a_letter_can_not_be_put_in_the_place_of_another(db: AsyncSession, settings: Settings) -> None:
    post = by(MailServer(), settings)
    for to in ("one@supplier.example", "other@supplier.example"):
        await write(db, post, msgspec.structs.replace(LETTER, to=to))
    one, other = await waiting(db)
    assert service.opened(post, one.id, one.sealed).to.startswith("one@")
    with pytest.raises(Unreadable):
        service.opened(post, one.id, other.sealed)


async def test_every_process_of_a_folder_has_the_same_key_and_nobody_else_reads_it(tmp_path: Path) -> None:
    keys = await asyncio.gather(*(asyncio.to_thread(Strongbox, tmp_path / "keys") for _ in range(8)))
    assert len({one.mark("mailbox", "a@b.example") for one in keys}) == 1
    assert (tmp_path / "keys" / "sealing.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("kind", ["starttls", "implicit"])
async def test_name_password_and_letter_go_by_tls(
    kind: Any, db: AsyncSession, sessions: Sessions, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, certificate = certified(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    given: dict[str, ssl.SSLContext] = {"start_tls" if kind == "starttls" else "tls": context}
    login = {"username": LOGIN.login.decode(), "password": LOGIN.password.decode()}
    async with mail_server(**given) as server:
        post = by(server, settings, tls=kind, **login)
        await write(db, post)
        await delivery.deliver_due(sessions, post)
    assert len(server.envelopes) == 1


@pytest.mark.parametrize("kind", ["starttls", "implicit"])
async def test_nothing_is_sent_to_a_server_that_can_not_show_who_it_is(
    kind: Any, db: AsyncSession, sessions: Sessions, settings: Settings, tmp_path: Path
) -> None:
    context, _ = certified(tmp_path)
    given: dict[str, ssl.SSLContext] = {"start_tls" if kind == "starttls" else "tls": context}
    async with mail_server(**given) as server:
        post = by(server, settings, tls=kind, username=LOGIN.login.decode(), password=LOGIN.password.decode())
        await write(db, post)
        with capture_logs() as said:
            await delivery.deliver_due(sessions, post)
    assert server.envelopes == []
    assert [one["final"] for one in said] == [False]
    assert len(await waiting(db)) == 1


async def test_nothing_is_sent_in_the_clear_where_tls_is_asked_for(
    db: AsyncSession, sessions: Sessions, settings: Settings
) -> None:
    async with mail_server() as server:
        post = by(server, settings, tls="starttls")
        await write(db, post)
        await delivery.deliver_due(sessions, post)
    assert server.envelopes == []
    assert len(await waiting(db)) == 1


# --- what stands in the way -----------------------------------------------------------------------------------------


async def test_a_server_that_is_busy_is_tried_again_less_and_less_often(
    db: AsyncSession, sessions: Sessions, settings: Settings
) -> None:
    async with mail_server() as server:
        server.to_recipient = "451 4.7.1 director@supplier.example is greylisted"
        post = by(server, settings)
        await write(db, post)
        pauses = []
        with capture_logs() as said:
            for _ in range(9):
                await delivery.deliver_due(sessions, post)
                (row,) = await waiting(db)
                pauses.append(round((row.due_at - wall_now()).total_seconds() / 60))
                await delivery.deliver_due(sessions, post)  # not before it is due
                await be_due(db)
        assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
        assert [one["attempts"] for one in said] == list(range(1, 10))
        assert {(one["code"], one["final"]) for one in said} == {(451, False)}
        assert "director" not in repr(said)
        assert "greylisted" not in repr(said)
        server.to_recipient = "250 OK"
        await delivery.deliver_due(sessions, post)
    assert len(server.envelopes) == 1
    assert await waiting(db) == []


@pytest.mark.parametrize("where", ["to_recipient", "to_message"])
async def test_who_is_refused_for_good_is_not_written_to_again_and_the_next_is(
    where: str, db: AsyncSession, sessions: Sessions, settings: Settings
) -> None:
    async with mail_server() as server:
        setattr(server, where, "550 5.1.1 no such mailbox")
        post = by(server, settings)
        for _ in range(2):
            await write(db, post)
        with capture_logs() as said:
            await delivery.deliver_due(sessions, post)
    assert [(one["code"], one["final"]) for one in said] == [(550, True)] * 2
    assert server.envelopes == []
    assert await waiting(db) == []


async def test_a_wrong_password_is_the_operators_to_mend_and_the_letter_waits(
    db: AsyncSession, sessions: Sessions, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, certificate = certified(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with mail_server(tls=context) as server:
        post = by(server, settings, tls="implicit", username="procure", password="another")
        await write(db, post)
        with capture_logs() as said:
            await delivery.deliver_due(sessions, post)
    assert [(one["code"], one["final"]) for one in said] == [(535, False)]
    assert len(await waiting(db)) == 1


async def test_a_server_that_says_nothing_is_left_after_a_while(
    db: AsyncSession, sessions: Sessions, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "SEND_MAX_S", 0.2)
    async with silent_server() as server:
        post = by(server, settings)
        for _ in range(3):
            await write(db, post)
        with capture_logs() as said:
            await asyncio.wait_for(delivery.deliver_due(sessions, post), 5)
    assert [one["final"] for one in said] == [False], "the others wait for the next round"
    assert sorted(row.attempts for row in await waiting(db)) == [0, 0, 1]


async def test_a_server_that_falls_silent_with_a_letter_in_hand_is_left_as_soon(
    db: AsyncSession, sessions: Sessions, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "SEND_MAX_S", 0.5)
    async with mail_server() as server:
        server.hangs_at, post = "DATA", by(server, settings)
        await write(db, post)
        await asyncio.wait_for(delivery.deliver_due(sessions, post), 5)
    assert [row.attempts for row in await waiting(db)] == [1]


async def test_a_letter_that_was_taken_is_not_sent_again_for_want_of_a_goodbye(
    db: AsyncSession, sessions: Sessions, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "LEAVE_MAX_S", 0.2)
    async with mail_server() as server:
        server.hangs_at, post = "QUIT", by(server, settings)
        await write(db, post)
        await asyncio.wait_for(delivery.deliver_due(sessions, post), 5)
    assert len(server.envelopes) == 1
    assert await waiting(db) == []


async def test_a_server_that_is_away_loses_nothing(db: AsyncSession, sessions: Sessions, settings: Settings) -> None:
    async with silent_server() as server:
        pass
    post = by(server, settings)
    await write(db, post)
    await delivery.deliver_due(sessions, post)
    assert [row.attempts for row in await waiting(db)] == [1]


async def test_a_letter_whose_answer_is_lost_is_sent_again_under_the_same_name(
    db: AsyncSession, sessions: Sessions, settings: Settings
) -> None:
    async with mail_server() as server:
        server.drops, post = True, by(server, settings)
        await write(db, post)
        await delivery.deliver_due(sessions, post)
        server.drops = False
        await be_due(db)
        await delivery.deliver_due(sessions, post)
    first, second = server.messages
    assert first["Message-ID"] == second["Message-ID"]
    assert await waiting(db) == []


async def test_a_letter_is_given_up_at_its_end_and_removed(
    db: AsyncSession, sessions: Sessions, settings: Settings
) -> None:
    async with mail_server() as server:
        post = by(server, settings)
        await write(db, post, lasts=timedelta(seconds=-1))
        await write(db, post, lasts=DAY)
        await delivery.deliver_due(sessions, post)
        assert len(server.envelopes) == 1
    (over,) = await waiting(db)
    assert over.attempts == 0
    await worker.forget_registrations(sessions)
    assert await waiting(db) == []


async def test_workers_beside_each_other_send_each_letter_once(world: World) -> None:
    async with mail_server() as server, world.sessions() as db:
        post = by(server, world.settings)
        for number in range(30):
            await write(db, post, msgspec.structs.replace(LETTER, to=f"reader{number}@supplier.example"))
        await asyncio.gather(*(delivery.deliver_due(world.sessions, post) for _ in range(6)))
        assert await db.scalar(select(func.count()).select_from(OutgoingMail)) == 0
    readers = Counter(one.rcpt_tos[0] for one in server.envelopes)
    assert (len(readers), set(readers.values())) == (30, {1})


async def test_no_connection_of_the_database_waits_for_a_mail_server(world: World) -> None:
    """An open transaction would hold back the journal's positions."""
    idle = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL")
    async with silent_server() as server, world.sessions() as db:
        post = by(server, world.settings)
        await write(db, post)
        sending = asyncio.create_task(delivery.deliver_due(world.sessions, post))
        await asyncio.wait_for(server.met.wait(), 10)
        assert await db.scalar(idle) == 1, "this one"
        assert [row.attempts for row in await waiting(db)] == [1]
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


# --- the letter itself ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_nobody_adds_a_header_or_a_reader_of_their_own(end: str) -> None:
    route = MailRoute(sender=SENDER)
    for field in ("to", "subject"):
        forged = msgspec.structs.replace(LETTER, **{field: f"a@b.example{end}Bcc: everybody@else.example"})
        with pytest.raises((ValueError, IndexError)):
            delivery.message_of(route, new_id(), forged)


async def test_a_line_that_begins_with_a_dot_ends_no_letter(
    db: AsyncSession, sessions: Sessions, settings: Settings
) -> None:
    said = "One\n.\nMAIL FROM:<forged@else.example>\n..\n"
    async with mail_server() as server:
        post = by(server, settings)
        await write(db, post, msgspec.structs.replace(LETTER, text=said))
        await delivery.deliver_due(sessions, post)
    assert [one.get_content() for one in server.messages] == [said.replace("\n", "\r\n")]


async def test_in_a_sandbox_letters_lie_in_a_folder_for_their_user_alone(
    db: AsyncSession, sessions: Sessions, settings: Settings
) -> None:
    post = service.post_of(settings)
    assert post is not None
    assert post.route.folder is not None
    await write(db, post)
    await delivery.deliver_due(sessions, post)
    (file,) = post.route.folder.iterdir()
    assert (file.suffix, file.stat().st_mode & 0o777, post.route.folder.stat().st_mode & 0o777) == (
        ".eml",
        0o600,
        0o700,
    )
    assert b"open-sesame" in file.read_bytes()
    assert await waiting(db) == []


# --- settings -------------------------------------------------------------------------------------------------------

BASE: dict[str, Any] = {"database_url": "postgresql+asyncpg:///", "mail_from": SENDER}
TAKEN: dict[str, dict[str, Any]] = {
    "": {},
    "smtp://mail.example": {"host": "mail.example", "port": 587, "tls": "starttls"},
    "smtp://a:b%40c%2Fd@mail.example:2525": {"port": 2525, "username": "a", "password": "b@c/d"},
    "smtps://mail.example/": {"port": 465, "tls": "implicit"},
    "smtp+plain://127.0.0.1:1025": {"host": "127.0.0.1", "port": 1025, "tls": "none"},
    "smtp+plain://localhost": {"port": 25},
}


@pytest.mark.parametrize(("url", "wanted"), TAKEN.items(), ids=TAKEN)
def test_a_mail_server_is_named_in_one_setting(url: str, wanted: dict[str, Any]) -> None:
    route = Settings(**BASE, mail_url=url).mail_route()
    assert (route is None) == (not url)
    assert {name: getattr(route, name) for name in wanted} == wanted


REFUSED = {
    "smtp+plain://mail.example": {},
    "http://mail.example": {},
    "smtp://": {},
    "smtp://mail.example/folder": {},
    "smtp://mail.example?tls=no": {},
    "smtp://u:hush@mail.example:notaport": {},
    "file:mail": {"sandbox": False},
    "smtps://mail.example": {"mail_from": ""},
    "smtp://mail.example": {"mail_from": "procure@council.example\r\nBcc: x@else.example"},
}


@pytest.mark.parametrize(("url", "changes"), REFUSED.items(), ids=REFUSED)
def test_a_setting_that_can_not_be_used_is_told_without_its_password(url: str, changes: dict[str, Any]) -> None:
    with pytest.raises(SettingsFault, match="PROCURE_MAIL_") as fault:
        Settings(**{**BASE, **changes}, mail_url=url).mail_route()
    assert "hush" not in str(fault.value)
