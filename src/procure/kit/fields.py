"""Kinds of text, numbers and lists that several packages take and answer, each bounded. Lengths count characters after trimming.

A reply is not checked against them, which would cost what it is sent for: they are what the document tells of it, and the tests
hold every reply of theirs to the document.
"""

from datetime import datetime
from typing import Annotated, TypeVar

from msgspec import Meta

Name = Annotated[str, Meta(min_length=1, max_length=100)]
Line = Annotated[str, Meta(min_length=1, max_length=300)]
Paragraph = Annotated[str, Meta(min_length=1, max_length=4000)]
Markdown = Annotated[str, Meta(min_length=1, max_length=20000, description="Markdown.")]
#: A measured quantity: a plain decimal string of at most 14 digits before and 4 after the point.
Quantity = Annotated[str, Meta(pattern=r"^-?[0-9]{1,14}(\.[0-9]{1,4})?$", max_length=20)]
#: A code of the Common Procurement Vocabulary (Regulation (EC) 213/2008), without its check digit.
Cpv = Annotated[str, Meta(pattern=r"^[0-9]{8}$", min_length=8, max_length=8)]
#: The same as it is sent: with or without the check digit.
CpvGiven = Annotated[str, Meta(pattern=r"^[0-9]{8}(-[0-9])?$", min_length=8, max_length=10)]
#: An instant: RFC 3339, its offset written.
Instant = Annotated[datetime, Meta(tz=True)]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}$", min_length=3, max_length=3, description="ISO 4217.")]
#: What people call a thing by: its kind, the year, a number.
Reference = Annotated[str, Meta(pattern=r"^[A-Z]{3}-[0-9]{4}-[0-9]{6,12}$", max_length=21)]
#: The id of a deliverable (D1, D2 …) or criterion (C1, C2 …) within its lot.
ItemKey = Annotated[str, Meta(pattern=r"^[A-Z][0-9]{1,3}$", max_length=4)]
#: Points of 100, with their four places.
Points = Annotated[str, Meta(pattern=r"^[0-9]{1,3}\.[0-9]{4}$", max_length=8)]
#: SHA-256, in lower-case hexadecimal digits.
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$", min_length=64, max_length=64)]
#: A key's fingerprint: the first half of its SHA-256.
KeyId = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$", min_length=32, max_length=32)]
#: An address in the web, without a name and password in it.
Link = Annotated[str, Meta(pattern=r"^https://[^\s/?#@]+([/?#]\S*)?$", max_length=2000)]
#: A problem's short name, that its `type` ends with.
Slug = Annotated[str, Meta(pattern=r"^[a-z]+(-[a-z]+)*$", max_length=60)]
#: An `operationId` of the document.
Operation = Annotated[
    str, Meta(pattern=r"^[a-z][A-Za-z]+$", max_length=60, description="The `operationId` of the act in the document.")
]
#: A path of this service; a part in braces is the caller's to fill in.
Path = Annotated[str, Meta(pattern=r"^/[A-Za-z0-9/_{}-]+$", max_length=300)]
#: The service's own address, or one below it.
OwnAddress = Annotated[str, Meta(pattern=r"^https?://\S+$", max_length=2000)]

#: A plain amount of money, net unless its name says `gross`; the currency stands beside it.
Amount = Annotated[str, Meta(pattern=r"^(0|[1-9][0-9]{0,11})(\.[0-9]{1,2})?$", max_length=15)]
Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
#: Of a row: raised by one with each change.
Version = Annotated[int, Meta(ge=1, le=2**31 - 1)]
#: A reason as it is told: somebody's paragraph, or the service's own sentence around one.
Grounds = Annotated[str, Meta(max_length=4200)]
#: The fields that an edit changed, never their values.
FieldNames = Annotated[list[Annotated[str, Meta(pattern=r"^[a-z_]+$", max_length=60)]], Meta(max_length=100)]

T = TypeVar("T")
#: A list as long as what has happened. No rule bounds it; nobody reaches this in a lot, contract or organisation.
Everything = Annotated[list[T], Meta(max_length=100_000)]
