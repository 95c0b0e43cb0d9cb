"""Every scope, `resource:action`, alphabetised, and the roles whose holders may be given it.

A token carries scopes; a request needs the operation's scope in its token *and* a role that still has it, so that a membership
taken away acts on the next request.
"""

from enum import StrEnum
from functools import cache

from procure.kit.actor import Role
from procure.kit.errors import Forbidden


class ScopeMissing(Forbidden):
    """The token, or the caller's role now, does not carry the scope that this operation needs."""

    slug, title = "scope-missing", "Scope missing"


class Scope(StrEnum):
    AWARDS_APPROVE = "awards:approve"
    AWARDS_READ = "awards:read"
    AWARDS_RECOMMEND = "awards:recommend"
    BIDS_OPEN = "bids:open"
    BIDS_READ = "bids:read"
    BIDS_SUBMIT = "bids:submit"
    CHANGES_READ = "changes:read"
    CLIENTS_MANAGE = "clients:manage"
    CONTRACTS_ACCEPT = "contracts:accept"
    CONTRACTS_COMPLETE = "contracts:complete"
    CONTRACTS_DELIVER = "contracts:deliver"
    CONTRACTS_MANAGE = "contracts:manage"
    CONTRACTS_READ = "contracts:read"
    CONTRACTS_SIGN = "contracts:sign"
    ENQUIRIES_ANSWER = "enquiries:answer"
    ENQUIRIES_ASK = "enquiries:ask"
    ENQUIRIES_READ = "enquiries:read"
    EVALUATIONS_MANAGE = "evaluations:manage"
    EVALUATIONS_READ = "evaluations:read"
    EVALUATIONS_SCORE = "evaluations:score"
    FINANCE_READ = "finance:read"
    FINANCE_WRITE = "finance:write"
    INVOICES_SUBMIT = "invoices:submit"
    LOTS_CANCEL = "lots:cancel"
    LOTS_PUBLISH = "lots:publish"
    LOTS_READ = "lots:read"
    LOTS_WRITE = "lots:write"
    MEMBERS_MANAGE = "members:manage"
    ORGANISATIONS_READ = "organisations:read"
    ORGANISATIONS_WRITE = "organisations:write"
    OUTCOMES_ACTIVATE = "outcomes:activate"
    OUTCOMES_OBSERVE = "outcomes:observe"
    OUTCOMES_READ = "outcomes:read"
    OUTCOMES_WRITE = "outcomes:write"
    PERSONS_MANAGE = "persons:manage"
    POLICY_MANAGE = "policy:manage"
    POLICY_WRITE = "policy:write"
    SANDBOX_CLOCK = "sandbox:clock"
    WEBHOOKS_MANAGE = "webhooks:manage"


#: What both sides of the market read, each its own and what is public. An evaluation is the buyer's alone.
_READS = {
    Scope.AWARDS_READ,
    Scope.BIDS_READ,
    Scope.CONTRACTS_READ,
    Scope.ENQUIRIES_READ,
    Scope.LOTS_READ,
    Scope.ORGANISATIONS_READ,
    Scope.OUTCOMES_READ,
}

_OWN: dict[Role, frozenset[Scope]] = {
    Role.ADMIN: frozenset(
        {Scope.CLIENTS_MANAGE, Scope.MEMBERS_MANAGE, Scope.ORGANISATIONS_READ, Scope.WEBHOOKS_MANAGE}
    ),
    Role.APPROVER: frozenset(
        _READS
        | {
            Scope.AWARDS_APPROVE,
            Scope.BIDS_OPEN,
            Scope.CONTRACTS_SIGN,
            Scope.EVALUATIONS_READ,
            Scope.LOTS_CANCEL,
            Scope.LOTS_PUBLISH,
            Scope.OUTCOMES_ACTIVATE,
            Scope.POLICY_WRITE,
        }
    ),
    Role.AUDITOR: frozenset(_READS | {Scope.EVALUATIONS_READ, Scope.FINANCE_READ}),
    Role.BIDDER: frozenset(
        _READS
        | {
            Scope.BIDS_SUBMIT,
            Scope.CONTRACTS_DELIVER,
            Scope.CONTRACTS_SIGN,
            Scope.ENQUIRIES_ASK,
            Scope.FINANCE_READ,
            Scope.INVOICES_SUBMIT,
        }
    ),
    Role.EVALUATOR: frozenset(
        {Scope.BIDS_READ, Scope.EVALUATIONS_READ, Scope.EVALUATIONS_SCORE, Scope.LOTS_READ, Scope.OUTCOMES_READ}
    ),
    Role.FINANCE: frozenset({Scope.CONTRACTS_READ, Scope.FINANCE_READ, Scope.FINANCE_WRITE, Scope.ORGANISATIONS_READ}),
    Role.OFFICER: frozenset(
        _READS
        | {
            Scope.AWARDS_RECOMMEND,
            Scope.CONTRACTS_COMPLETE,
            Scope.CONTRACTS_MANAGE,
            Scope.ENQUIRIES_ANSWER,
            Scope.EVALUATIONS_MANAGE,
            Scope.EVALUATIONS_READ,
            Scope.LOTS_WRITE,
            Scope.OUTCOMES_OBSERVE,
            Scope.OUTCOMES_WRITE,
        }
    ),
    Role.OPERATOR: frozenset(
        {
            Scope.CLIENTS_MANAGE,
            Scope.MEMBERS_MANAGE,
            Scope.ORGANISATIONS_READ,
            Scope.ORGANISATIONS_WRITE,
            Scope.PERSONS_MANAGE,
            Scope.POLICY_MANAGE,
            Scope.SANDBOX_CLOCK,
        }
    ),
    Role.SERVICE_OWNER: frozenset(
        {
            Scope.CONTRACTS_ACCEPT,
            Scope.CONTRACTS_COMPLETE,
            Scope.CONTRACTS_READ,
            Scope.ENQUIRIES_READ,
            Scope.LOTS_READ,
            Scope.LOTS_WRITE,
            Scope.OUTCOMES_OBSERVE,
            Scope.OUTCOMES_READ,
        }
    ),
    Role.VIEWER: frozenset(_READS | {Scope.FINANCE_READ}),
}


#: Changes are everybody's to read: each entry of the journal says itself who may see it.
ROLE_SCOPES = {role: scopes | {Scope.CHANGES_READ} for role, scopes in _OWN.items()}


def scopes_of(roles: frozenset[Role]) -> frozenset[str]:
    """All that these roles together may be given."""
    return frozenset(scope.value for role in roles for scope in ROLE_SCOPES[role])


@cache
def roles_with(scope: Scope) -> tuple[Role, ...]:
    """The roles that may be given it, alphabetised."""
    return tuple(role for role in Role if scope in ROLE_SCOPES[role])
