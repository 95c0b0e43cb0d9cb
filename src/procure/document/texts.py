"""What the document says in prose."""

DESCRIPTION = """\
Outcomes first, then short lots: a council writes down the change it wants and how it will be measured, buys a few weeks of work at a
time, and pays deliverable by deliverable as each is accepted.

Money is net, as decimal strings. Instants are RFC 3339 in UTC. Every error is `application/problem+json` (RFC 9457) with all faults of
a body in `errors`, by JSON Pointer. Lists answer `items` and `next`, the address of the next page.
Every write takes an `Idempotency-Key`, a new UUID for each act and the same one for each retry: it is done once, and answered the same.
Every resource has a strong `ETag`. `If-None-Match` saves you what you have already (304). Who approves or edits says in `If-Match` what
they have read: if it has changed since, nothing is done (412). Other acts take it too, and go without. Lists have no tag.
Each client has a quota, told in `RateLimit`; beyond it the answer is a 429 with `Retry-After`. A first bid for a lot is never refused so.
Replies are coded as zstd or gzip where `Accept-Encoding` asks and it pays; bodies are sent without a content coding (415).
Text is kept in Unicode's NFC, trimmed; what no reader sees is refused. Path and query have at most 8 KB (414), all headers 32 KB (431).

The demonstration replays real notices of UK Contracts Finder: contains public sector information licensed under the
[Open Government Licence v3.0](https://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/).
"""

TAGS = [
    ("Tokens", "OAuth 2: access tokens, and the keys they are signed with."),
    ("Organisations", "Buyers and suppliers, their members and API clients."),
    ("Policy", "What holds on a day and why: limits, bands, VAT and terms, as dated rows with their sources."),
    ("Outcomes", "The change a buyer wants, its measures, and what is committed to it."),
    ("Actions", "What you may do with a resource now, and why not the rest; what waits for you."),
    ("Lots", "Short competitions under an outcome."),
    (
        "Enquiries",
        "Questions before a lot closes: private until they are published with their answers; the asker is told to nobody.",
    ),
    ("Bids", "Sealed until the lot's opening."),
    ("Evaluation", "Opening, panel, scores, consensus, ranking."),
    ("Awards", "Recommended by one person, approved by another, signed after the standstill."),
    ("Contracts", "Signature, deliverables, acceptance, completion."),
    ("Finance", "Orders, payables, invoices, payments."),
    ("Changes", "Everything that happens, in one order, as far as you may see it."),
    ("Journal", "The proof that nothing of the record was altered: checkpoints, inclusion, consistency."),
    ("Webhooks", "Changes brought to an address of yours, signed."),
    ("Register", "What the public sees."),
    ("Time", "The clock that decides."),
    ("Sandbox", "Only with `PROCURE_SANDBOX=1`."),
    ("Service", "Health and version."),
]
