"""One procurement that goes through every operation of the document by its own example, for whoever looks at them on the way."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
import msgspec

import build
from conftest import World
from described import Described, described
from journal.stamping import stamp_latest
from procure import worker
from procure.journal import stamps
from procure.journal.notes import origin_of
from procure.journal.sealer import Sealer
from procure.kit.actor import Actor, Known, Role
from procure.mail.service import Post
from procure.organisations.models import Organisation
from recording import Recorder, later

#: When the examples begin, by their own calendar.
BEGINS = "2026-11-24T09:00:00Z"
#: What their ids stand for.
OUTCOME, MEASURE, CONTRACT, INVOICE = (f"0199c0de-0000-7000-8000-0000000000{number}" for number in (10, 11, 40, 50))
DESIGNER, ENGINEER = (f"0199c0de-0000-7000-8000-0000000000{number}" for number in ("0a", "0b"))
CHAIR, MEMBER = (f"0199c0de-0000-7000-8000-0000000000{number}" for number in (31, 32))
#: Of the parties, where `build` draws some by chance.
IDENTIFIERS = {"operator": "EXP", "bidder": "07590781", "other": "07590782"}
DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


#: What stands for bytes that JSON has no form for, and that are others each time.
BINARY = {stamps.REPLY: "A TimeStampResp, DER: 30 82 …"}
#: Links to what is there for somebody else, or in time.
LATER = {"approveAward": ("getAssessment",), "openLot": ("listOpenedBids",), "publishLot": ("getSeal",)}


def meant(expression: str, reply: httpx.Response, places: Mapping[str, Any]) -> Any:
    """What a runtime expression of the links stands for."""
    where, _, name = expression.partition("#/")
    return reply.json()[name] if where == "$response.body" else places[expression.removeprefix("$request.path.")]


@dataclass
class Story:
    """Who plays, what the examples' ids stand for by now, and what was answered so far."""

    world: World
    document: Described
    recorder: Recorder = field(default_factory=Recorder)
    stands_for: dict[str, str] = field(default_factory=dict)
    answered: dict[str, dict[str, Any]] = field(default_factory=dict)
    sent: set[str] = field(default_factory=set)
    #: What the operation in hand asks for beside its path.
    query: str = ""
    #: What looks at each operation in the state in which it is about to succeed: its id, its caller, its body and what its path names.
    look: Callable[[str, Actor | None, Any, dict[str, Any]], Awaitable[None]] | None = None
    council: build.Council = field(init=False)
    operator: Actor = field(init=False)
    admin: Actor = field(init=False)
    bidder: Actor = field(init=False)
    other: Actor = field(init=False)

    def __post_init__(self) -> None:
        self.addresses = {
            operation["operationId"]: (method.upper(), path, operation)
            for path, item in self.document.paths.items()
            for method, operation in item.items()
        }

    def let(self, example: str, real: Any) -> None:
        """From now on this value of the examples means that one."""
        self.stands_for[example] = str(real)
        self.recorder.names.setdefault(str(real), example)

    def example(self, name: str) -> Any:
        """The request example of an operation, with the ids and in the years of this story; None for one without a body."""
        content = self.addresses[name][2].get("requestBody", {}).get("content", {})
        for media in content.values():
            text = msgspec.json.encode(media["examples"]["example"]["value"]).decode()
            for said, meant in self.stands_for.items():
                text = text.replace(said, meant)
            self.sent.add(name)
            return msgspec.json.decode(later(text))
        return None

    async def play(
        self, name: str, actor: Actor | None = None, body: Any = None, *, query: str = "", **places: Any
    ) -> Any:
        """The operation as its example has it, or with `body`; it has to succeed, and its first reply is kept."""
        method, path, _ = self.addresses[name]
        sent = self.example(name) if body is None else body
        self.query = query
        if self.look:
            await self.look(name, actor, sent, places)
        reply = await self.world.call(method, actor, path.format(**places) + query, sent)
        body = self.kept(name, reply)
        await self.follow(name, reply, actor, places)
        return body

    async def follow(self, name: str, reply: httpx.Response, actor: Actor | None, places: Mapping[str, Any]) -> None:
        """The links to what can be read, by whoever was answered."""
        for link in self.addresses[name][2]["responses"][str(reply.status_code)].get("links", {}).values():
            method, path, _ = self.addresses[link["operationId"]]
            if method == "GET" and actor is not None and link["operationId"] not in LATER.get(name, ()):
                found = {place: meant(said, reply, places) for place, said in link.get("parameters", {}).items()}
                answer = await self.world.call.get(actor, path.format(**found))
                assert answer.is_success, f"{name} leads to {link['operationId']}: {answer.text}"

    def kept(self, name: str, reply: httpx.Response) -> Any:
        assert reply.is_success, f"{name}: {reply.status_code} {reply.text}"
        kind = reply.headers["content-type"]
        body = BINARY.get(kind) or (reply.json() if kind.endswith("json") else reply.text)
        self.answered.setdefault(name, {}).setdefault(str(reply.status_code), self.recorder.plain(body))
        return body

    def promised(self) -> dict[str, set[str]]:
        """Every reply of success that the document names."""
        return {
            name: {status for status in one["responses"] if status < "300"}
            for name, (_, _, one) in self.addresses.items()
        }

    async def wait_until(self, moment: str) -> None:
        await self.play("moveSandboxClock", self.operator, {"to": later(moment)})

    async def seal(self) -> None:
        """Give all entries so far their positions."""
        sealer = Sealer(self.world.vault, origin_of(self.world.settings.base_url))
        async with self.world.sessions() as db:
            while await sealer.seal(db):
                await db.commit()

    async def stamp(self) -> None:
        """Have the latest checkpoint stamped by an authority."""
        async with self.world.sessions() as db:
            await stamp_latest(db)
            await db.commit()

    async def work(self) -> None:
        assert await worker.run_once(self.world.sessions, self.world.vault, self.world.post)


