"""Who may do what: the cells of the authorisation matrix, once for all operations that have the same. `test_authorisation` asks for each.

Callers are `side.role,role`: `buyer` and `supplier` are the parties to the procurement that is asked about, `elsewhere` and `rival`
another buyer and supplier, `its` people of the very organisation in the path, where there is one. `system` is a service client of the
buyer with every role, `nobody` a caller without a token; `side.*` stands for each role of a side. Whoever does it in the story may, always.

`may` also where only the state of things is in the way. Who isn't named is refused for want of the scope (403), nobody for want of a
token (401). 404: not theirs to know of, and told in the same words as what is not there. Else the slug of the refusal.
"""

TABLE = """
activateOutcome approveProposal
    404: elsewhere.approver
    budget-holder-needed: buyer.approver
    person-needed: system

acceptInvitation
    sign-on-needed: buyer.* elsewhere.* operator rival.* supplier.* system

addClient addClientKey addClientSecret addInvitation addMember endMembership listInvitationActions listInvitations
reinstateClient reinstateMembership revokeClient revokeClientKey revokeClientSecret revokeInvitation suspendClient
suspendMembership
    may: its.admin operator
    404: buyer.admin elsewhere.admin rival.admin supplier.admin system

answerEnquiry continueContract draftNextLot drawUpContract mergeEnquiry publishEnquiry recordAwardNotice replyToEnquiry
reviseOutcome setPanel
    may: buyer.officer system
    404: elsewhere.officer

approveAward cancelLot endOutcome endWithoutAward extendLot openLot publishLot refuseAward refuseProposal
withdrawAward
    may: buyer.approver
    404: elsewhere.approver
    person-needed: system

askEnquiry submitBid
    may: rival.bidder supplier.bidder

changeNextStep completeContract
    may: buyer.officer,service_owner
    404: elsewhere.officer,service_owner
    person-needed: system

copyLot draftLot observeMeasure observeUnderContract recordLotNotice reviseLot withdrawLot
    may: buyer.officer,service_owner system
    404: elsewhere.officer,service_owner

concludeEvaluation declareInterests lockScores recordConsensus recordScores
    404: elsewhere.evaluator
    not-on-panel: buyer.evaluator
    person-needed: system

decideDeliverable
    may: buyer.service_owner
    404: elsewhere.service_owner
    person-needed: system

makeProposal
    may: buyer.officer
    404: elsewhere.officer
    person-needed: system

draftOutcome
    may: buyer.officer elsewhere.officer system

exportFinanceContracts exportInvoices exportPayables exportPayments getControlTotals listFinanceContracts listInvoices
listPayables listPayments
    may: buyer.auditor,finance elsewhere.auditor,finance rival.bidder,viewer supplier.bidder,viewer system

getEnquiry listEnquiryActions
    may: buyer.approver,auditor,officer,service_owner supplier.bidder,viewer system
    404: buyer.admin,evaluator,finance elsewhere.* supplier.admin rival.* operator nobody

getExtensionOffer
    may: buyer.approver,auditor,officer,service_owner system
    404: elsewhere.approver,auditor,officer,service_owner rival.bidder,viewer supplier.bidder,viewer

getAssessment
    may: supplier.bidder,viewer
    404: buyer.approver,auditor,officer elsewhere.approver,auditor,officer rival.bidder,viewer system

confirmRegistration getAward getCheckpoint getCheckpointTimestamp getCpvCode getJournalKey getLiveness getLot getLotChoices
getLotTimeline getMeasureCatalogue getOutcome getOutcomeTimeline getPolicy getProposal getReadiness getSeal getTerms getTime getTokenKeys
getTokenMetadata getVersion listAwardActions listAwards listBands listChanges listCheckpoints listEnquiries
listLotActions listLots listObservations listOutcomeActions listOutcomes listPlatformLimits
listPolicyVersions listProposals listSiblings listTerms listVatRates proveConsistency registerAwards registerContracts registerLots
registerOutcomes registerSupplier searchCpv streamChanges
    may: everyone

getBid getBidTimeline listBidActions
    may: supplier.bidder,viewer
    404: buyer.approver,auditor,evaluator,officer elsewhere.approver,auditor,evaluator,officer rival.bidder,viewer
        system

getContract getContractDocument getContractTimeline getDeliverable listContractActions
    may: buyer.approver,auditor,finance,officer,service_owner supplier.bidder,viewer system
    404: elsewhere.approver,auditor,finance,officer,service_owner rival.bidder,viewer

getLotChecks
    may: buyer.approver,auditor,evaluator,officer,service_owner system
    404: elsewhere.approver,auditor,evaluator,officer,service_owner rival.bidder,viewer supplier.bidder,viewer

getOrganisation listOrganisationActions
    may: buyer.admin,approver,auditor,finance,officer elsewhere.admin,approver,auditor,finance,officer
        its.admin,approver,auditor,finance,officer operator rival.* supplier.* system

getPanel getRanking
    may: buyer.approver,auditor,evaluator,officer system
    404: elsewhere.approver,auditor,evaluator,officer

getPerson listPersonActions moveSandboxClock recordBand recordPlatformLimits recordTerms recordVatRate
registerOrganisation reinstatePerson suspendOrganisation suspendPerson
    may: operator

getScores
    may: buyer.auditor,officer system
    404: elsewhere.approver,auditor,evaluator,officer
    not-on-panel: buyer.approver,evaluator

giveRetrospective replaceBid sendInvoice submitDeliverable
    may: supplier.bidder
    404: rival.bidder

listBids
    may: buyer.approver,auditor,evaluator,officer elsewhere.approver,auditor,evaluator,officer rival.bidder,viewer
        supplier.bidder,viewer system

listClientActions listClientKeys listClientSecrets listClients listMembers listMembershipActions
    may: its.admin,approver,auditor,finance,officer operator
    404: buyer.admin,approver,auditor,finance,officer elsewhere.admin,approver,auditor,finance,officer rival.*
        supplier.* system

listContracts
    may: buyer.approver,auditor,finance,officer,service_owner elsewhere.approver,auditor,finance,officer,service_owner
        rival.bidder,viewer supplier.bidder,viewer system

listInvoiceActions
    may: buyer.auditor,finance supplier.bidder,viewer system
    404: elsewhere.auditor,finance rival.bidder,viewer

listOpenedBids
    may: buyer.auditor,officer system
    404: elsewhere.approver,auditor,evaluator,officer rival.bidder,viewer supplier.bidder,viewer
    not-on-panel: buyer.approver,evaluator

listOrganisations
    may: buyer.admin,approver,auditor,finance,officer elsewhere.admin,approver,auditor,finance,officer operator rival.*
        supplier.* system

proveInclusion
    may: operator
    404: buyer.* elsewhere.* rival.* supplier.* system nobody

getMe listTasks
    may: buyer.* elsewhere.* operator rival.* supplier.* system

placeOrder recordPayment
    may: buyer.finance system
    404: elsewhere.finance

recordPolicyVersion
    may: buyer.approver elsewhere.approver
    person-needed: system

recommendAward
    may: buyer.officer
    404: elsewhere.officer
    person-needed: system

reinstateOrganisation
    may: operator
    organisation-suspended: its.admin,approver,auditor,evaluator,finance,officer,service_owner

signContract
    may: buyer.approver supplier.bidder
    404: elsewhere.approver rival.bidder
    person-needed: system

terminateContract
    may: buyer.approver
    404: elsewhere.approver rival.bidder supplier.bidder
    person-needed: system

withdrawBid
    404: rival.bidder supplier.bidder

addWebhook listWebhooks
    may: buyer.admin elsewhere.admin rival.admin supplier.admin system

disableWebhook editWebhook getWebhook getWebhookProgress listWebhookDeliveries pauseWebhook replayWebhook resumeWebhook
rotateWebhookSecret testWebhook
    may: buyer.admin system
    404: elsewhere.admin rival.admin supplier.admin
"""
#: What can't be tried and taken back: only those are asked who must be refused.
NOT_TRIED = {"moveSandboxClock": {"operator", "own"}}
#: Those that know their callers by a client's own credentials; a bearer token is none.
OWN_CREDENTIALS = {"getToken", "introspectToken", "revokeToken"}
#: Whose 404 tells what is not theirs from what is not there: the award is public by then, the assessment of a bid its bidder's.
TOLD_APART = {"getAssessment"}


def rows() -> dict[str, dict[str, str]]:
    """By operation, what each caller is told who is named; `side.*` as it stands."""
    found: dict[str, dict[str, str]] = {}
    for block in TABLE.strip().split("\n\n"):
        lines = block.splitlines()
        names = " ".join(line for line in lines if not line.startswith(" ")).split()
        said = " ".join(
            line.strip() if line.startswith("     ") else f"\n{line.strip()}" for line in lines if line.startswith(" ")
        )
        cells = dict(_cells(said))
        for name in names:
            assert name not in found, f"{name} has two rows"
            found[name] = cells
    return found


def _cells(said: str) -> list[tuple[str, str]]:
    pairs = [line.partition(": ") for line in said.strip().splitlines()]
    return [(caller, told) for told, _, callers in pairs for one in callers.split() for caller in _callers(one)]


def _callers(said: str) -> list[str]:
    side, dot, roles = said.partition(".")
    return [f"{side}{dot}{role}" for role in roles.split(",")]
