"""The verbs on registrations: anybody asks for one, whoever reads the mail confirms it.

Who asks learns nothing by it: whether the organisation is registered already is said in the letter alone. Both ways, and where no
letter goes because the mailbox has had enough of them, the same statements run, and the same is answered.
"""

import secrets
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import CursorResult, exists, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from procure.identity import service as identity
from procure.identity.models import Client, Membership, Person
from procure.identity.registrations import rules
from procure.identity.registrations.errors import RegistrationNotFound, RegistrationOff
from procure.identity.registrations.events import RegistrationConfirmed
from procure.identity.registrations.letters import letter_about_known, letter_with_code
from procure.identity.registrations.models import Registration
from procure.identity.registrations.rules import Applicant
from procure.identity.registrations.schemas import RegistrationDraft
from procure.identity.rules import ClientKind, hash_secret
from procure.identity.schemas import ClientDraft
from procure.journal import service as journal
from procure.kit.actor import Actor, OrganisationKind, Role
from procure.kit.clock import wall_now
from procure.kit.db import exclude
from procure.kit.ids import new_id
from procure.mail import service as mail
from procure.mail.errors import MailNotSet
from procure.mail.service import Post
from procure.organisations import service as organisations
from procure.organisations.models import Organisation
from procure.organisations.schemas import OrganisationDraft, OrganisationIdentifier

#: What whoever registers an organisation may do in it: let others in, and bid.
ROLES = (Role.ADMIN, Role.BIDDER)
#: Rows that one transaction of pruning removes at most.
PRUNE_BATCH = 1000
_PRUNE = text("""
DELETE FROM registrations WHERE ctid = ANY (ARRAY(
  SELECT ctid FROM registrations WHERE created_at < clock_timestamp() - CAST(:kept AS interval) ORDER BY created_at LIMIT :batch
))""")
_LOST = "There is no such registration, it is over for good, or the code is another one."


@dataclass(frozen=True, slots=True)
class Porch:
    """Where suppliers come in: whether they do here, and by which post they are written to."""

    is_open: bool
    post: Post | None
    base_url: str

    def check_open(self) -> Post:
        """Raises RegistrationOff, MailNotSet."""
        if not self.is_open:
            raise RegistrationOff("Suppliers don't register themselves here; ask the operator to register yours.")
        if self.post is None:
            raise MailNotSet("No mail goes out here yet, so no code can be sent; ask the operator to register you.")
        return self.post


@dataclass(frozen=True, slots=True)
class Registered:
    """What a confirmation has made, and the client's secret, which is kept nowhere."""

    organisation: Organisation
    person: Person
    membership: Membership
    client: Client
    secret: str


def judge(data: RegistrationDraft) -> Applicant:
    """Raises RegistrationInvalid; asks nothing of the database, so that who only mistypes costs little."""
    return rules.check_applicant(data.identifier.scheme, data.identifier.id, data.contact.email)


async def register(
    db: AsyncSession, porch: Porch, data: RegistrationDraft, applicant: Applicant, network: str | None
) -> Registration:
    """Write to the contact: a code, or that the organisation is there already. Raises RegistrationLimitReached.

    `network` is the caller's address as limits count it; None where it is nobody's own.
    """
    post = porch.check_open()
    address_mark = post.box.mark("mailbox", rules.mailbox(applicant.email))
    network_mark = post.box.mark("network", network) if network is not None else None
    # Those of one network address, and then of one mailbox, are counted one after the other.
    for mark in filter(None, (network_mark, address_mark)):
        await exclude(db, UUID(bytes=mark[:16]))
    letters, open_ = await _counts(db, address_mark, network_mark)
    rules.check_room(open_)
    code, now = secrets.token_urlsafe(identity.SECRET_BYTES), wall_now()
    is_written_to = rules.is_let_write(letters)
    registration = Registration(
        id=new_id(),
        name=data.name,
        scheme=applicant.scheme,
        identifier=applicant.identifier,
        nation=data.nation,
        contact_name=data.contact.name,
        email=applicant.email,
        address_mark=address_mark,
        network_mark=network_mark,
        is_written_to=is_written_to,
        code_hash=hash_secret(code),
        attempts=0,
        expires_at=now + rules.CODE_LIFETIME,
    )
    db.add(registration)
    is_known = await _is_known(db, applicant)
    letter = (
        letter_about_known(registration, porch.base_url)
        if is_known
        else letter_with_code(registration, porch.base_url, code)
    )
    # One that nobody may get is written as well, and over before it is sent.
    await mail.write(db, post, letter, until=registration.expires_at if is_written_to else now)
    return registration


