"""What the HTTP server loads in its worker process: the application, with its settings from the environment."""

from litestar import Litestar

from procure import server
from procure.app import create_app
from procure.kit.settings import Settings


def create() -> Litestar:
    server.end_with_parent()
    return create_app(Settings.from_environment())
