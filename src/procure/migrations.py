"""Running the migrations, which stand beside the package in a checkout and inside it when installed."""

from pathlib import Path

from alembic import command
from alembic.config import Config


def migrations_path() -> Path:
    package = Path(__file__).parent
    installed = package / "migration_scripts"
    return installed if installed.exists() else package.parents[1] / "migrations"


def configuration(owner_url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations_path()))
    config.attributes["url"] = owner_url
    return config


def migrate(owner_url: str, revision: str = "head") -> None:
    """Bring the database up to `revision`, as its owner. Runs its own event loop: call it from a thread without one."""
    command.upgrade(configuration(owner_url), revision)


def unmigrate(owner_url: str, revision: str) -> None:
    """Take the database down to `revision` (`base` is empty)."""
    command.downgrade(configuration(owner_url), revision)