async def _counts(db: AsyncSession, address_mark: bytes, network_mark: bytes | None) -> tuple[int, int]:
    """Letters that went to the mailbox, and registrations of the network address that are open."""
    now, of_address, of_network = (
        func.clock_timestamp(),
        Registration.address_mark == address_mark,
        Registration.network_mark == network_mark if network_mark is not None else Registration.network_mark == b"",
    )
    letters = of_address & Registration.is_written_to & (Registration.created_at > now - rules.COUNTED)
    open_ = of_network & Registration.confirmed_at.is_(None) & (Registration.expires_at > now)
    counts = select(func.count().filter(letters), func.count().filter(open_))
    found = (await db.execute(counts.where(or_(of_address, of_network)))).one()
    return found[0], found[1]


async def _is_known(db: AsyncSession, applicant: Applicant) -> bool:
    there = exists().where(Organisation.scheme == applicant.scheme, Organisation.identifier == applicant.identifier)
    return bool(await db.scalar(select(there)))


async def confirm(
    db: AsyncSession, porch: Porch, actor: Actor, registration_id: UUID, code: str
) -> Registered | RegistrationNotFound:
    """Make the organisation, its first person and their client, at once and once. Raises RegistrationNotOpen, OrganisationKnown.

    A wrong code is raised as well, but for the first few of a registration: each of these is returned, since what is raised is rolled
    back, and it has to count.
    """
    porch.check_open()
    locked = select(Registration).where(Registration.id == registration_id).with_for_update()
    registration = await db.scalar(locked.execution_options(populate_existing=True))
    if registration is None or rules.is_over(registration.attempts):
        raise RegistrationNotFound(_LOST)
    if not rules.is_right(code, registration.code_hash):
        registration.attempts += 1
        await db.flush()
        return RegistrationNotFound(_LOST)
    now = wall_now()
    rules.check_confirmable(registration.confirmed_at, registration.expires_at, now)
    registration.confirmed_at = now
    return await _made(db, actor, registration)


async def _made(db: AsyncSession, actor: Actor, registration: Registration) -> Registered:
    """By the verbs of the operator and of an organisation's admin, in the new person's name."""
    nobody = Actor(address=actor.address, request_id=actor.request_id)
    draft = OrganisationDraft(
        kind="supplier",
        name=registration.name,
        identifier=OrganisationIdentifier(registration.scheme, registration.identifier),
        nation=registration.nation,
    )
    organisation = await organisations.register(db, nobody, draft)
    person = await identity.register_person(db, registration.contact_name)
    caller = replace(nobody, organisation_id=organisation.id, kind=OrganisationKind.SUPPLIER, person_id=person.id)
    membership = await identity.enrol(db, caller, organisation, person, ROLES, budget_holder=False)
    client, secret = await identity.add_client(
        db, caller, organisation.id, ClientDraft(name=person.name, kind=ClientKind.PERSONAL, person_id=person.id)
    )
    event = RegistrationConfirmed(
        object_id=registration.id,
        organisation_id=organisation.id,
        membership_id=membership.id,
        person_id=person.id,
        client_id=client.id,
    )
    personal = {"name": person.name, "email": registration.email}
    await journal.record(db, caller, event, organisations.both(caller, organisation.id), personal=personal)
    return Registered(organisation, person, membership, client, secret)


async def prune(db: AsyncSession) -> int:
    """Remove one batch of those that are not counted any more; how many rows that were."""
    done = await db.execute(_PRUNE, {"kept": rules.REMEMBERED, "batch": PRUNE_BATCH})
    assert isinstance(done, CursorResult)
    return done.rowcount
