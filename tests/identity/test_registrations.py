"""Registrations: who comes in by a mailed code, what nobody learns by asking, and how often anybody is written to."""

import asyncio
import re
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec
import pytest
from litestar import Litestar
from sqlalchemy import Connection, event, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from structlog.testing import capture_logs

from build import supplier
from calls import ok, problem
from conftest import World
from described import client_of
from procure import worker
from procure.app import create_app
from procure.identity import service as identity
from procure.identity.models import Client, Credential, Membership, Person
from procure.identity.registrations import rules
from procure.identity.registrations.models import Registration
from procure.journal.models import JournalEntry, JournalPersonal
from procure.kit.clock import wall_now
from procure.kit.db import Sessions
from procure.kit.settings import Settings
from procure.mail.models import OutgoingMail
from procure.mail.schemas import Letter
from procure.mail.service import Post, opened
from procure.organisations.models import Organisation
from procure.organisations.rules import CHECKED_SCHEMES, OrganisationStatus
from procure.vault.keyring import FileKeyring

HERE = "/v1/registrations"
DRAFT: dict[str, Any] = {
    "name": "Example Digital Ltd",
    "identifier": {"scheme": "GB-COH", "id": "7590783"},
    "nation": "GB-WLS",
    "contact": {"name": "Example Director", "email": "Director@Supplier.example"},
}
CODE = re.compile(r"^ {4}([A-Za-z0-9_-]{43})$", re.MULTILINE)


def draft(number: int | None = None, email: str | None = None, **changes: Any) -> dict[str, Any]:
    """With another company's number, or to another address."""
    found = {**DRAFT, **changes}
    if number is not None:
        found["identifier"] = {"scheme": "GB-COH", "id": f"{number:08}"}
    if email is not None:
        found["contact"] = {**DRAFT["contact"], "email": email}
    return found


@dataclass
class Porch:
    """The service as nobody sees it, and what it has written to whom."""

    client: httpx.AsyncClient
    app: Litestar
    db: AsyncSession

    @property
    def post(self) -> Post:
        found: Post = self.app.state.porch.post
        return found

    async def register(self, sent: dict[str, Any] | None = None, **more: Any) -> httpx.Response:
        return await self.client.post(HERE, json=sent or DRAFT, **more)

    async def begin(self, sent: dict[str, Any] | None = None) -> tuple[str, str]:
        """A registration's id, and the code in the last letter."""
        id_: str = ok(await self.register(sent), 202)["id"]
        return id_, code_in((await self.letters())[-1])

    async def confirm(self, id_: object, code: str, key: str | None = "", **more: Any) -> httpx.Response:
        headers = {} if key is None else {"Idempotency-Key": key or str(uuid4())}
        return await self.client.post(f"{HERE}/{id_}/confirm", json={"code": code}, headers=headers, **more)

    async def letters(self) -> list[Letter]:
        """Those that are going to be sent, oldest first."""
        rows = await self.db.scalars(select(OutgoingMail).order_by(OutgoingMail.id))
        return [opened(self.post, row.id, row.sealed) for row in rows if row.until > wall_now()]

    async def count(self, table: Any) -> int:
        return (await self.db.scalars(select(func.count()).select_from(table))).one()


def code_in(letter: Letter) -> str:
    (code,) = CODE.findall(letter.text)
    return str(code)


@pytest.fixture
async def porch(settings: Settings, sessions: Sessions, vault: FileKeyring, db: AsyncSession) -> AsyncGenerator[Porch]:
    """Without the quota of an hour, which has tests of its own."""
    app = create_app(msgspec.structs.replace(settings, rate_registrations=0), sessions=sessions, vault=vault)
    async with client_of(app) as client:
        yield Porch(client, app, db)


async def token(client: httpx.AsyncClient, made: dict[str, Any]) -> str:
    basic = b64encode(f"{made['client_id']}:{made['client_secret']}".encode()).decode()
    form = {"grant_type": "client_credentials"}
    reply = await client.post("/oauth/token", data=form, headers={"Authorization": f"Basic {basic}"})
    return str(ok(reply)["access_token"])


# --- who comes in ---------------------------------------------------------------------------------------------------


