"""Why something is in quarantine: each reason by name, with what it means and what to do.

A reason from the wire is the name of its error without "Error"; the others are
judged at the hub. An unknown name is explained as itself, never a failure.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Reason(StrEnum):
    # who sent it
    UNKNOWN_DEVICE = "UnknownDevice"
    NOT_ENROLLED = "NotEnrolled"
    RETIRED_DEVICE = "RetiredDevice"
    MACHINE_TAKEN = "MachineTaken"
    # the whole batch
    SEQUENCE_REUSED = "SequenceReused"
    UNKNOWN_TABLE = "UnknownTable"
    UNSUPPORTED_CLASS = "UnsupportedClass"
    UNSTORABLE = "Unstorable"
    # one series or row of it
    UNKNOWN_SIGNAL = "UnknownSignal"
    UNKNOWN_MACHINE = "UnknownMachine"
    UNKNOWN_RELEASE = "UnknownRelease"
    WRONG_KIND = "WrongKind"
    WRONG_FEATURE_SET = "WrongFeatureSet"
    WRONG_WIDTH = "WrongWidth"
    WRONG_RATE = "WrongRate"
    WRONG_LENGTH = "WrongLength"
    NOT_FINITE = "NotFinite"
    TOO_LATE = "TooLate"
    FROM_THE_FUTURE = "FromTheFuture"
    BAD_EVENT = "BadEvent"
    BAD_CAPTURE = "BadCapture"


_EXPLANATIONS: Mapping[str, str] = MappingProxyType(
    {
        Reason.UNKNOWN_DEVICE: "No device of this name: add it with `andon device add` and enrol it.",
        Reason.NOT_ENROLLED: "The device was added and never enrolled: `andon edge enroll` on the device.",
        Reason.RETIRED_DEVICE: "The device was retired and went on sending: switch it off.",
        Reason.MACHINE_TAKEN: "Another device has a machine of this name: rename one, or retire the other.",
        Reason.SEQUENCE_REUSED: "Another batch came under the same number: two devices share one outbox."
        " It is not replayed, for what is in it may have been counted; `show --save` writes it to a file.",
        Reason.UNKNOWN_TABLE: "Its signal table has not come yet; it was asked for, then this is decoded.",
        Reason.UNSUPPORTED_CLASS: "This hub does not store batches of this class.",
        Reason.UNSTORABLE: "The database refused the values.",
        Reason.UNKNOWN_SIGNAL: "The signal is not in the batch's own signal table: a fault in the agent.",
        Reason.UNKNOWN_MACHINE: "The machine is not in the batch's own signal table: a fault in the agent.",
        Reason.UNKNOWN_RELEASE: "The prediction names a release this hub never made.",
        Reason.WRONG_KIND: "Samples of a signal that is declared a waveform, or a capture of a scalar.",
        Reason.WRONG_FEATURE_SET: "Features of another set than the machine's signal table declares.",
        Reason.WRONG_WIDTH: "Another number of values than this feature set had before with these signals.",
        Reason.WRONG_RATE: "A capture at another rate than the signal table declares: look at the source.",
        Reason.WRONG_LENGTH: "A capture of no values, or of more than one may have: a fault in the agent.",
        Reason.NOT_FINITE: "NaN or an infinity among the values: look at the sensor.",
        Reason.TOO_LATE: "Older than the late horizon when it came: store.late_horizon_days.",
        Reason.FROM_THE_FUTURE: "Later than the hub's clock: set the device's clock right.",
        Reason.BAD_EVENT: "An alarm, gap or report whose fields cannot be kept.",
        Reason.BAD_CAPTURE: "A capture that tells no reason this hub knows: upgrade the hub, then replay.",
        "NotABatch": "The bytes are no batch: damaged on the device's disk, if its gap `unreadable` follows.",
        "Truncated": "The batch is cut short.",
        "Damaged": "The batch is whole and not as it was written: look at the device's disk.",
        "TooLarge": "The batch is larger than one may be, or claims to be when unpacked.",
        "FalseSize": "More comes out of the batch than it says: a fault in the agent, or an attack.",
        "TooManyParts": "More series, rows or events than one batch may have.",
        "TrailingData": "More bytes follow the end of the batch.",
        "UnknownSchema": "A newer agent wrote it: upgrade the hub, then replay.",
        "UnknownForm": "A form of times or values that its schema does not have: a fault in the agent.",
        "ColumnMismatch": "Columns of the same rows have different lengths: a fault in the agent.",
        "NegativeStep": "The step from one time to the next is negative: a fault in the agent.",
        "TimeOverflow": "The times lead beyond what a time can be: a fault in the agent.",
        "Message": "The message is not what its topic promises.",
        "Topic": "The topic is none of ours.",
    }
)


def explain(reason: str) -> str:
    """What ``reason`` means and what to do about it, in one sentence."""
    return _EXPLANATIONS.get(reason, f"Refused as {reason}.")
