"""What Schemathesis need not send, how it reads what is not JSON, and what it is told of the marketplace. Loaded by it, not by pytest.

Generated ids meet nothing. So most requests name what is there: by path, filter, tag, and by a body that the service would take, or one
with a single part of the generated. What was generated to be wrong is sent as it is. The choice is drawn from the request itself:
the same request is sent the same again.
"""

import csv
import io
import json
import os
import re
from collections import Counter
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID
from zlib import crc32

import httpx
import schemathesis
from rfc3161_client import decode_timestamp_response
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation import GenerationMode
from schemathesis.generation.meta import TestPhase

from fuzzing import KNOWN, THINNED, TOLD
from procure.journal.stamps import REPLY

#: Text is what a header is: none is "of the wrong type". A GET answers in full where it can't read a condition (RFC 9110, section 13).
_TEXT = {"if-match", "if-none-match", "idempotency-key"}
#: Every operation takes it, and one place reads it: what is wrong with it is asked of one operation.
ACTING_FOR = "Procure-Organisation"
#: Of ten requests: how many name what is there; of those, how many what the caller may do; of all, how many act for the caller's own
#: organisation; of writes, how many are taken back.
NAMING, GOOD, OWN, TRIED = 8, 8, 9, 8
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_BODY_MAX = 100_000
#: Ids that the service has answered: what a link carries over from a reply stays.
_answered: set[str] = set()
#: By operation, how many examples were sent.
_examples: Counter[str] = Counter()
_http = httpx.Client(trust_env=False, timeout=30)


@schemathesis.hook
def filter_case(_: Any, case: Any) -> bool:
    if case.meta is None:
        return True
    wrong = {place for place, one in case.meta.components.items() if one.mode is GenerationMode.NEGATIVE}
    if case.meta.phase.data.parameter == ACTING_FOR and wrong:
        return name_of(case) == "getMe"
    if not wrong and (case.query or {}).get("wait"):
        return False  # it is what it says, and takes as long as that
    if wrong and case.meta.phase.name is TestPhase.COVERAGE and not is_kept(case):
        return False
    return wrong != {ParameterLocation.HEADER} or not _TEXT & {name.lower() for name in case.headers or {}}


def is_kept(case: Any) -> bool:
    """Of what the coverage phase makes wrong, one in so many: chosen by what is wrong, and the same in each run."""
    about = case.meta.phase.data
    told = f"{name_of(case)} {about.scenario} {about.parameter} {about.location} {about.description}"
    return crc32(told.encode()) % int(os.environ.get(THINNED, "1")) == 0


@schemathesis.deserializer("text/csv")
def rows(_: Any, response: Any) -> str:
    text: str = response.content.decode()
    list(csv.reader(io.StringIO(text), strict=True))
    return text


@schemathesis.deserializer(REPLY)
def stamp(_: Any, response: Any) -> str:
    decode_timestamp_response(response.content)
    return str(response.content.hex())


@cache
def known() -> Any:
    return json.loads(Path(os.environ[KNOWN]).read_text())


@schemathesis.hook
def before_call(_: Any, case: Any, **__: Any) -> None:
    if case.meta is not None and case.method.upper() == case.operation.method.upper():
        Request(case).name()


def name_of(case: Any) -> str:
    return str(case.operation.definition.raw["operationId"])