async def begun(world: World) -> Story:
    """The council and its supplier, at the beginning of the examples' calendar."""
    story = Story(world, described(world.app))
    async with world.sessions() as db:
        await build.move_clock(db, datetime.fromisoformat(later(BEGINS)))
        story.council = await build.council(db)
        story.operator = await build.operator(db)
        story.admin = await build.seat(db, story.council.organisation, Role.ADMIN)
        story.bidder = await build.supplier(db)
        story.other = await build.supplier(db, "Another supplier")
        for name, identifier in IDENTIFIERS.items():
            party = await db.get_one(Organisation, getattr(story, name).organisation_id)
            party.identifier = identifier
        story.council.organisation.identifier = "TSH"
        await db.commit()
    for example, actor in {
        DESIGNER: story.council.designer,
        ENGINEER: story.council.engineer,
        CHAIR: story.council.designer,
        MEMBER: story.council.engineer,
    }.items():
        story.let(example, actor.person_id)
    return story


async def parties(story: Story) -> None:
    for name in ("getLiveness", "getReadiness", "getVersion", "getTokenKeys", "getTokenMetadata", "getTime"):
        await story.play(name)
    operator = story.operator
    organisation = (await story.play("registerOrganisation", operator))["id"]
    await story.play("getOrganisation", operator, organisation_id=organisation)
    member = await story.play("addMember", operator, organisation_id=organisation)
    client = await story.play("addClient", operator, organisation_id=organisation)
    for name in ("listMembers", "listClients"):
        await story.play(name, operator, organisation_id=organisation)
    places = {"organisation_id": organisation}
    await proofs(story, client, **places)
    await story.play("listOrganisationActions", operator, **places)
    await story.play("listMembershipActions", operator, membership_id=member["id"], **places)
    await story.play("listClientActions", operator, client_id=client["id"], **places)
    for act in ("suspend", "reinstate"):
        await story.play(f"{act}Client", operator, client_id=client["id"], **places)
        await story.play(f"{act}Membership", operator, membership_id=member["id"], **places)
        await story.play(f"{act}Person", operator, person_id=member["person"]["id"])
    await story.play("getPerson", operator, person_id=member["person"]["id"])
    await story.play("listPersonActions", operator, person_id=member["person"]["id"])
    await invited(story, **places)
    await registered(story)
    await story.play("getMe", story.council.officer)
    await story.play("revokeClient", operator, client_id=client["id"], **places)
    await story.play("endMembership", operator, membership_id=member["id"], **places)
    await story.play("suspendOrganisation", operator, **places)
    await story.play("reinstateOrganisation", operator, **places)
    await story.play("listOrganisations", operator)
    await rules(story)
    await journal(story)
    await webhooks(story)


