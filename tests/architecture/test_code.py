"""Rules of the code that no linter knows (ARCHITECTURE.md, "Rules that a machine checks")."""

import ast
import re
from collections import Counter
from collections.abc import Iterator

import pytest
from sqlalchemy import inspect
from sqlalchemy.orm import DeclarativeBase

from architecture.source import PARTS, ROOT, SRC, Module, calls, functions, import_all, modules, subclasses, tracked
from procure.journal.events import Event
from procure.kit.db import Base
from procure.kit.errors import Fact

MODULE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
#: Where a transaction may end: the session's own life, and what runs without a request.
COMMITTERS = {"procure.kit.db", "procure.cli", "procure.worker", "procure.dev"}
#: Who may ask the machine for the time or for a random id.
MACHINE_TIME = re.compile(r"(datetime|date)\.(now|utcnow|today)|time\.time(_ns)?|(uuid\.)?uuid[14]|localtime|gmtime")


def test_there_is_code_to_be_judged() -> None:
    assert len(modules()) > 80
    assert sum(1 for _ in functions()) > 300


# --- sizes ----------------------------------------------------------------------------------------------------------


def test_a_module_is_at_most_500_lines() -> None:
    long = {module.name: lines for module in modules() if (lines := len(module.text.splitlines())) > MODULE_LINES_MAX}
    assert not long


def test_a_function_is_at_most_70_lines() -> None:
    long = {
        module.at(node): lines
        for module, node in functions()
        if (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES_MAX
    }
    assert not long


def test_every_module_says_its_purpose_in_its_first_line() -> None:
    silent = [module.name for module in modules() if not (ast.get_docstring(module.tree) or "").split("\n")[0].strip()]
    assert not silent


# --- what is done in one place --------------------------------------------------------------------------------------


def assigned(module: Module, attribute: str) -> Iterator[tuple[ast.AST, str]]:
    """Each place that sets an attribute of this name, with the function around it."""
    for outer in ast.walk(module.tree):
        if not isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
            continue
        for node in nodes_of(outer):
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            flat = [part for target in targets if target for part in ast.walk(target)]
            if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign) and any(
                isinstance(part, ast.Attribute) and part.attr == attribute and isinstance(part.ctx, ast.Store)
                for part in flat
            ):
                yield node, getattr(outer, "name", "")
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "setattr" and attribute in ast.unparse(node):
                yield node, getattr(outer, "name", "")


def nodes_of(outer: ast.AST) -> Iterator[ast.AST]:
    """What stands in this function or module itself, not in a function inside it."""
    waiting = list(ast.iter_child_nodes(outer))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += ast.iter_child_nodes(node)


def test_a_status_is_assigned_in_move_to_and_nowhere_else() -> None:
    elsewhere = [
        module.at(node)
        for module in modules()
        for node, inside in assigned(module, "status")
        if inside != "move_to" and module.package != "demo"  # a client over HTTP, whose statuses are HTTP's
    ]
    assert not elsewhere


def test_a_status_is_set_by_no_statement_either() -> None:
    """`update(Lot).values(status=…)` would walk around `move_to`."""
    around = [
        module.at(call)
        for module, call, what in calls()
        if what.endswith(".values") and "insert(" not in what and any(word.arg == "status" for word in call.keywords)
    ]
    assert not around


def test_every_move_to_asks_the_table_of_what_may_follow_what() -> None:
    moves = [(module, node) for module, node in functions() if node.name == "move_to"]
    assert len(moves) >= 5
    for module, node in moves:
        assert "NEXT[" in ast.unparse(node), module.at(node)
        assert module.name.endswith(".models"), module.at(node)


def test_a_transaction_ends_where_it_began() -> None:
    elsewhere = [
        module.at(call)
        for module, call, what in calls()
        if re.search(r"\.(commit|begin_nested)$", what) and not call.args and module.name not in COMMITTERS
    ]
    assert not elsewhere


def test_only_the_kit_asks_the_machine_for_time_and_random_ids() -> None:
    elsewhere = [
        f"{module.at(call)} {what}"
        for module, call, what in calls()
        if module.package != "kit" and MACHINE_TIME.fullmatch(what)
    ]
    assert not elsewhere


def test_a_journal_entry_is_written_through_record_alone() -> None:
    writers = {
        module.package
        for module, call, what in calls()
        if re.fullmatch(r"(pg_)?insert", what) and call.args and "Journal" in ast.unparse(call.args[0])
    }
    assert writers <= {"journal"}


# --- the database ---------------------------------------------------------------------------------------------------


def tables() -> list[type[DeclarativeBase]]:
    import_all()
    return [mapper.class_ for mapper in Base.registry.mappers]


def test_relationships_stay_inside_their_package_and_never_load_by_themselves() -> None:
    for table in tables():
        for relation in inspect(table).relationships:
            other = relation.mapper.class_.__module__.split(".")[1]
            assert other == table.__module__.split(".")[1], f"{table.__name__}.{relation.key} crosses packages"
            assert relation.lazy == "raise", f"{table.__name__}.{relation.key} may load by itself"


