"""Running the migrations, which stand beside the package in a checkout and inside it when installed.

Alembic is imported where it is used: it takes longer than all the rest of a start on a database that is up to date.
"""

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.config import Config

_REVISION = re.compile(r'^revision: str = "(\w+)"$', re.MULTILINE)
_DOWN_REVISION = re.compile(r'^down_revision: str \| None = "(\w+)"$', re.MULTILINE)


def migrations_path() -> Path:
    package = Path(__file__).parent
    installed = package / "migration_scripts"
    return installed if installed.exists() else package.parents[1] / "migrations"


@cache
def head() -> str:
    """The revision that no other one follows: what this version of the service needs."""
    scripts = [path.read_text() for path in (migrations_path() / "versions").glob("*.py")]
    followed = {found for script in scripts for found in _DOWN_REVISION.findall(script)}
    (last,) = {str(found) for script in scripts for found in _REVISION.findall(script)} - followed
    return last


def configuration(owner_url: str) -> "Config":
    from alembic.config import Config  # noqa: PLC0415 - see above

    config = Config()
    config.set_main_option("script_location", str(migrations_path()))
    config.attributes["url"] = owner_url
    return config


def migrate(owner_url: str, revision: str = "head") -> None:
    """Bring the database up to `revision`, as its owner. Runs its own event loop: call it from a thread without one."""
    from alembic import command  # noqa: PLC0415 - see above

    command.upgrade(configuration(owner_url), revision)


def unmigrate(owner_url: str, revision: str) -> None:
    """Take the database down to `revision` (`base` is empty)."""
    from alembic import command  # noqa: PLC0415 - see above

    command.downgrade(configuration(owner_url), revision)