async def rules(story: Story) -> None:
    """What holds, and what is going to; what things are called, and how value is measured."""
    for noun in ("Band", "VatRate", "Terms", "PlatformLimits"):
        await story.play(f"record{noun}", story.operator)
    await story.play("recordPolicyVersion", story.council.approver)
    for name in ("listBands", "listVatRates", "listTerms", "listPlatformLimits", "listPolicyVersions"):
        await story.play(name, query="?limit=2")
    of_council = f"?buyer_id={story.council.organisation.id}"
    await story.play("getPolicy", query=f"{of_council}&on={later('2027-10-01')}")
    await story.play("getTerms", version="short-form-1")
    await story.play("searchCpv", query="?q=software%20develop&under=72000000&limit=5")
    await story.play("getCpvCode", code="72200000")
    await story.play("getMeasureCatalogue", query="?theme=climate")


async def journal(story: Story) -> None:
    """What has happened so far, how one goes on hearing of it, and how anybody checks it."""
    of = "types=organisation.registered,organisation.suspended"
    await story.seal()
    changes = await story.play("listChanges", story.operator, query=f"?limit=2&{of}")
    # What is there is told; then the stream ends, since nobody waits for more.
    await story.world.app.state.tail.close()
    await story.play("streamChanges", story.operator, query=f"?{of}")
    await story.play("getJournalKey")
    await story.stamp()
    await story.play("listCheckpoints")
    size = (await story.play("getCheckpoint"))["size"]
    await story.play("getCheckpointTimestamp", size=size)
    await story.play("proveInclusion", story.operator, position=changes["items"][0]["position"])
    await story.play("proveConsistency", query=f"?since=1&to={size}")


async def webhooks(story: Story) -> None:
    """Changes are brought to the council's portal: tried, moved, paused, and ended."""
    admin = story.admin
    made = await story.play("addWebhook", admin)
    at = {"webhook_id": made["id"]}
    await story.play("listWebhooks", admin)
    await story.play("getWebhook", admin, **at)
    await story.play("editWebhook", admin, **at)
    await story.play("testWebhook", admin, **at)
    await story.play("listWebhookDeliveries", admin, **at)
    await story.play("getWebhookProgress", admin, **at)
    await story.play("rotateWebhookSecret", admin, **at)
    await story.play("replayWebhook", admin, **at)
    for act in ("pause", "resume", "disable"):
        await story.play(f"{act}Webhook", admin, **at)


async def invited(story: Story, **places: Any) -> None:
    """Somebody comes by their council's own sign-on; another's invitation is revoked."""
    operator, newcomer = story.operator, Actor(sign_on=Known(story.world.sign_on.issuer, f"newcomer of {places}"))
    invitation = await story.play("addInvitation", operator, **places)
    story.let(story.example("acceptInvitation")["code"], invitation["code"])
    await story.play("acceptInvitation", newcomer)
    other = await story.play("addInvitation", operator, **places)
    await story.play("listInvitations", operator, **places)
    at = {"invitation_id": other["id"], **places}
    await story.play("listInvitationActions", operator, **at)
    await story.play("revokeInvitation", operator, **at)


async def registered(story: Story) -> None:
    """A supplier registers itself by the code that is mailed."""
    made = await story.play("registerSupplier")
    await story.work()
    story.let(story.example("confirmRegistration")["code"], posted_code(story.world.post))
    await story.play("confirmRegistration", registration_id=made["id"])


def posted_code(post: Post) -> str:
    """Of the one letter in the folder."""
    assert post.route.folder is not None
    (letter,) = post.route.folder.glob("*.eml")
    (code,) = re.findall(r"^ {4}([A-Za-z0-9_-]{43})\r?$", letter.read_text(), re.MULTILINE)
    return str(code)


