"""What can be wrong with bytes that crossed the wire, each wrong by its own name."""


class WireError(Exception):
    """Something received from the other side cannot be used."""


class TopicError(WireError):
    """A topic is not one of ours."""


class ClockError(WireError):
    """A clock specification cannot be read."""


class MessageError(WireError):
    """A payload is not the message its topic promises."""


class NotABatchError(MessageError):
    """The payload is no zstd frame, or what is inside is no batch."""


class TruncatedError(MessageError):
    """The payload ends before its own length says."""


class TooLargeError(MessageError):
    """The payload claims more bytes or values than one batch may hold."""


class TooManyPartsError(MessageError):
    """The batch has more series, rows or events than one may, however small they are."""


class DamagedError(MessageError):
    """The packed bytes are whole, but not as they were packed."""


class FalseSizeError(MessageError):
    """More comes out of the packed bytes than they say."""


class TrailingDataError(MessageError):
    """More bytes follow the end of the batch, such as a second one."""


class UnknownSchemaError(MessageError):
    """The batch was written by a schema this side does not know."""


class ColumnMismatchError(MessageError):
    """Columns that describe the same rows have different lengths."""


class UnknownFormError(MessageError):
    """A series names a form of times or values that its schema does not have."""


class NegativeStepError(MessageError):
    """The constant step from one time to the next is negative."""


class TimeOverflowError(MessageError):
    """Start, step and differences lead to a time beyond 64 bits."""


class FeedError(WireError):
    """The other end of a feed does not speak the feed's protocol."""


class ArchiveError(WireError):
    """A file of several members is not the archive it should be."""


class BundleError(WireError):
    """A bundle is not what its manifest and name promise."""


class EngineError(WireError):
    """An engine is not what its name promises, or not for whom it is offered."""


class DirectiveError(WireError):
    """A directive is well formed, but this device must not follow it."""


class SignatureError(DirectiveError):
    """No trusted director signed this directive."""


class NotAuthorisedError(DirectiveError):
    """The director may not direct this use case or site."""


class WrongDeviceError(DirectiveError):
    """The directive names another device or another key."""


class DowngradeError(DirectiveError):
    """A newer directive was accepted before."""


class DirectiveConflictError(DirectiveError):
    """The same sequence came with other bytes."""


class ExpiredError(DirectiveError):
    """The directive's time has passed."""


class ClockBehindError(DirectiveError):
    """This device's clock is behind a time it already trusted."""


def defect(error: Exception) -> str:
    """What was wrong with fields whose reading raised ``error``, for whoever has to mend them."""
    if isinstance(error, KeyError):
        return f"{error.args[0]} is missing" if error.args else "a field is missing"
    return str(error) or type(error).__name__