async def test_a_supplier_comes_in_by_the_code_that_was_mailed_and_acts(porch: Porch) -> None:
    id_, code = await porch.begin()
    (letter,) = await porch.letters()
    assert letter.to == "Director@supplier.example"
    assert f"/v1/registrations/{id_}/confirm" in letter.text
    assert await porch.count(Organisation) == 0
    reply = await porch.confirm(id_, code)
    made = ok(reply)
    assert reply.headers["cache-control"] == "no-store"
    bearer = {"Authorization": f"Bearer {await token(porch.client, made)}"}
    party = ok(await porch.client.get(f"/v1/organisations/{made['organisation_id']}", headers=bearer))
    assert (party["kind"], party["status"], party["nation"]) == ("supplier", "active", "GB-WLS")
    assert (party["name"], party["identifier"]) == (DRAFT["name"], {"scheme": "GB-COH", "id": "07590783"})
    me = ok(await porch.client.get("/v1/me", headers=bearer))
    assert (me["person"]["id"], me["person"]["name"]) == (made["person_id"], "Example Director")
    assert (me["roles"], me["client"]["id"]) == (["admin", "bidder"], made["client_id"])
    assert {"bids:submit", "members:manage", "clients:manage"} <= set(me["scopes"])
    invitation = {"person": {"name": "A colleague"}, "roles": ["bidder"]}
    address = f"/v1/organisations/{made['organisation_id']}/invitations"
    ok(await porch.client.post(address, json=invitation, headers=bearer), 201)


async def test_the_journal_tells_of_it_as_of_the_same_acts_elsewhere(porch: Porch) -> None:
    id_, code = await porch.begin()
    assert await porch.count(JournalEntry) == 0, "nothing has happened yet"
    made = ok(await porch.confirm(id_, code))
    entries = {one.type: one for one in await porch.db.scalars(select(JournalEntry))}
    assert entries.keys() == {
        "organisation.registered",
        "membership.added",
        "client.added",
        "registration.confirmed",
    }
    for type_, entry in entries.items():
        assert entry.audience_organisations == [UUID(made["organisation_id"])], type_
        assert not entry.is_public
        for word in ("Director", "irector@", code, made["client_secret"]):
            assert word not in entry.payload
        assert entry.request_id
    by = entries["registration.confirmed"]
    assert (by.person_id, by.object_id) == (UUID(made["person_id"]), UUID(id_))
    beside = await porch.db.scalar(select(JournalPersonal.data).where(JournalPersonal.entry_id == by.id))
    assert beside is not None
    for word in (b"Example Director", b"Director@supplier.example", b"127.0.0.1"):
        assert word in beside


async def test_a_retry_shows_the_secret_again_and_nobody_else_is_shown_it(porch: Porch) -> None:
    (id_, code), key = await porch.begin(), str(uuid4())
    problem(await porch.confirm(id_, code, key=None), 400, "idempotency-key-missing")
    first, again = [await porch.confirm(id_, code, key=key) for _ in range(2)]
    assert (ok(again), again.headers["idempotency-replayed"]) == (ok(first), "true")
    other = problem(await porch.confirm(id_, code), 409, "registration-not-open")
    assert "secret" in other["detail"]
    problem(await porch.confirm(id_, "x" * 43, key=key), 422, "idempotency-key-reused")
    assert await porch.count(Client) == 1


async def test_asking_twice_with_one_key_writes_one_letter(porch: Porch) -> None:
    headers = {"Idempotency-Key": str(uuid4())}
    first, again = [await porch.register(headers=headers) for _ in range(2)]
    assert ok(first, 202) == ok(again, 202)
    assert len(await porch.letters()) == 1


async def test_what_is_only_tried_writes_to_nobody_and_makes_nothing(porch: Porch) -> None:
    trial = {"validate_only": "true"}
    reply = await porch.register(params=trial)
    assert (reply.status_code, reply.headers["validated-only"]) == (202, "true")
    assert (await porch.count(Registration), await porch.count(OutgoingMail)) == (0, 0)
    id_, code = await porch.begin()
    assert (await porch.confirm(id_, code, params=trial)).headers["validated-only"] == "true"
    assert await porch.count(Organisation) == 0
    ok(await porch.confirm(id_, code))


# --- what nobody learns ---------------------------------------------------------------------------------------------


async def test_who_asks_is_told_the_same_whether_the_organisation_is_there_or_not(porch: Porch) -> None:
    actor = await supplier(porch.db)
    party = await porch.db.get_one(Organisation, actor.organisation_id)
    party.identifier = "07590784"
    await porch.db.commit()
    new, known = await porch.register(), await porch.register(draft(7590784, "other@supplier.example"))
    assert shape(new) == shape(known)
    to_new, to_known = await porch.letters()
    assert CODE.findall(to_new.text)
    assert not CODE.findall(to_known.text)
    assert "registered already" in to_known.subject
    assert "administrators" in to_known.text
    assert await porch.count(Organisation) == 1


