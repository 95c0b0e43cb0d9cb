"""Structured logs: one JSON object a line, with the request id; never a body, a header or a query value, so never a secret."""

import functools
import logging
import sys
from contextvars import ContextVar

import msgspec
import structlog
from structlog.typing import EventDict, Processor

#: The id of the request in hand; one variable of our own, since a dictionary of them is merged into each line at three times the cost.
REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
_encoder = msgspec.json.Encoder(enc_hook=repr)
_LEVELS = logging.getLevelNamesMapping()


def configure(*, level: str, form: str) -> None:
    """`form` is `json` for machines or `console` for people."""
    request_log.cache_clear()
    structlog.configure(
        processors=[
            _with_request_id,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *_rendering(form),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS.get(level.upper(), logging.INFO)),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer)
        if form == "json"
        else structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")


@functools.cache
def request_log() -> structlog.typing.FilteringBoundLogger:
    """The logger of the one line that each request has: bound once, since structlog binds anew at each call of a lazy one."""
    bound: structlog.typing.FilteringBoundLogger = structlog.get_logger("procure.http").bind()
    return bound


def _with_request_id(_logger: object, _method: str, event: EventDict) -> EventDict:
    if (request_id := REQUEST_ID.get()) is not None:
        event["request_id"] = request_id
    return event


def _json(_logger: object, _method: str, event: EventDict) -> bytes:
    return _encoder.encode(event)


def _rendering(form: str) -> list[Processor]:
    """Never with the locals of a traceback's frames: they hold tokens, secrets and the plain text of bids."""
    if form == "console":
        # By `repr`: an address holds whatever a caller likes, what a terminal obeys as well.
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(exception_formatter=plain, repr_native_str=True)]
    frames = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [structlog.processors.ExceptionRenderer(frames), _json]