async def proofs(story: Story, client: dict[str, Any], **places: Any) -> None:
    """What the client proves itself with, and the tokens that it has for that."""
    operator, of_client = story.operator, {**places, "client_id": client["id"]}
    for noun, id_ in (("Secret", "credential_id"), ("Key", "key_id")):
        added = await story.play(f"addClient{noun}", operator, **of_client)
        await story.play(f"listClient{noun}s", operator, **of_client)
        await story.play(f"revokeClient{noun}", operator, **{id_: added["id"]}, **of_client)
    pair = (client["id"], client["client_secret"])

    async def ask(name: str, path: str) -> Any:
        reply = await story.world.client.post(path, data=story.example(name), auth=pair)
        return story.kept(name, reply)

    story.let(tokens_example(story), (await ask("getToken", "/oauth/token"))["access_token"])
    assert (await ask("introspectToken", "/oauth/introspect"))["active"]
    await ask("revokeToken", "/oauth/revoke")


def tokens_example(story: Story) -> str:
    """The token of the examples."""
    content = story.addresses["revokeToken"][2]["requestBody"]["content"]
    return str(next(iter(content.values()))["examples"]["example"]["value"]["token"])


async def outcome(story: Story) -> str:
    council = story.council
    made = await story.play("draftOutcome", council.officer)
    place = {"outcome_id": made["id"]}
    await story.play("reviseOutcome", council.officer, **place)
    active = await story.play("activateOutcome", council.budget_holder, **place)
    story.let(OUTCOME, made["id"])
    story.let(MEASURE, active["measures"][0]["id"])
    for act, decider in (("refuse", council.approver), ("approve", council.budget_holder)):
        proposal = await story.play("makeProposal", council.officer, **place)
        await story.play("getProposal", proposal_id=proposal["id"], **place)
        await story.play(f"{act}Proposal", decider, proposal_id=proposal["id"], **place)
    for name in ("getOutcome", "listOutcomes", "listProposals", "listSiblings"):
        await story.play(name, **place)
    await story.play("listOutcomeActions", council.officer, **place)
    return str(made["id"])


async def lot(story: Story) -> str:
    council = story.council
    made = await story.play("draftLot", council.officer)
    place = {"lot_id": made["id"]}
    await story.play("reviseLot", council.officer, **place)
    await story.play("recordLotNotice", council.officer, **place)
    await story.play("getLotChecks", council.approver, **place)
    await story.play("publishLot", council.approver, **place)
    for name in ("getLot", "listLots", "getLotChoices"):
        await story.play(name, **place)
    copy = await story.play("copyLot", council.officer, **place)
    await story.play("withdrawLot", council.officer, lot_id=copy["id"])
    await story.play("listLotActions", story.bidder, **place)
    enquiry = await story.play("askEnquiry", story.bidder, **place)
    await story.play("listEnquiryActions", council.officer, enquiry_id=enquiry["id"])
    await story.play("listTasks", council.officer)
    about = {"enquiry_id": enquiry["id"]}
    await story.play("answerEnquiry", council.officer, **about)
    await story.play("getEnquiry", council.officer, **about)
    await story.play("publishEnquiry", council.officer, **about)
    again, private = [await story.play("askEnquiry", story.bidder, **place) for _ in range(2)]
    story.let(story.example("mergeEnquiry")["into_id"], enquiry["id"])
    await story.play("mergeEnquiry", council.officer, enquiry_id=again["id"])
    await story.play("replyToEnquiry", council.officer, enquiry_id=private["id"])
    await story.play("listEnquiries", **place)
    await story.play("getExtensionOffer", council.approver, **place)
    await story.play("extendLot", council.approver, **place)
    return str(made["id"])