def shape(reply: httpx.Response) -> Any:
    """All of a reply but what is drawn by chance."""
    body = {name: len(str(value)) for name, value in reply.json().items()}
    headers = {
        name: value for name, value in reply.headers.items() if name not in ("x-request-id", "date", "ratelimit")
    }
    return reply.status_code, body, headers


async def test_whichever_it_is_the_same_statements_are_run(porch: Porch, connection: AsyncConnection) -> None:
    """As far as the time that it takes can tell anything."""
    actor = await supplier(porch.db)
    (await porch.db.get_one(Organisation, actor.organisation_id)).identifier = "07590784"
    await porch.db.commit()
    said: list[str] = []

    def hear(_connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    heard = []
    event.listen(connection.sync_connection, "before_cursor_execute", hear)
    await porch.register(draft(7590700, "first@supplier.example"))
    for number, email in ((7590785, "a@supplier.example"), (7590784, "b@supplier.example")):
        said.clear()
        ok(await porch.register(draft(number, email)), 202)
        heard.append([*said])
    for _ in range(rules.LETTERS_MAX):
        said.clear()
        ok(await porch.register(draft(7590786, "a@supplier.example")), 202)
    heard.append([*said])
    event.remove(connection.sync_connection, "before_cursor_execute", hear)
    assert heard[0]
    new, known, silent = (without_savepoints(one) for one in heard)
    assert new == known == silent


def without_savepoints(statements: list[str]) -> list[str]:
    return [one for one in statements if "SAVEPOINT" not in one]


async def test_a_wrong_code_is_answered_as_if_there_were_no_such_registration(porch: Porch) -> None:
    id_, _ = await porch.begin()
    wrong, nothing = await porch.confirm(id_, "x" * 43), await porch.confirm(uuid4(), "x" * 43)
    told = [problem(one, 404, "registration-not-found") for one in (wrong, nothing)]
    for one in told:
        del one["request_id"], one["instance"]
    assert told[0] == told[1]
    assert set(wrong.headers) == set(nothing.headers)


async def test_the_code_stands_nowhere_but_in_the_letter(porch: Porch) -> None:
    with capture_logs() as said:
        id_, code = await porch.begin()
        ok(await porch.confirm(id_, code))
    for table in ("registrations", "outgoing_mails", "kept_replies", "journal_entries", "journal_personal"):
        rows = await porch.db.scalars(text(f"SELECT {table}::text FROM {table}"))
        everything = "\n".join(rows)
        assert code not in everything
        assert code.encode().hex() not in everything
    assert code not in repr(said)
    row = await porch.db.get_one(Registration, UUID(id_))
    assert len(row.code_hash) == 32
    assert b"127.0.0.1".hex() not in f"{row.network_mark!r}{(row.network_mark or b'').hex()}"


async def test_no_letter_says_what_the_sender_would_have_the_reader_believe(porch: Porch) -> None:
    lure = "You have won! https://lure.example"
    await porch.register(draft(name=lure, contact={"name": lure, "email": "reader@else.example"}))
    (letter,) = await porch.letters()
    assert "lure" not in letter.subject + letter.text + letter.to


# --- what is taken --------------------------------------------------------------------------------------------------


async def test_every_fault_is_told_at_once_and_nobody_is_written_to(porch: Porch) -> None:
    bad = draft(email="director@localhost", identifier={"scheme": "GB-LAE", "id": "*"})
    faults = problem(await porch.register(bad), 422, "registration-invalid")["errors"]
    assert [(one["pointer"], one["code"]) for one in faults] == [
        ("/identifier/scheme", "scheme"),
        ("/identifier/id", "identifier"),
        ("/contact/email", "email"),
    ]
    assert "GB-COH" in faults[0]["message"]
    assert await porch.count(Registration) == 0


@pytest.mark.parametrize(
    "email",
    [
        "director@supplier.example\r\nBcc: everybody@else.example",
        "director@supplier.example, other@else.example",
        "Director <director@supplier.example>",
        '"a b"@supplier.example',
        "director@[127.0.0.1]",
        "director@supplier.test",
        "direct\u00f6r@supplier.example",
        "director@-supplier.example",
        f"{'d' * 65}@supplier.example",
        "director(comment)@supplier.example",
        "@supplier.example",
    ],
)
async def test_an_address_that_no_one_mailbox_has_is_refused(porch: Porch, email: str) -> None:
    faults = (await porch.register(draft(email=email))).json()["errors"]
    assert {one["pointer"] for one in faults} == {"/contact/email"}
    assert await porch.count(OutgoingMail) == 0


async def test_an_address_is_left_as_it_is_but_for_its_domain(porch: Porch) -> None:
    for email in ("First.Last+Tenders@Supplier.example", "director@m\u00fcnchen.example"):
        await porch.register(draft(email=email))
    assert [one.to for one in await porch.letters()] == [
        "First.Last+Tenders@supplier.example",
        "director@xn--mnchen-3ya.example",
    ]


async def test_a_name_with_what_no_reader_sees_is_refused(porch: Porch) -> None:
    faults = problem(await porch.register(draft(name="Example\u202edtL")), 422, "body-invalid")["errors"]
    assert [one["pointer"] for one in faults] == ["/name"]


#: One identifier of each scheme in another spelling than its own, that spelling, and what is none.
IDENTIFIERS = {
    "GB-CHC": ("1 089 464", "1089464", "0089464"),
    "GB-COH": ("sc123456", "SC123456", "1234567X"),
    "GB-NIC": ("NIC100012", "100012", "10001"),
    "GB-PPON": ("pabc-1234-defg", "PABC-1234-DEFG", "PABC-1234-DEF"),
    "GB-SC": ("sc037606", "SC037606", "037606"),
    "GB-VAT": ("GB 980 7806 84", "980780684", "980780685"),
    "XI-LEI": ("213800KUD8LAJWSQ9D15", "213800KUD8LAJWSQ9D15", "213800KUD8LAJWSQ9D16"),
}


@pytest.mark.parametrize("scheme", sorted(CHECKED_SCHEMES))
async def test_an_identifier_is_checked_and_has_one_spelling(porch: Porch, scheme: str) -> None:
    spelled, canonical, wrong = IDENTIFIERS[scheme]
    bad = await porch.register(draft(identifier={"scheme": scheme, "id": wrong}))
    assert [one["pointer"] for one in problem(bad, 422, "registration-invalid")["errors"]] == ["/identifier/id"]
    id_, code = await porch.begin(draft(identifier={"scheme": scheme, "id": spelled}))
    made = ok(await porch.confirm(id_, code))
    party = await porch.db.get_one(Organisation, UUID(made["organisation_id"]))
    assert (party.scheme, party.identifier, party.status) == (scheme, canonical, OrganisationStatus.ACTIVE)


# --- codes that are over --------------------------------------------------------------------------------------------


async def test_a_code_is_good_for_a_day(porch: Porch) -> None:
    sent = ok(await porch.register(), 202)
    left = msgspec.convert(sent["expires_at"], type(wall_now())) - wall_now()
    assert timedelta(hours=23, minutes=59) < left <= timedelta(hours=24)
    await porch.db.execute(text("UPDATE registrations SET expires_at = clock_timestamp()"))
    await porch.db.commit()
    (letter,) = await porch.letters()
    told = problem(await porch.confirm(sent["id"], code_in(letter)), 409, "registration-not-open")
    assert "expired" in told["detail"]
    assert await porch.count(Organisation) == 0


async def test_after_five_wrong_codes_the_right_one_is_worth_nothing(porch: Porch) -> None:
    id_, code = await porch.begin()
    for _ in range(rules.ATTEMPTS_MAX):
        problem(await porch.confirm(id_, "x" * 43), 404, "registration-not-found")
    problem(await porch.confirm(id_, code), 404, "registration-not-found")
    assert await porch.count(Organisation) == 0


async def test_after_four_wrong_codes_the_right_one_is_right(porch: Porch) -> None:
    id_, code = await porch.begin()
    for _ in range(rules.ATTEMPTS_MAX - 1):
        problem(await porch.confirm(id_, "x" * 43), 404, "registration-not-found")
    ok(await porch.confirm(id_, code))


async def test_one_wrong_code_sent_again_with_its_key_counts_once(porch: Porch) -> None:
    (id_, code), key = await porch.begin(), str(uuid4())
    replies = [await porch.confirm(id_, "x" * 43, key=key) for _ in range(rules.ATTEMPTS_MAX + 1)]
    assert {reply.status_code for reply in replies} == {404}
    ok(await porch.confirm(id_, code))


async def test_codes_for_what_there_is_not_leave_nothing_behind(porch: Porch) -> None:
    for _ in range(3):
        problem(await porch.confirm(uuid4(), "x" * 43), 404, "registration-not-found")
    kept = await porch.db.scalar(text("SELECT count(*) FROM kept_replies"))
    assert kept == 0


async def test_of_two_who_register_the_same_the_first_to_confirm_has_it(porch: Porch) -> None:
    first, second = await porch.begin(), await porch.begin(draft(email="other@supplier.example"))
    ok(await porch.confirm(*second))
    for _ in range(2):
        assert "client_secret" not in problem(await porch.confirm(*first), 409, "organisation-known")
    assert (await porch.count(Person), await porch.count(Credential)) == (1, 1)


async def test_what_is_over_is_forgotten_after_two_days(porch: Porch, sessions: Sessions) -> None:
    for number in range(3):
        await porch.begin(draft(7590790 + number, f"{number}@supplier.example"))
    age = "UPDATE registrations SET created_at = created_at - make_interval(hours => :hours) WHERE identifier = :id"
    for hours, id_ in ((49, "07590790"), (47, "07590791")):
        await porch.db.execute(text(age), {"hours": hours, "id": id_})
    await porch.db.commit()
    await worker.forget_registrations(sessions)
    left = await porch.db.scalars(select(Registration.identifier).order_by(Registration.identifier))
    assert list(left) == ["07590791", "07590792"]


# --- how often ------------------------------------------------------------------------------------------------------


async def test_one_mailbox_is_written_to_three_times_a_day_whoever_asks(porch: Porch) -> None:
    spelled = ["a@supplier.example", "A@Supplier.example", "a+one@supplier.example", "a+two@supplier.example"]
    replies = [await porch.register(draft(7590800 + number, email)) for number, email in enumerate(spelled)]
    assert len({str(shape(reply)) for reply in replies}) == 1
    assert [one.to for one in await porch.letters()] == [
        "a@supplier.example",
        "A@supplier.example",
        "a+one@supplier.example",
    ]
    await porch.register(draft(7590810, "b@supplier.example"))
    assert len(await porch.letters()) == 4
    await porch.db.execute(text("UPDATE registrations SET created_at = created_at - interval '24 hours'"))
    await porch.db.commit()
    await porch.register(draft(7590811, "a@supplier.example"))
    assert len(await porch.letters()) == 5


async def test_asking_on_where_nobody_is_written_to_does_not_shut_the_mailbox_for_longer(porch: Porch) -> None:
    for number in range(rules.LETTERS_MAX + 3):
        await porch.register(draft(7590800 + number))
        ageing = "UPDATE registrations SET created_at = created_at - interval '5 hours'"
        await porch.db.execute(text(ageing))
        await porch.db.commit()
    # 30 hours in all: those of the first day do not count, and the three after them were not written.
    assert len(await porch.letters()) == rules.LETTERS_MAX + 1


async def test_one_network_address_has_so_many_that_wait(porch: Porch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "OPEN_MAX", 3)
    begun = [await porch.begin(draft(7590800 + number, f"{number}@supplier.example")) for number in range(3)]
    another = draft(7590810, "another@supplier.example")
    problem(await porch.register(another), 409, "registration-limit-reached")
    ok(await porch.confirm(*begun[0]))
    ok(await porch.register(another), 202)


@pytest.fixture
async def client_with_quota(app: Litestar) -> AsyncGenerator[httpx.AsyncClient]:
    async with client_of(app) as client:
        yield client


async def test_an_address_asks_five_times_an_hour(client_with_quota: httpx.AsyncClient, db: AsyncSession) -> None:
    client = client_with_quota
    problem(await client.post(HERE, json=draft(email="nobody")), 422, "registration-invalid")
    ok(await client.post(f"{HERE}?validate_only=true", json=DRAFT), 202)
    for number in range(5):
        reply = await client.post(HERE, json=draft(7590800 + number, f"{number}@supplier.example"))
        ok(reply, 202)
        assert reply.headers["ratelimit-policy"] == '"registrations";q=5;w=3600'
        assert f"r={4 - number};" in reply.headers["ratelimit"]
    refused = await client.post(HERE, json=draft(7590810, "more@supplier.example"))
    problem(refused, 429, "too-many-requests")
    assert 700 <= int(refused.headers["retry-after"]) <= 720
    assert (await db.scalars(select(func.count()).select_from(Registration))).one() == 5
    # Who confirms, and everybody else, goes on.
    problem(
        await client.post(
            f"{HERE}/{uuid4()}/confirm", json={"code": "x" * 43}, headers={"Idempotency-Key": str(uuid4())}
        ),
        404,
        "registration-not-found",
    )


# --- where it is not offered ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "status", "slug"),
    [({"registration": False}, 403, "registration-off"), ({"mail_url": ""}, 503, "mail-not-set")],
)
async def test_where_it_is_not_offered_a_sentence_says_so(
    changes: dict[str, Any],
    status: int,
    slug: str,
    settings: Settings,
    sessions: Sessions,
    vault: FileKeyring,
    db: AsyncSession,
) -> None:
    app = create_app(msgspec.structs.replace(settings, **changes), sessions=sessions, vault=vault)
    async with client_of(app) as client:
        porch = Porch(client, app, db)
        for reply in (await porch.register(), await porch.confirm(uuid4(), "x" * 43)):
            assert "operator" in problem(reply, status, slug)["detail"]
    assert await porch.count(Registration) == 0