class Request:
    """A request before it is sent, and what chance has for it: that hangs on the request alone."""

    def __init__(self, case: Any) -> None:
        meta = case.meta
        self.case, self.about, self.phase = case, meta.phase.data, meta.phase.name
        # Now, since Schemathesis judges anew what is changed.
        self.wrong = {place for place, one in meta.components.items() if one.mode is GenerationMode.NEGATIVE}
        # Copies, since the coverage phase makes many requests from one template.
        case.path_parameters, case.query, case.headers = {**case.path_parameters}, {**case.query}, case.headers.copy()
        sent = name_of(case), case.path_parameters, sorted(case.query.items(), key=str), self.about.description
        self.number = self.numbered(sent[0])
        self.drawn = Random(f"{sent}{case.body}{self.number}")

    def numbered(self, name: str) -> int:
        """Which of the operation's examples it is, since they are all the same; 0 for what is none."""
        if self.phase is not TestPhase.EXAMPLES:
            return 0
        _examples[name] += 1
        return _examples[name]

    def is_free(self, place: ParameterLocation, name: str | None = None) -> bool:
        """Whether this was not made to be wrong. In the coverage phase one thing is; what else is wrong there is so by mistake."""
        about = self.about.parameter_location
        if place not in self.wrong:
            return True
        is_other = about is not place or (name is not None and self.about.parameter not in {None, name})
        return self.phase is TestPhase.COVERAGE and about is not None and is_other

    def is_drawn(self, of_ten: int) -> bool:
        """Examples always, since their ids are nobody's."""
        return self.drawn.randrange(10) < of_ten or self.phase is TestPhase.EXAMPLES

    def name(self) -> None:
        entry = self.chosen()
        for name, value in entry["places"].items() if entry else ():
            if self.is_free(ParameterLocation.PATH, name):
                self.case.path_parameters[name] = value
        self.act_for_oneself()
        self.filter()
        if self.case.method.upper() == "GET":
            self.read()
        else:
            self.write()
            self.graft(entry.get("body") if entry else None)

    def chosen(self) -> dict[str, Any] | None:
        """What is to be named, of what is there; None where the request is left alone, or follows a link."""
        entries = known()["entries"].get(name_of(self.case))
        if not entries or not self.is_drawn(NAMING):
            return None
        if self.phase is TestPhase.STATEFUL and _answered.intersection(map(str, self.case.path_parameters.values())):
            return None
        good = [entry for entry in entries if entry["good"]]
        found: dict[str, Any] = self.drawn.choice(good if good and self.is_drawn(GOOD) else entries)
        return found

    def act_for_oneself(self) -> None:
        """Whoever acts for one organisation alone may name that one and no other."""
        if self.has(self.case.headers, ParameterLocation.HEADER, ACTING_FOR) and self.is_drawn(OWN):
            del self.case.headers[ACTING_FOR]
            if known()["organisation_id"]:
                self.case.headers[ACTING_FOR] = known()["organisation_id"]

    def has(self, part: Any, place: ParameterLocation, name: str) -> bool:
        return name in part and self.is_free(place, name)

    def filter(self) -> None:
        """Lists, mostly from their beginning, of what there is."""
        query = self.case.query
        for name, some in known()["values"].items():
            if self.has(query, ParameterLocation.QUERY, name) and self.is_drawn(NAMING):
                query[name] = self.drawn.choice(some)
        if self.has(query, ParameterLocation.QUERY, "cursor") and self.is_drawn(NAMING):
            del query["cursor"]

    def read(self) -> None:
        """Under a condition: of what it is now, or of something else."""
        for name in ("If-Match", "If-None-Match"):
            if self.has(self.case.headers, ParameterLocation.HEADER, name):
                tags = [tag_at(self.case.formatted_path), '"of-something-else"', "*"]
                self.case.headers[name] = self.drawn.choice(tags)

    def write(self) -> None:
        """Mostly taken back, but at the end of a link; with a key of its own, on what is there now."""
        name, declared = "validate_only", {parameter.name for parameter in self.case.operation.query}
        is_tried = self.phase is not TestPhase.STATEFUL and self.is_drawn(TRIED)
        if is_tried and name in declared and self.is_free(ParameterLocation.QUERY, name):
            self.case.query[name] = "true"
        if self.has(self.case.headers, ParameterLocation.HEADER, "Idempotency-Key") and self.is_drawn(NAMING):
            self.case.headers["Idempotency-Key"] = str(UUID(int=self.drawn.getrandbits(128), version=4))
        if self.has(self.case.headers, ParameterLocation.HEADER, "If-Match") and self.is_drawn(NAMING):
            path = self.case.formatted_path
            shown = path if self.case.method.upper() == "PATCH" else path.rpartition("/")[0]
            self.case.headers["If-Match"] = tag_at(shown)

    def graft(self, body: dict[str, Any] | None) -> None:
        """A body that would be taken, whole or but for one generated part; or the generated one. The first example's is whole."""
        sent = self.case.body
        if body is None or not isinstance(sent, dict) or not self.is_free(ParameterLocation.BODY):
            return
        kind = self.drawn.randrange(3)
        if kind == 0 or not sent or self.number == 1:
            self.case.body = body
        elif kind == 1:
            part = self.drawn.choice(sorted(sent))
            self.case.body = {**body, part: sent[part]}


def tag_at(path: str) -> str:
    """The tag of what this caller reads there now; one of nothing where that can't be read."""
    headers = {"Authorization": known()["authorization"]} if known()["authorization"] else {}
    reply = _http.get(known()["base_url"] + path, headers=headers)
    return str(reply.headers.get("ETag", '"nothing"'))


@schemathesis.hook
def after_call(_: Any, case: Any, response: Any) -> None:
    if len(response.content) < _BODY_MAX:
        _answered.update(_ID.findall(response.content.decode(errors="replace")))
    if case.method.upper() == case.operation.method.upper():
        with Path(os.environ[TOLD]).open("a") as told:
            told.write(f"{name_of(case)} {response.status_code}\n")
