"""Facts about members, clients and tokens that stop a request."""

from procure.kit.errors import Conflict, Forbidden, Invalid, Malformed, NotFound, Unauthenticated, Unavailable


class MembershipNotFound(NotFound):
    """The organisation has no such membership."""

    slug, title = "membership-not-found", "Membership not found"


class MembershipInvalid(Invalid):
    """The roles are not ones that this organisation gives, or the person is not named; every fault is listed."""

    slug, title = "membership-invalid", "Membership is not valid"


class MembershipKnown(Conflict):
    """The person is an active member already."""

    slug, title = "membership-known", "Person is a member already"


class MembershipNotActive(Conflict):
    """The membership has ended already, or is suspended already."""

    slug, title = "membership-not-active", "Membership is not active"


class ClientNotFound(NotFound):
    """The organisation has no such client."""

    slug, title = "client-not-found", "Client not found"


class ClientInvalid(Invalid):
    """The client's person or roles do not fit its kind; every fault is listed."""

    slug, title = "client-invalid", "Client is not valid"


class ClientNotActive(Conflict):
    """The client has been revoked already, or is suspended already."""

    slug, title = "client-not-active", "Client is not active"


class PersonNotFound(NotFound):
    """There is no such person."""

    slug, title = "person-not-found", "Person not found"


class PersonNotActive(Conflict):
    """The person is suspended already."""

    slug, title = "person-not-active", "Person is not active"


class SuspensionNotFound(Conflict):
    """What is to be reinstated is not suspended."""

    slug, title = "not-suspended", "Not suspended"


class IsSuspended(Forbidden):
    """The caller's client, membership or person is suspended: nothing is done for it until it is reinstated."""

    slug, title = "suspended", "Suspended"


class CredentialNotFound(NotFound):
    """The client has no such secret or key."""

    slug, title = "credential-not-found", "Credential not found"


class CredentialInvalid(Invalid):
    """The key is no public key of a kind that is taken here, or its expiry has passed already; every fault is listed."""

    slug, title = "credential-invalid", "Credential is not valid"


class CredentialKnown(Conflict):
    """The client has this very key already."""

    slug, title = "credential-known", "Key is registered already"


class CredentialLimitReached(Conflict):
    """The client has as many secrets or keys as it may have at once; revoke one first."""

    slug, title = "credential-limit-reached", "As many credentials as there may be"


class CredentialNotActive(Conflict):
    """The secret or key has been revoked already."""

    slug, title = "credential-not-active", "Credential is not active"


class IssuerAway(Unavailable):
    """The sign-on that a token is of can't be reached, and its keys are not known: nothing can be said of the token yet."""

    slug, title = "sign-on-away", "Sign-on can't be reached"
    #: No sooner is it asked again (`issuers.BETWEEN_S`).
    retry_after_s = 10


class SignOnUnknown(Forbidden):
    """The token holds, but no person here is known by it: an invitation lets you in.

    Ask an administrator of your organisation for one, and send its code with this token to `POST /v1/invitations/accept`.
    """

    slug, title = "sign-on-unknown", "Nobody is known by this sign-on"


class SignOnNeeded(Forbidden):
    """This is done with the token of a council's own sign-on; an API client's is none."""

    slug, title = "sign-on-needed", "Sign-on needed"


class InvitationNotFound(NotFound):
    """There is no such invitation, or it is not yours to know of."""

    slug, title = "invitation-not-found", "Invitation not found"


class InvitationInvalid(Invalid):
    """The roles do not fit the organisation, the person is not named or no member, or it lasts too long; every fault is listed."""

    slug, title = "invitation-invalid", "Invitation is not valid"


class InvitationNotOpen(Conflict):
    """The invitation has been accepted or revoked already, or has expired."""

    slug, title = "invitation-not-open", "Invitation is not open"


class InvitationLimitReached(Conflict):
    """The organisation has as many open invitations as it may have at once; revoke one first."""

    slug, title = "invitation-limit-reached", "As many invitations as there may be"


class OrganisationNotNamed(Malformed):
    """A person with several memberships has to say for which organisation they act, by its id in `Procure-Organisation`."""

    slug, title = "organisation-not-named", "Organisation to act for is not named"


class NotAMember(Forbidden):
    """The caller does not act for the organisation that `Procure-Organisation` names; whether there is one is not told."""

    slug, title = "not-a-member", "Not a member"


class IdentityKnown(Conflict):
    """The sign-on is linked already: to this person, or to another."""

    slug, title = "identity-known", "Sign-on is linked already"


class IdentityNotFound(NotFound):
    """The person has no such sign-on."""

    slug, title = "identity-not-found", "Sign-on not found"


class TokenRefused(Unauthenticated):
    """No bearer token, or one that is malformed, expired, forged, or of a client that may not act any more."""

    def __init__(self) -> None:
        # One sentence for every cause: which check failed would help nobody but a forger.
        super().__init__("The bearer token is not valid here, or not any more; get a new one from /oauth/token.")
