"""The code as a thing to be read: its modules, trees, functions and packages."""

import ast
import importlib
import pkgutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import procure

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src" / "procure"
#: The names that a package of procurement's steps consists of.
PARTS = ("controllers", "service", "schemas", "events", "models", "rules", "errors")


@dataclass(frozen=True)
class Module:
    """One file of the code, parsed."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """As it is imported: `procure.lots.rules`."""
        parts = self.path.relative_to(SRC.parent).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def package(self) -> str:
        """The folder under `procure`, or the module's own name where it stands alone."""
        return self.name.split(".")[1] if "." in self.name else self.name

    def at(self, node: ast.AST) -> str:
        """Where to look, as a terminal makes it a link."""
        return f"{self.path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


@cache
def modules() -> tuple[Module, ...]:
    found = []
    for path in sorted(SRC.rglob("*.py")):
        text = path.read_text()
        found.append(Module(path, text, ast.parse(text, str(path))))
    return tuple(found)


def functions() -> Iterator[tuple[Module, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for module in modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield module, node


def calls() -> Iterator[tuple[Module, ast.Call, str]]:
    """Every call with the words of what is called: `datetime.now`, `db.commit`, `uuid4`."""
    for module in modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call):
                yield module, node, ast.unparse(node.func)


def import_all() -> None:
    """Import every module, so that classes can be found by what they derive from."""
    for found in pkgutil.walk_packages(procure.__path__, "procure."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)


def subclasses(base: type[T]) -> list[type[T]]:
    """Every class of the code that derives from `base`, however far."""
    import_all()
    found: list[type[T]] = []
    waiting = list(base.__subclasses__())
    while waiting:
        one = waiting.pop()
        waiting += one.__subclasses__()
        if one.__module__.startswith("procure.") and one not in found:
            found.append(one)
    return sorted(found, key=lambda one: (one.__module__, one.__qualname__))


def tracked() -> list[Path]:
    """Every file of the repository that git follows or would follow."""
    listing = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        capture_output=True,
        check=True,
    ).stdout
    return [path for name in listing.decode().split("\0") if name and (path := ROOT / name).is_file()]