# --- all at once ----------------------------------------------------------------------------------------------------


@pytest.fixture
async def crowd(world: World) -> AsyncGenerator[Porch]:
    """On a committed database, with connections of their own for all."""
    world.app.state.rates = create_app(
        msgspec.structs.replace(world.settings, rate_registrations=0), sessions=world.sessions
    ).state.rates
    async with world.sessions() as db:
        yield Porch(world.client, world.app, db)


async def test_of_eight_confirmations_at_once_one_makes_it_and_is_shown_the_secret(crowd: Porch) -> None:
    id_, code = await crowd.begin()
    replies = await asyncio.gather(*(crowd.confirm(id_, code) for _ in range(8)))
    assert Counter(one.status_code for one in replies) == {200: 1, 409: 7}
    assert [("client_secret" in one.json()) for one in replies].count(True) == 1
    counts = [await crowd.count(table) for table in (Organisation, Person, Membership, Client, Credential)]
    assert counts == [1] * 5


async def test_of_eight_who_confirm_the_same_organisation_at_once_one_has_it(crowd: Porch) -> None:
    begun = [await crowd.begin(draft(email=f"{number}@supplier.example")) for number in range(8)]
    replies = await asyncio.gather(*(crowd.confirm(*one) for one in begun))
    assert Counter(one.status_code for one in replies) == {200: 1, 409: 7}
    assert {one.json()["type"].rpartition("/")[2] for one in replies if one.is_error} == {"organisation-known"}
    assert (await crowd.count(Organisation), await crowd.count(Person)) == (1, 1)


