"""Taking letters from the outbox to a mail server, at least once each.

A letter is claimed by putting off its next attempt, in a transaction that is over before anything is sent: no connection or lock waits
for a mail server, two workers never have the same letter in hand, and one that a killed worker had is taken up again. Whoever gets a
letter twice for that has the same `Message-ID` twice.
"""

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import aiosmtplib
import structlog
from sqlalchemy import delete, text

from procure.journal.service import record_refusal
from procure.kit.clock import wall_now
from procure.kit.db import Sessions, transaction
from procure.kit.settings import MailRoute
from procure.mail.models import OutgoingMail
from procure.mail.schemas import Letter
from procure.mail.service import Post, opened
from procure.vault.files import make_folder
from procure.vault.strongbox import Unreadable

log = structlog.get_logger(__name__)

#: Letters of one round at most; the rest goes in the next.
BATCH_MAX = 50
#: What one attempt may take altogether. Well below PAUSE_MIN_S, which keeps others from a letter in hand.
SEND_MAX_S, LEAVE_MAX_S = 30.0, 2.0
#: From one attempt to the next: a minute, then twice as long each time, up to an hour (RFC 5321, section 4.5.4.1, asks for patience).
PAUSE_MIN_S, PAUSE_MAX_S = 60, 3600
_CLAIM = text("""
UPDATE outgoing_mails SET attempts = attempts + 1,
  due_at = clock_timestamp() + make_interval(secs => least(:least * 2 ^ least(attempts, 10), :most))
WHERE id = (
  SELECT id FROM outgoing_mails WHERE due_at <= clock_timestamp() AND until > clock_timestamp()
  ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING id, sealed, attempts""")


@dataclass(frozen=True, slots=True)
class Claimed:
    """A letter in hand, and the how-manieth attempt this is."""

    id: UUID
    sealed: bytes
    attempts: int


async def deliver_due(sessions: Sessions, post: Post) -> None:
    """Send what is due, until something fails: what stands in the way of one letter mostly does in the way of the others."""
    for _ in range(BATCH_MAX):
        claimed = await _claim(sessions)
        if claimed is None or not await _deliver(sessions, post, claimed):
            return


async def _claim(sessions: Sessions) -> Claimed | None:
    async with transaction(sessions, record_refusal) as db:
        found = (await db.execute(_CLAIM, {"least": PAUSE_MIN_S, "most": PAUSE_MAX_S})).one_or_none()
        return None if found is None else Claimed(found.id, found.sealed, found.attempts)


async def _deliver(sessions: Sessions, post: Post, claimed: Claimed) -> bool:
    """Whether the next one may be tried at once. Of what went wrong the kind is told, never a word: servers quote whom they refuse."""
    said = {"mail": str(claimed.id), "attempts": claimed.attempts}
    try:
        letter = opened(post, claimed.id, claimed.sealed)
        await _send(post.route, claimed.id, letter)
    except (aiosmtplib.SMTPException, OSError, TimeoutError, Unreadable) as error:
        log.warning("mail not sent", error=type(error).__name__, code=_code(error), final=is_final(error), **said)
        if not is_final(error):
            return False
    else:
        log.info("mail sent", **said)
    await _forget(sessions, claimed.id)
    return True


async def _forget(sessions: Sessions, id_: UUID) -> None:
    async with transaction(sessions, record_refusal) as db:
        await db.execute(delete(OutgoingMail).where(OutgoingMail.id == id_))


def is_final(error: Exception) -> bool:
    """Whether another attempt would end the same: this reader or this letter is refused for good (RFC 5321, section 4.2.1, 5yz).

    What a server says against ourselves, our name and password or sender, is the operator's to mend, and the letter waits for that.
    """
    match error:
        case aiosmtplib.SMTPRecipientsRefused():
            return all(one.code >= 500 for one in error.recipients)
        case aiosmtplib.SMTPDataError():
            return error.code >= 500
        case _:
            return isinstance(error, Unreadable)


def _code(error: Exception) -> int | None:
    refused = error.recipients[0] if isinstance(error, aiosmtplib.SMTPRecipientsRefused) else error
    return getattr(refused, "code", None)


async def _send(route: MailRoute, id_: UUID, letter: Letter) -> None:
    """Raises TimeoutError after SEND_MAX_S. How the server takes leave is of no account: the letter is its own by then."""
    message = message_of(route, id_, letter)
    if route.folder is not None:
        await asyncio.to_thread(_file, route.folder, id_, message.as_bytes())
        return
    client = _client(route)
    try:
        async with asyncio.timeout(SEND_MAX_S):
            await client.connect()
            await client.send_message(message)
        with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
            async with asyncio.timeout(LEAVE_MAX_S):
                await client.quit()
    finally:
        # Not the client's own `async with`: it says goodbye to a server that says nothing, and waits for its answer.
        client.close()


def _client(route: MailRoute) -> aiosmtplib.SMTP:
    login: dict[str, Any] = {"username": route.username, "password": route.password} if route.username else {}
    return aiosmtplib.SMTP(
        hostname=route.host,
        port=route.port,
        use_tls=route.tls == "implicit",
        start_tls=route.tls == "starttls",
        timeout=None,  # one bound for all of it, and not one for each step
        **login,
    )


def message_of(route: MailRoute, id_: UUID, letter: Letter) -> EmailMessage:
    """The letter as RFC 5322 has it. A header with a line's end in it raises ValueError: nobody adds one of their own."""
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(addr_spec=route.sender)
    message["To"] = Address(addr_spec=letter.to)
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(wall_now())
    message["Message-ID"] = f"<{id_}@{route.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday note comes back
    message.set_content(letter.text, cte="7bit")
    return message


def _file(folder: Path, id_: UUID, message: bytes) -> None:
    """For its user alone (0600), and whole or not at all."""
    make_folder(folder)
    path = folder / f"{id_}.eml"
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(message)
    fresh.replace(path)
