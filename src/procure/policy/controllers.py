"""The routes of policy."""

from datetime import date
from typing import TypeVar
from uuid import UUID

from litestar import Controller, get, post
from litestar.params import FromPath, FromQuery, JSONBody

from procure.kit.actor import PersonNeeded
from procure.kit.errors import Fault
from procure.kit.http import AsSeen, Caller, Db, PageAsked, public, requires
from procure.kit.paging import Page, Position, page_of
from procure.kit.problems import ParametersInvalid, problems
from procure.kit.scopes import Scope
from procure.policy import service
from procure.policy.errors import NoPolicyInForce, PolicyInvalid, PolicyNotFound, TermsNotFound, TermsVersionTaken
from procure.policy.models import Dated
from procure.policy.rules import Jurisdiction
from procure.policy.schemas import (
    BandDraft,
    BandView,
    PlatformLimitsDraft,
    PlatformLimitsView,
    PolicyVersionDraft,
    PolicyVersionView,
    PolicyView,
    TermsDraft,
    TermsSummary,
    TermsView,
    VatRateDraft,
    VatRateView,
)

D = TypeVar("D", bound=Dated)


def _position(row: tuple[D, UUID | None]) -> Position:
    return Position(row[0].recorded_at, row[0].id)


class PolicyController(Controller):
    """What holds, what held and what is going to hold: dated rows, each with its source, which everybody may read."""

    path = "/v1/policy"
    tags = ("Policy",)

    @get("/", operation_id="getPolicy", summary="Read the policy", responses=problems(PolicyNotFound), **public())
    async def read(
        self,
        db: Db,
        seen: AsSeen,
        buyer_id: FromQuery[UUID | None] = None,
        jurisdiction: FromQuery[Jurisdiction | None] = None,
        on: FromQuery[date | None] = None,
    ) -> PolicyView:
        """Each limit in words, the bands with what they ask, VAT and terms, as they hold today or `on` another day, and why.

        Of a buyer, with its own limits inside the platform's, or of a jurisdiction (`GB`). A nation's own rows go before the country's.
        A lot is judged by the day of its publication, and keeps what it was judged by: read `policy` of the lot for that.
        """
        if buyer_id and jurisdiction:
            fault = Fault(
                "/jurisdiction", "parameter", "A buyer's jurisdiction follows from its nation; give one of the two."
            )
            raise ParametersInvalid(fault.message, faults=[fault])
        view = await service.policy_on(db, on=on, jurisdiction=jurisdiction, buyer_id=buyer_id)
        seen.check(view.etag)
        return view

    @get(
        "/terms/{version:str}",
        operation_id="getTerms",
        summary="Read terms",
        responses=problems(TermsNotFound),
        **public(),
    )
    async def read_terms(self, db: Db, seen: AsSeen, version: FromPath[str]) -> TermsView:
        """The text of a version, in force or not: contracts go by the one that was in force when their lot was published."""
        view = TermsView.of(await service.find_terms(db, version))
        seen.check(view.etag)
        return view

    @get(
        "/versions",
        operation_id="listPolicyVersions",
        summary="List buyers' own limits",
        responses=problems(),
        **public(),
    )
    async def versions(
        self, db: Db, page: PageAsked, buyer_id: FromQuery[UUID | None] = None
    ) -> Page[PolicyVersionView]:
        """Those that hold, have held and are to hold, of one buyer or of all; recorded last first."""
        rows = await service.list_versions(db, page, buyer_id=buyer_id)
        return page_of(rows, page, lambda row: PolicyVersionView.of(*row), _position)

    @post(
        "/versions",
        operation_id="recordPolicyVersion",
        summary="Record a buyer's own limits",
        responses=problems(PolicyInvalid, PersonNeeded, NoPolicyInForce),
        **requires(Scope.POLICY_WRITE),
    )
    async def record_version(self, db: Db, actor: Caller, data: JSONBody[PolicyVersionDraft]) -> PolicyVersionView:
        """Limit your organisation's lots further, from a day after today on: an approver, within what the platform allows on that day.

        The version replaces the one before it whole; what it leaves out is the platform's again. Recorded once more for the same day,
        before that has come, the later record holds. If the platform's limits become narrower one day, those hold.
        """
        return PolicyVersionView.of(await service.record_version(db, actor, data))


