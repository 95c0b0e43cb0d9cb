"""Facts about mail that stop a request."""

from procure.kit.errors import Unavailable


class MailNotSet(Unavailable):
    """This needs mail, and the operator has not said yet by which server it goes out (`PROCURE_MAIL_URL`)."""

    slug, title = "mail-not-set", "Mail is not set up"
    #: It takes a person.
    retry_after_s = 3600