def test_every_table_stands_in_its_packages_models() -> None:
    assert len(tables()) >= 20
    elsewhere = [table.__module__ for table in tables() if not table.__module__.endswith(".models")]
    assert elsewhere == ["procure.kit.idempotency"], "the kit's one table stands with what reads and writes it"


def test_money_is_never_a_float() -> None:
    columns = [column for table in Base.metadata.tables.values() for column in table.columns]
    floats = [str(column) for column in columns if "FLOAT" in str(column.type).upper()]
    assert not floats


# --- facts and events -----------------------------------------------------------------------------------------------


def test_every_fact_has_a_slug_of_its_own_a_title_and_a_sentence_that_explains_it() -> None:
    facts = subclasses(Fact)
    assert len(facts) > 40
    # One that tells no more than its family, on purpose, has its family's slug (TokenRefused).
    slugs = Counter(fact.slug for fact in facts if "slug" in fact.__dict__)
    assert not [slug for slug, times in slugs.items() if times > 1]
    for fact in facts:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", fact.slug), fact
        assert fact.title[0].isupper(), fact
        assert not fact.title.endswith("."), fact
        assert "__doc__" in fact.__dict__, fact
        assert fact.__doc__ is not None, fact
        assert fact.__doc__.strip().endswith((".", ")")), fact


def test_facts_are_named_as_facts_and_stand_where_they_belong() -> None:
    for fact in subclasses(Fact):
        assert not fact.__name__.endswith(("Error", "Exception")), fact
        assert fact.__module__.startswith("procure.kit.") or fact.__module__.split(".")[-1] in {
            "errors",
            "health",
            "sealing",
        }


PAST = re.compile(r"\w*(ed|begun|drawn|given|lost|made|met|paid|put|sent|set|undone|won)")


def events() -> list[type[Event]]:
    return [event for event in subclasses(Event) if not event.__name__.startswith("_")]


def test_every_event_has_a_type_of_its_own_and_a_sentence() -> None:
    assert len(events()) > 40
    types = Counter(event.type for event in events())
    assert not [name for name, times in types.items() if times > 1]
    for event in events():
        assert re.fullmatch(r"[a-z_]+\.[a-z_]+", event.type), event
        assert "__doc__" in event.__dict__, event
        assert (event.__doc__ or "").strip().endswith("."), event


def test_events_are_named_in_the_past_tense() -> None:
    """What is in the journal has happened."""
    types = [event.type for event in events() if not PAST.fullmatch(re.split(r"[._]", event.type)[-1])]
    names = [
        event.__name__ for event in events() if not PAST.fullmatch(re.split(r"(?=[A-Z])", event.__name__)[-1].lower())
    ]
    assert not types + names


def test_events_stand_in_their_packages_events() -> None:
    assert {event.__module__.split(".")[-1] for event in subclasses(Event)} == {"events"}


def test_no_event_carries_a_float() -> None:
    """The journal's payload is hashed in its canonical form, which has no floats."""
    for event in subclasses(Event):
        assert not re.search(r"\bfloat\b", str(event.__annotations__)), event


# --- words ----------------------------------------------------------------------------------------------------------


def test_names_say_what_the_officer_does() -> None:
    vague = re.compile(r"(process|handle|do|manage|perform)_")
    theirs = {"process_bind_param", "process_result_value", "handle_response", "handle_error_response"}  # of libraries
    bad = [module.at(node) for module, node in functions() if vague.match(node.name) and node.name not in theirs]
    assert not bad


def test_classes_are_named_in_the_fields_terms() -> None:
    empty = re.compile(r"(Manager|Helper|Utils?|DTO|Schema|Handler|Processor|Impl)$")
    bad = [
        f"{module.at(node)} {node.name}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef) and empty.search(node.name)
    ]
    assert not bad


def test_a_package_of_the_house_has_its_names_and_an_explanation() -> None:
    for package in sorted(path for path in SRC.iterdir() if (path / "__init__.py").exists()):
        names = {path.stem for path in package.glob("*.py")}
        if names & {"controllers", "models"}:
            assert names & set(PARTS), package


def test_every_package_has_tests_of_its_own() -> None:
    packages = {path.parent.name for path in SRC.glob("*/*.py") if path.stem in {"service", "rules", "keyring"}}
    assert len(packages) > 12
    assert {name for name in packages if not list((ROOT / "tests" / name).glob("test_*.py"))} == set()


LEFT_OVER = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
#: Package indexes and this or that machine's folders: a clone elsewhere has neither. Written apart, or this line would be found.
FOREIGN = re.compile(
    "|".join(
        ["py" + r"pi\.org", "files" + r"\.pythonhosted", r"registry\.np" + "mjs", "/wo" + "rk/", r"\.\./sha" + "red"]
    )
)


@pytest.mark.parametrize("pattern", [LEFT_OVER, FOREIGN], ids=["left-over", "foreign"])
def test_no_file_has_left_overs_or_addresses_of_one_machine(pattern: re.Pattern[str]) -> None:
    found = []
    for path in tracked():
        name = path.relative_to(ROOT)
        if name.parts[:3] == ("src", "procure", "assets") or path.suffix in {".png", ".gz"}:
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), start=1):
            if pattern.search(line) and "re.compile" not in line:
                found.append(f"{name}:{number}: {line.strip()[:100]}")
    assert not found