class RuleController(Controller):
    """The dated rows themselves, which the operator adds to."""

    path = "/v1/policy"
    tags = ("Policy",)

    @get("/bands", operation_id="listBands", summary="List bands", responses=problems(), **public())
    async def bands(self, db: Db, page: PageAsked) -> Page[BandView]:
        """Every row, coming ones too, recorded last first. Of two for one day the one that was recorded later holds."""
        return page_of(await service.list_bands(db, page), page, lambda row: BandView.of(*row), _position)

    @post(
        "/bands",
        operation_id="recordBand",
        summary="Record a band",
        responses=problems(PolicyInvalid),
        **requires(Scope.POLICY_MANAGE),
    )
    async def record_band(self, db: Db, actor: Caller, data: JSONBody[BandDraft]) -> BandView:
        """From which value a band holds, with VAT, and what it asks, from a day after today on.

        A lot that is published before that day keeps its band; one that is drafted before and published after it is judged anew.
        """
        return BandView.of(await service.record_band(db, actor, data))

    @get("/vat-rates", operation_id="listVatRates", summary="List rates of VAT", responses=problems(), **public())
    async def vat_rates(self, db: Db, page: PageAsked) -> Page[VatRateView]:
        """Every standard rate, coming ones too, recorded last first."""
        return page_of(await service.list_vat_rates(db, page), page, lambda row: VatRateView.of(*row), _position)

    @post(
        "/vat-rates",
        operation_id="recordVatRate",
        summary="Record a rate of VAT",
        responses=problems(PolicyInvalid),
        **requires(Scope.POLICY_MANAGE),
    )
    async def record_vat_rate(self, db: Db, actor: Caller, data: JSONBody[VatRateDraft]) -> VatRateView:
        """The standard rate from a day after today on. Invoices go by the day of acceptance or of issue."""
        return VatRateView.of(await service.record_vat_rate(db, actor, data))

    @get("/terms", operation_id="listTerms", summary="List terms", responses=problems(), **public())
    async def terms(self, db: Db, page: PageAsked) -> Page[TermsSummary]:
        """Every version, coming ones too, recorded last first; the text is read by its version."""
        return page_of(await service.list_terms(db, page), page, lambda row: TermsSummary.of(*row), _position)

    @post(
        "/terms",
        operation_id="recordTerms",
        summary="Record terms",
        responses=problems(PolicyInvalid, TermsVersionTaken),
        **requires(Scope.POLICY_MANAGE),
    )
    async def record_terms(self, db: Db, actor: Caller, data: JSONBody[TermsDraft]) -> TermsView:
        """A new version of the short form from a day after today on. Lots published before keep theirs, their contracts too."""
        return TermsView.of(await service.record_terms(db, actor, data))

    @get(
        "/limits",
        operation_id="listPlatformLimits",
        summary="List the platform's limits",
        responses=problems(),
        **public(),
    )
    async def limits(self, db: Db, page: PageAsked) -> Page[PlatformLimitsView]:
        """Every row, coming ones too, recorded last first."""
        rows = await service.list_platform_limits(db, page)
        return page_of(rows, page, lambda row: PlatformLimitsView.of(*row), _position)

    @post(
        "/limits",
        operation_id="recordPlatformLimits",
        summary="Record the platform's limits",
        responses=problems(PolicyInvalid),
        **requires(Scope.POLICY_MANAGE),
    )
    async def record_limits(self, db: Db, actor: Caller, data: JSONBody[PlatformLimitsDraft]) -> PlatformLimitsView:
        """All limits from a day after today on. A buyer's own stay where they are narrower."""
        return PlatformLimitsView.of(await service.record_limits(db, actor, data))
