"""Where a reply leads: from what was made to its read, and to the acts that may follow (OpenAPI 3.1, Link Object).

A link's parameters are found by their names: in the reply itself (`lot_id` of a bid), as the reply's own id (`bid_id`), or in the
address that was called.
"""

from typing import Any

#: The parameter that a reply's own `id` is, by the reply's schema.
OWN = {
    "AwardView": "award_id",
    "BidReceipt": "bid_id",
    "ContractView": "contract_id",
    "EnquiryView": "enquiry_id",
    "KeyView": "key_id",
    "InvoiceLine": "invoice_id",
    "InvitationView": "invitation_id",
    "KnownPersonView": "person_id",
    "LotView": "lot_id",
    "MemberView": "membership_id",
    "NewClientView": "client_id",
    "NewInvitationView": "invitation_id",
    "NewSecretView": "credential_id",
    "NewWebhookView": "webhook_id",
    "OrganisationView": "organisation_id",
    "OutcomeView": "outcome_id",
    "ProposalView": "proposal_id",
    "RegistrationView": "registration_id",
    "WebhookView": "webhook_id",
}

_CONTRACT_ACTS = ("sendInvoice", "giveRetrospective", "completeContract", "terminateContract")

#: By operation, those that its reply leads to: the read first, then what may be done next.
LEADS_TO: dict[str, tuple[str, ...]] = {
    "registerOrganisation": ("getOrganisation", "addMember", "addClient", "listMembers", "listClients"),
    "suspendOrganisation": ("getOrganisation", "reinstateOrganisation"),
    "reinstateOrganisation": ("getOrganisation", "suspendOrganisation"),
    "addMember": ("listMembers", "endMembership", "addClient"),
    "endMembership": ("listMembers",),
    "suspendMembership": ("listMembers", "reinstateMembership", "endMembership"),
    "reinstateMembership": ("listMembers", "suspendMembership"),
    "addInvitation": ("listInvitations", "revokeInvitation", "acceptInvitation"),
    "revokeInvitation": ("listInvitations", "addInvitation"),
    "acceptInvitation": ("getMe",),
    "registerSupplier": ("confirmRegistration",),
    "confirmRegistration": ("getToken", "getMe", "getOrganisation", "listMembers", "listClients", "addInvitation"),
    "suspendPerson": ("getPerson", "reinstatePerson"),
    "reinstatePerson": ("getPerson", "suspendPerson"),
    "addClient": ("listClients", "listClientSecrets", "addClientSecret", "addClientKey", "revokeClient"),
    "revokeClient": ("listClients",),
    "suspendClient": ("listClients", "reinstateClient", "revokeClient"),
    "reinstateClient": ("listClients", "suspendClient"),
    "addClientSecret": ("listClientSecrets", "revokeClientSecret"),
    "revokeClientSecret": ("listClientSecrets", "addClientSecret"),
    "addClientKey": ("listClientKeys", "revokeClientKey"),
    "revokeClientKey": ("listClientKeys", "addClientKey"),
    "draftOutcome": ("getOutcome", "reviseOutcome", "activateOutcome"),
    "reviseOutcome": ("getOutcome", "activateOutcome"),
    "activateOutcome": ("getOutcome", "listSiblings", "makeProposal", "endOutcome", "listObservations"),
    "makeProposal": ("getProposal", "approveProposal", "refuseProposal", "getOutcome"),
    "approveProposal": ("getProposal", "getOutcome"),
    "refuseProposal": ("getProposal", "getOutcome", "makeProposal"),
    "endOutcome": ("getOutcome",),
    "observeUnderContract": ("listObservations", "getOutcome"),
    "observeMeasure": ("listObservations", "getOutcome"),
    "draftLot": ("getLot", "getLotChecks", "reviseLot", "recordLotNotice", "publishLot", "withdrawLot"),
    "copyLot": ("getLot", "getLotChecks", "reviseLot", "recordLotNotice", "publishLot", "withdrawLot"),
    "reviseLot": ("getLot", "getLotChecks", "recordLotNotice", "publishLot", "withdrawLot"),
    "recordLotNotice": ("getLot", "getLotChecks", "publishLot"),
    "withdrawLot": ("getLot", "copyLot"),
    "publishLot": ("getLot", "askEnquiry", "submitBid", "listEnquiries", "getSeal", "setPanel", "cancelLot"),
    "cancelLot": ("getLot", "copyLot"),
    "extendLot": ("getLot", "listEnquiries", "submitBid", "cancelLot"),
    "askEnquiry": ("getEnquiry", "listEnquiries", "answerEnquiry", "getLot"),
    "answerEnquiry": ("getEnquiry", "publishEnquiry", "listEnquiries", "getLot"),
    "publishEnquiry": ("getEnquiry", "listEnquiries", "getLot"),
    "getExtensionOffer": ("extendLot", "listEnquiries", "getLot"),
    "mergeEnquiry": ("getEnquiry", "listEnquiries", "getLot"),
    "replyToEnquiry": ("getEnquiry", "answerEnquiry", "publishEnquiry", "listEnquiries"),
    "submitBid": ("getBid", "replaceBid", "withdrawBid", "getLot"),
    "replaceBid": ("getBid", "replaceBid", "withdrawBid", "getLot"),
    "withdrawBid": ("getBid", "getLot"),
    "openLot": ("getLot", "getPanel", "listOpenedBids"),
    "setPanel": ("getPanel", "declareInterests"),
    "declareInterests": ("getPanel", "listOpenedBids", "recordScores"),
    "recordScores": ("getScores", "lockScores"),
    "lockScores": ("getScores", "recordConsensus"),
    "recordConsensus": ("getScores", "concludeEvaluation"),
    "concludeEvaluation": ("getRanking", "recommendAward", "endWithoutAward"),
    "recommendAward": ("getAward", "approveAward", "refuseAward"),
    "approveAward": ("getAward", "recordAwardNotice", "drawUpContract", "withdrawAward", "getAssessment"),
    "refuseAward": ("getAward",),
    "recordAwardNotice": ("getAward", "drawUpContract"),
    "withdrawAward": ("getAward",),
    "endWithoutAward": ("getLot",),
    "drawUpContract": ("getContract", "getContractDocument", "signContract"),
    "signContract": ("getContract", "getContractDocument", *_CONTRACT_ACTS),
    "submitDeliverable": ("getDeliverable", "getContract", "decideDeliverable"),
    "decideDeliverable": ("getDeliverable", "getContract", "submitDeliverable", "sendInvoice"),
    "giveRetrospective": ("getContract",),
    "completeContract": ("getContract", "continueContract", "draftNextLot", "changeNextStep"),
    "changeNextStep": ("getContract", "continueContract", "draftNextLot"),
    "terminateContract": ("getContract",),
    "continueContract": ("getContract", "getContractDocument", "signContract"),
    "draftNextLot": ("getLot", "getLotChecks", "reviseLot", "publishLot", "withdrawLot"),
    "sendInvoice": ("listInvoices", "getContract"),
    "placeOrder": ("getContract", "listFinanceContracts"),
    "recordBand": ("listBands", "getPolicy"),
    "recordPlatformLimits": ("listPlatformLimits", "getPolicy"),
    "recordPolicyVersion": ("listPolicyVersions", "getPolicy"),
    "recordTerms": ("getTerms", "listTerms"),
    "recordVatRate": ("listVatRates", "getPolicy"),
    "addWebhook": (
        "getWebhook",
        "testWebhook",
        "listWebhookDeliveries",
        "editWebhook",
        "pauseWebhook",
        "disableWebhook",
    ),
    "editWebhook": ("getWebhook", "testWebhook"),
    "rotateWebhookSecret": ("getWebhook", "testWebhook"),
    "pauseWebhook": ("getWebhook", "resumeWebhook", "disableWebhook"),
    "resumeWebhook": ("getWebhook", "getWebhookProgress", "pauseWebhook"),
    "testWebhook": ("listWebhookDeliveries", "getWebhook"),
    "replayWebhook": ("getWebhookProgress", "getWebhook"),
    "disableWebhook": ("getWebhook", "listWebhookDeliveries", "addWebhook"),
    "recordPayment": ("listPayments", "getContract"),
}


