"""A letter."""

import msgspec


class Letter(msgspec.Struct, frozen=True):
    """Plain text in ASCII for one reader. It shows itself in no log: there are codes in it."""

    to: str
    subject: str
    text: str

    def __repr__(self) -> str:
        return "Letter(...)"
