"""What readers of the journal are told when it can't be shown."""

from procure.kit.errors import Fact, NotFound


class EntryNotFound(NotFound):
    """There is no entry at this position yet, or none that this caller may see."""

    slug, title = "entry-not-found", "Entry not found"


class CheckpointNotFound(NotFound):
    """The journal has no checkpoint yet, or none as large as that."""

    slug, title = "checkpoint-not-found", "Checkpoint not found"


class TimestampNotFound(NotFound):
    """There is no checkpoint of this size, or no time stamp of it: `GET /v1/journal/checkpoints?only=stamped` lists those there are."""

    slug, title = "timestamp-not-found", "Time stamp not found"


class ProofUnknown(NotFound):
    """There is no such proof: sizes count from 1, the earlier one first, up to the latest checkpoint's."""

    slug, title = "proof-unknown", "No such proof"


class StreamsTooMany(Fact):
    """This caller, or this process, has as many streams open as it may; close one, or come again in a while (429)."""

    slug, title, status, retry_after_s = "streams-too-many", "Too many streams", 429, 30
