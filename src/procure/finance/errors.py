"""Facts that stop what finance systems and suppliers record."""

from procure.kit.errors import Conflict, Invalid, NotFound


class InvoiceNotFound(NotFound):
    """There is no such invoice, or it is not the caller's to see."""

    slug, title = "invoice-not-found", "Invoice not found"


class OrderInvalid(Invalid):
    """The order does not fit its contract; every fault is listed."""

    slug, title = "order-invalid", "Order is not valid"


class OrderKnown(Conflict):
    """An order with this id is recorded already, and says something else."""

    slug, title = "order-known", "Order is recorded differently"


class OrderExceedsContract(Conflict):
    """The contract's orders together would be more than its value."""

    slug, title = "order-exceeds-contract", "Orders would exceed the contract"


class ContractNotOrderable(Conflict):
    """Nothing can come of the contract: it ended or lapsed without having been signed."""

    slug, title = "contract-not-orderable", "Contract can't be ordered"


class InvoiceInvalid(Invalid):
    """The invoice does not state what was accepted, or its sums do not hold; every fault is listed."""

    slug, title = "invoice-invalid", "Invoice is not valid"


class DeliverableNotAccepted(Conflict):
    """Only accepted work is payable."""

    slug, title = "deliverable-not-accepted", "Deliverable is not accepted"


class AcceptanceInvoiced(Conflict):
    """An acceptance is invoiced once, and this one has been."""

    slug, title = "acceptance-invoiced", "Acceptance has been invoiced"


class InvoiceNumberUsed(Conflict):
    """The supplier has used this invoice number already."""

    slug, title = "invoice-number-used", "Invoice number is used"


class PaymentInvalid(Invalid):
    """The payment does not fit its invoice; every fault is listed."""

    slug, title = "payment-invalid", "Payment is not valid"


class PaymentKnown(Conflict):
    """A payment with this id is recorded already, and says something else."""

    slug, title = "payment-known", "Payment is recorded differently"


class PaymentExceedsInvoice(Conflict):
    """The invoice's payments together would be more than its gross, whoever else is paying at the same time."""

    slug, title = "payment-exceeds-invoice", "Payments would exceed the invoice"