async def bid(story: Story, lot_id: str) -> None:
    receipt = await story.play("submitBid", story.bidder, lot_id=lot_id)
    await story.play("replaceBid", story.bidder, bid_id=receipt["id"])
    await story.play("getBid", story.bidder, bid_id=receipt["id"])
    await story.play("listBidActions", story.bidder, bid_id=receipt["id"])
    other = await story.play("submitBid", story.other, lot_id=lot_id)
    await story.play("withdrawBid", story.other, bid_id=other["id"])
    await story.play("listBids", story.bidder)
    for example in ("5f0c9f0e-6c53-4a6b-9b1c-0d4f2b6f8a10", "0e6f2f0a-9f4d-4b5e-8a57-2f6a0c2a51d4"):
        story.let(example, receipt["id"])


async def evaluation(story: Story, lot_id: str) -> None:
    council = story.council
    place: dict[str, Any] = {"lot_id": lot_id}
    await story.work()
    await story.play("getSeal", **place)
    await story.play("setPanel", council.officer, **place)
    for member in (council.designer, council.engineer):
        await story.play("declareInterests", member, **place)
    await story.play("listOpenedBids", council.designer, **place)
    sheet = story.example("recordScores")
    await story.play("recordScores", council.designer, **place)
    full = {"scores": [*sheet["scores"], {**sheet["scores"][0], "criterion_id": "C3"}]}
    for member in (council.designer, council.engineer):
        await story.play("recordScores", member, full, **place)
    await story.play("getScores", council.designer, **place)
    for member in (council.designer, council.engineer):
        await story.play("lockScores", member, **place)
    await story.play("recordConsensus", council.designer, **place)
    await story.play("recordConsensus", council.designer, full, **place)
    await story.play("concludeEvaluation", council.designer, **place)
    await story.play("getPanel", council.officer, **place)
    await story.play("getRanking", council.officer, **place)


async def contract(story: Story, lot_id: str) -> str:
    council = story.council
    award = (await story.play("recommendAward", council.officer, lot_id=lot_id))["id"]
    await story.play("approveAward", council.approver, award_id=award)
    story.let(BEGINS, (await story.play("getTime"))["now"])  # a notice of an award is published after its approval
    await story.play("recordAwardNotice", council.officer, award_id=award)
    for name in ("getAward", "listAwards"):
        await story.play(name, award_id=award)
    await story.play("listAwardActions", council.officer, award_id=award)
    await story.play("getAssessment", story.bidder, award_id=award)
    made = await story.play("drawUpContract", council.officer, award_id=award)
    story.let(CONTRACT, made["id"])
    return str(made["id"])


async def signed(story: Story, contract: dict[str, Any]) -> None:
    story.let(DIGEST, contract["digest"])
    for signatory in (story.bidder, story.council.approver):
        await story.play("signContract", signatory, contract_id=contract["id"])


async def work(story: Story, contract_id: str) -> None:
    council, place = story.council, {"contract_id": contract_id}
    for key in ("D1", "D2"):
        await story.play("submitDeliverable", story.bidder, key=key, **place)
        if key == "D1":
            await story.play("decideDeliverable", council.service_owner, key=key, **place)
            await story.play("submitDeliverable", story.bidder, key=key, **place)
        met = {"verdicts": [{"criterion": 0, "met": True}, {"criterion": 1, "met": True}]}
        await story.play("decideDeliverable", council.service_owner, met, key=key, **place)
        await story.play("getDeliverable", council.service_owner, key=key, **place)


async def money(story: Story, contract_id: str) -> None:
    finance = story.council.finance
    invoice = await story.play("sendInvoice", story.bidder, contract_id=contract_id)
    story.let(INVOICE, invoice["id"])
    await story.play("listContractActions", story.bidder, contract_id=contract_id)
    await story.play("listInvoiceActions", finance, invoice_id=invoice["id"])
    await story.wait_until("2027-01-20T09:00:00Z")
    for _ in range(2):  # made, and then known
        await story.play("recordPayment", finance, external_id="P-2027-0031")
    for name in ("FinanceContracts", "Payables", "Invoices", "Payments"):
        await story.play(f"list{name}", finance)
        await story.play(f"export{name}", finance)
    await story.play("getControlTotals", finance)


