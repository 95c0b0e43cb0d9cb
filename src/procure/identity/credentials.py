"""The verbs on what a client proves itself with: two secrets at once, so that one follows another without a gap, and public keys."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Select, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from procure.identity import assertions, rules
from procure.identity.errors import CredentialNotFound
from procure.identity.events import CredentialAdded, CredentialRevoked
from procure.identity.models import Client, Credential, is_live
from procure.identity.rules import CredentialKind, CredentialStatus
from procure.identity.schemas import KeyDraft, KeyView, SecretDraft, SecretView
from procure.identity.service import check_may_speak_for, find_client, lock_client, new_secret
from procure.journal import service as journal
from procure.kit.actor import Actor
from procure.kit.clock import wall_now
from procure.kit.etags import UNCONDITIONAL, Seen
from procure.kit.ids import new_id
from procure.kit.paging import Paging, after
from procure.organisations import service as organisations


async def list_credentials(
    db: AsyncSession, actor: Actor, organisation_id: UUID, client_id: UUID, kind: CredentialKind, paging: Paging
) -> Sequence[Credential]:
    """Newest first, revoked ones too."""
    client = await find_client(db, actor, organisation_id, client_id)
    statement = _credentials(client.id, kind)
    return (await db.scalars(after(statement, Credential.created_at, Credential.id, paging))).all()


async def live_count(db: AsyncSession, client_id: UUID, kind: CredentialKind) -> int:
    """How many of the client's count at this moment."""
    statement = select(func.count()).where(Credential.client_id == client_id, Credential.kind == kind, is_live())
    return (await db.scalars(statement)).one()


async def statuses_of(db: AsyncSession, client_id: UUID, kind: CredentialKind) -> set[CredentialStatus]:
    """How the client's secrets, or keys, stand."""
    statement = select(Credential.status).where(Credential.client_id == client_id, Credential.kind == kind)
    return set(await db.scalars(statement.distinct()))


def _credentials(client_id: UUID, kind: CredentialKind) -> Select[Credential]:
    statement = select(Credential).where(Credential.client_id == client_id, Credential.kind == kind)
    return statement.execution_options(populate_existing=True)


async def add_secret(
    db: AsyncSession, actor: Actor, organisation_id: UUID, client_id: UUID, data: SecretDraft
) -> tuple[Credential, str]:
    """A second secret beside the first, to be shown this once; the first goes on until it is revoked."""
    client = await lock_client(db, actor, organisation_id, client_id)
    check_may_speak_for(actor, client.person_id)
    await _check_addable(db, client, CredentialKind.SECRET, data.expires_at)
    credential, secret = new_secret(client.id, data.expires_at)
    await _add(db, actor, client, credential)
    return credential, secret


async def add_key(db: AsyncSession, actor: Actor, organisation_id: UUID, client_id: UUID, data: KeyDraft) -> Credential:
    """A public key, by whose private half the client signs its assertions from now on."""
    client = await lock_client(db, actor, organisation_id, client_id)
    check_may_speak_for(actor, client.person_id)
    thumbprint = assertions.check_key(data.jwk.key("unnamed"))
    await _check_addable(db, client, CredentialKind.KEY, data.expires_at)
    known = await db.scalars(select(Credential.thumbprint).where(Credential.client_id == client.id))
    rules.check_new_key(thumbprint, [one for one in known if one is not None])
    key = data.jwk.key(thumbprint)
    credential = Credential(
        id=new_id(),
        client_id=client.id,
        kind=CredentialKind.KEY,
        public_key=key,
        thumbprint=thumbprint,
        status=CredentialStatus.ACTIVE,
        expires_at=data.expires_at,
        version=1,
    )
    await _add(db, actor, client, credential)
    return credential


async def _check_addable(db: AsyncSession, client: Client, kind: CredentialKind, expires_at: datetime | None) -> None:
    rules.check_not_revoked(client.status)
    rules.check_room(kind, await live_count(db, client.id, kind))
    rules.check_expiry(expires_at, wall_now())


async def _add(db: AsyncSession, actor: Actor, client: Client, credential: Credential) -> None:
    db.add(credential)
    await db.flush()
    event = CredentialAdded(
        object_id=credential.id,
        object_version=credential.version,
        organisation_id=client.organisation_id,
        client_id=client.id,
        kind=credential.kind,
        key_id=credential.thumbprint,
        expires_at=credential.expires_at,
    )
    await journal.record(db, actor, event, organisations.both(actor, client.organisation_id))


async def revoke_credential(
    db: AsyncSession,
    actor: Actor,
    organisation_id: UUID,
    client_id: UUID,
    kind: CredentialKind,
    credential_id: UUID,
    reason: str,
    *,
    seen: Seen = UNCONDITIONAL,
) -> Credential:
    """It proves nothing any more, from the next request on. Tokens that it brought live on until they end or are revoked."""
    client = await lock_client(db, actor, organisation_id, client_id)
    credential = await db.scalar(_credentials(client.id, kind).where(Credential.id == credential_id).with_for_update())
    if credential is None:
        raise CredentialNotFound(f"The client has no such {kind}.")
    view = SecretView if kind is CredentialKind.SECRET else KeyView
    seen.check(view.of(credential, actor, organisation_id).etag)
    rules.check_credential_revocable(credential.status)
    credential.move_to(CredentialStatus.REVOKED)
    event = CredentialRevoked(
        object_id=credential.id,
        object_version=credential.version,
        organisation_id=client.organisation_id,
        client_id=client.id,
        reason=reason,
    )
    await journal.record(db, actor, event, organisations.both(actor, client.organisation_id))
    return credential


async def rotate_secret(
    db: AsyncSession, actor: Actor, organisation_id: UUID, client_id: UUID, *, at_once: bool = False
) -> tuple[Credential, str]:
    """A new secret in one step: the latest of those before stays for the change-over, older ones are revoked; `at_once`, all of them."""
    client = await lock_client(db, actor, organisation_id, client_id)
    newest_first = _credentials(client.id, CredentialKind.SECRET).order_by(
        Credential.created_at.desc(), Credential.id.desc()
    )
    live = (await db.scalars(newest_first.where(is_live()))).all()
    for old in live if at_once else live[1:]:
        await revoke_credential(
            db, actor, organisation_id, client_id, CredentialKind.SECRET, old.id, "Another secret has taken its place."
        )
        await db.flush()
    return await add_secret(db, actor, organisation_id, client_id, SecretDraft())


async def note_use(db: AsyncSession, credential_id: UUID, today: date) -> None:
    """Keep the day of the last use, once a day: no instant, and nothing of the client, since both would tell who is about."""
    statement = update(Credential).where(
        Credential.id == credential_id, Credential.last_used_on.is_distinct_from(today)
    )
    await db.execute(statement.values(last_used_on=today, version=Credential.version + 1))