def add(document: dict[str, Any]) -> None:
    """Links in each reply of success of the operations above."""
    operations = {
        operation["operationId"]: operation for item in document["paths"].values() for operation in item.values()
    }
    for name, targets in LEADS_TO.items():
        for status, response in operations[name]["responses"].items():
            if status < "300":
                schema = response["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
                response["links"] = {
                    target: _link(document, operations[name], schema, operations[target]) for target in targets
                }


def _link(document: dict[str, Any], source: dict[str, Any], schema: str, target: dict[str, Any]) -> dict[str, Any]:
    link = {"operationId": target["operationId"], "description": f"{target['summary']}."}
    places = [one["name"] for one in target.get("parameters", []) if one["in"] == "path"]
    found = {place: _expression(document, source, schema, place) for place in places}
    return {**link, "parameters": found} if found else link


def _expression(document: dict[str, Any], source: dict[str, Any], schema: str, place: str) -> str:
    """Where the value of a parameter stands (OpenAPI 3.1, Runtime Expressions)."""
    if OWN.get(schema) == place:
        return "$response.body#/id"
    if place in document["components"]["schemas"][schema]["properties"]:
        return f"$response.body#/{place}"
    assert any(one["name"] == place for one in source.get("parameters", ())), f"{source['operationId']}: {place}"
    return f"$request.path.{place}"
