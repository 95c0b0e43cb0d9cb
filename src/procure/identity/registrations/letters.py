"""The letters about a registration. Nothing stands in them that the sender could have written to annoy or to mislead the reader.

So no names: the identifier, which has the form that its scheme gives it, is all that comes from who asked.
"""

from procure.identity.registrations.models import Registration
from procure.mail.schemas import Letter


def letter_with_code(registration: Registration, base_url: str, code: str) -> Letter:
    which = f"{registration.scheme} {registration.identifier}"
    return Letter(
        to=registration.email,
        subject=f"Your code to register {which}",
        text=f"""\
Somebody, you we hope, wants to register the supplier {which} with the procurement service at
{base_url}, and gave this address as the one to ask.

If that was you, confirm it with this code:

    {code}

by sending it to the service, in a form of its portal or yourself:

    POST {base_url}/v1/registrations/{registration.id}/confirm
    Content-Type: application/json
    Idempotency-Key: a new UUID

    {{"code": "{code}"}}

The code is good until {registration.expires_at:%Y-%m-%d %H:%M} UTC, and once. The reply shows the credentials of your first
client; keep them, since they are shown once.

If it was not you, do nothing: without the code nothing happens.
""",
    )


def letter_about_known(registration: Registration, base_url: str) -> Letter:
    which = f"{registration.scheme} {registration.identifier}"
    return Letter(
        to=registration.email,
        subject=f"{which} is registered already",
        text=f"""\
Somebody, you we hope, wants to register the supplier {which} with the procurement service at
{base_url}, and gave this address as the one to ask.

It is registered there already, and can't be registered again. If you work for it, ask its administrators to let you in:
they can invite you or make you a member. If nobody of your organisation knows of it, answer to this letter, and tell the
operator of the service.

If it was not you who asked, do nothing: nothing has happened.
""",
    )