async def end(story: Story, contract_id: str, outcome_id: str) -> None:
    council, place = story.council, {"contract_id": contract_id}
    await story.play("giveRetrospective", story.bidder, **place)
    await story.play("completeContract", council.officer, **place)
    for name in ("getContract", "getContractDocument", "listContracts"):
        await story.play(name, council.officer, **place)
    second = await story.play("continueContract", council.officer, **place)
    await signed(story, second)
    await story.play("submitDeliverable", story.bidder, contract_id=second["id"], key="D1")
    met = {"verdicts": [{"criterion": place, "met": True} for place in (0, 1)]}
    await story.play("decideDeliverable", council.service_owner, met, contract_id=second["id"], key="D1")
    await story.play("completeContract", council.officer, contract_id=second["id"])
    await story.play("draftNextLot", council.officer, contract_id=second["id"])
    await timelines(story, contract_id, outcome_id)
    for noun in ("Outcomes", "Lots", "Awards", "Contracts"):
        await story.play(f"register{noun}")
    await endings(story)
    await story.play("endOutcome", council.budget_holder, outcome_id=outcome_id)


async def timelines(story: Story, contract_id: str, outcome_id: str) -> None:
    """What has happened to each thing so far, and to what belongs to it."""
    await story.seal()
    lot_id = (await story.play("getContract", story.council.officer, contract_id=contract_id))["lot_id"]
    bid_id = (await story.play("listBids", story.bidder))["items"][0]["id"]
    few: Any = {"query": "?limit=2"}
    await story.play("getOutcomeTimeline", outcome_id=outcome_id, **few)
    await story.play("getLotTimeline", lot_id=lot_id, **few)
    await story.play("getBidTimeline", story.bidder, bid_id=bid_id, **few)
    await story.play("getContractTimeline", story.council.officer, contract_id=contract_id, **few)


async def endings(story: Story) -> None:
    """The ways in which other lots end, and the opening of one of the highest band."""
    council = story.council
    async with story.world.sessions() as db:
        vault = build.vault_beside(db, story.world.settings)
        seal = await build.sealed_lot(db, covered := await build.covered_lot(db, council, vault))
        refused = await build.recommended_award(db, council, await build.evaluated_lot(db, council, vault))
        taken_back = await build.approved_award(db, council, await build.evaluated_lot(db, council, vault))
        given_up = await build.evaluated_lot(db, council, vault)
        running = await build.active_contract(db, council, vault)
        await build.decided_deliverable(db, council, running)
        finished = await build.completed_contract(db, council, await build.active_contract(db, council, vault))
        cancelled = await build.published_lot(db, council, vault)
        await db.commit()
    story.let(DIGEST, seal.root.hex())
    for opener in (council.approver, council.second_approver):
        await story.play("openLot", opener, lot_id=covered.id)
    await story.play("terminateContract", council.budget_holder, contract_id=running.id)
    await story.play("changeNextStep", council.officer, contract_id=finished.id)
    await story.play("refuseAward", council.approver, award_id=refused.id)
    await story.play("withdrawAward", council.approver, award_id=taken_back.id)
    await story.play("endWithoutAward", council.approver, lot_id=given_up.id)
    await story.play("cancelLot", council.approver, lot_id=cancelled.id)


async def whole(story: Story) -> None:
    """Everything, from the parties to the end."""
    await parties(story)
    outcome_id = await outcome(story)
    lot_id = await lot(story)
    await bid(story, lot_id)
    await story.play("moveSandboxClock", story.operator)
    await story.play(
        "observeMeasure", story.council.officer, outcome_id=outcome_id, measure_id=story.stands_for[MEASURE]
    )
    await evaluation(story, lot_id)
    contract_id = await contract(story, lot_id)
    await story.play("listObservations", outcome_id=outcome_id)
    await story.wait_until("2026-12-14T09:00:00Z")
    drawn = await story.play("getContract", story.council.officer, contract_id=contract_id)
    await signed(story, drawn)
    await story.play("placeOrder", story.council.finance, external_id="PO-2026-0417")
    await story.play("placeOrder", story.council.finance, external_id="PO-2026-0417")
    await story.wait_until("2026-12-30T09:00:00Z")
    await work(story, contract_id)
    await story.play("observeUnderContract", story.council.service_owner, contract_id=contract_id)
    await money(story, contract_id)
    await end(story, contract_id, outcome_id)
