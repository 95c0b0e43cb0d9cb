"""Every table, imported in one place for Alembic."""

import procure.awards.models
import procure.bids.models
import procure.contracts.models
import procure.enquiries.models
import procure.evaluation.models
import procure.finance.models
import procure.identity.models
import procure.identity.registrations.models
import procure.journal.models
import procure.kit.idempotency
import procure.lots.models
import procure.mail.models
import procure.organisations.models
import procure.outcomes.models
import procure.policy.models
import procure.sandbox.models
import procure.webhooks.models  # noqa: F401 - each import registers its tables
from procure.kit.db import Base

metadata = Base.metadata
