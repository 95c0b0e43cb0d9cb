"""Serves the service or the floor on one port, both by the same server with the same settings."""

import sys

from granian import Granian
from granian.constants import Interfaces, Loops


def main(target: str, port: int) -> None:
    factory = {"service": "procure.asgi:create", "floor": "benchmarks.floor:create_app"}[target]
    Granian(
        factory,
        factory=True,
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        workers=1,
        log_access=False,
    ).serve()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
