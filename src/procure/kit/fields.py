"""Kinds of text that several packages take, each bounded. Lengths count characters after trimming (`kit.body`)."""

from typing import Annotated

from msgspec import Meta

Name = Annotated[str, Meta(min_length=1, max_length=100)]
Line = Annotated[str, Meta(min_length=1, max_length=300)]
Paragraph = Annotated[str, Meta(min_length=1, max_length=4000)]
Markdown = Annotated[str, Meta(min_length=1, max_length=20000, description="Markdown.")]
#: A measured quantity: a plain decimal string of at most 14 digits before and 4 after the point.
Quantity = Annotated[str, Meta(pattern=r"^-?[0-9]{1,14}(\.[0-9]{1,4})?$", max_length=20)]
#: A code of the Common Procurement Vocabulary (Regulation (EC) 213/2008), without its check digit.
Cpv = Annotated[str, Meta(pattern=r"^[0-9]{8}$", min_length=8, max_length=8)]
