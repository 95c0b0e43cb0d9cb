"""What the HTTP server loads in its worker process: the application, with its settings from the environment."""

from functools import partial

from litestar import Litestar

from procure import server
from procure.app import create_app
from procure.kit.settings import Settings


def create() -> Litestar:
    server.end_with_parent()
    app = create_app(Settings.from_environment())
    app.on_startup.append(partial(server.on_let_go, app.state.tail.let_go))
    return app