async def test_twenty_wrong_codes_at_once_count_five_times(crowd: Porch) -> None:
    id_, code = await crowd.begin()
    replies = await asyncio.gather(*(crowd.confirm(id_, "x" * 43) for _ in range(20)))
    assert Counter(one.status_code for one in replies) == {404: 20}
    row = await crowd.db.get_one(Registration, UUID(id_))
    assert row.attempts == rules.ATTEMPTS_MAX
    problem(await crowd.confirm(id_, code), 404, "registration-not-found")


async def test_twenty_who_ask_at_once_for_one_mailbox_have_three_letters_written(crowd: Porch) -> None:
    asked = (draft(7590800 + number, "a@supplier.example") for number in range(19))
    replies = await asyncio.gather(*(crowd.register(one) for one in asked))
    assert Counter(one.status_code for one in replies) == {202: 19}
    assert len(await crowd.letters()) == rules.LETTERS_MAX


async def test_thirty_who_ask_at_once_from_one_network_address_have_twenty_that_wait(crowd: Porch) -> None:
    asked = (draft(7590800 + number, f"{number}@supplier.example") for number in range(30))
    replies = await asyncio.gather(*(crowd.register(one) for one in asked))
    assert Counter(one.status_code for one in replies) == {202: rules.OPEN_MAX, 409: 30 - rules.OPEN_MAX}
    assert await crowd.count(Registration) == rules.OPEN_MAX


async def test_nothing_of_a_confirmation_stays_where_its_end_fails(
    crowd: Porch, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_, code = await crowd.begin()

    async def fails(*_: Any, **__: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(identity, "add_client", fails)
        with capture_logs():
            assert (await crowd.confirm(id_, code)).status_code == 500
    assert (await crowd.count(Organisation), await crowd.count(Person)) == (0, 0)
    ok(await crowd.confirm(id_, code))
