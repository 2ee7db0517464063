from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BatchClass(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BATCH_CLASS_UNSPECIFIED: _ClassVar[BatchClass]
    BATCH_CLASS_ALARM: _ClassVar[BatchClass]
    BATCH_CLASS_PREDICTION: _ClassVar[BatchClass]
    BATCH_CLASS_FEATURE: _ClassVar[BatchClass]
    BATCH_CLASS_SAMPLE: _ClassVar[BatchClass]
    BATCH_CLASS_SKETCH: _ClassVar[BatchClass]
    BATCH_CLASS_WAVEFORM: _ClassVar[BatchClass]
BATCH_CLASS_UNSPECIFIED: BatchClass
BATCH_CLASS_ALARM: BatchClass
BATCH_CLASS_PREDICTION: BatchClass
BATCH_CLASS_FEATURE: BatchClass
BATCH_CLASS_SAMPLE: BatchClass
BATCH_CLASS_SKETCH: BatchClass
BATCH_CLASS_WAVEFORM: BatchClass

class Header(_message.Message):
    __slots__ = ("batch_class", "epoch", "sequence", "floor", "table_hash", "backlog")
    BATCH_CLASS_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    FLOOR_FIELD_NUMBER: _ClassVar[int]
    TABLE_HASH_FIELD_NUMBER: _ClassVar[int]
    BACKLOG_FIELD_NUMBER: _ClassVar[int]
    batch_class: BatchClass
    epoch: int
    sequence: int
    floor: int
    table_hash: bytes
    backlog: bool
    def __init__(self, batch_class: _Optional[_Union[BatchClass, str]] = ..., epoch: _Optional[int] = ..., sequence: _Optional[int] = ..., floor: _Optional[int] = ..., table_hash: _Optional[bytes] = ..., backlog: _Optional[bool] = ...) -> None: ...

class Body(_message.Message):
    __slots__ = ("samples", "rows", "events", "captures")
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    CAPTURES_FIELD_NUMBER: _ClassVar[int]
    samples: Samples
    rows: _containers.RepeatedCompositeFieldContainer[Rows]
    events: _containers.RepeatedCompositeFieldContainer[Event]
    captures: _containers.RepeatedCompositeFieldContainer[Capture]
    def __init__(self, samples: _Optional[_Union[Samples, _Mapping]] = ..., rows: _Optional[_Iterable[_Union[Rows, _Mapping]]] = ..., events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ..., captures: _Optional[_Iterable[_Union[Capture, _Mapping]]] = ...) -> None: ...

class Samples(_message.Message):
    __slots__ = ("signals", "counts", "starts", "steps", "time_forms", "value_forms", "time_deltas", "times", "mantissas", "float32_values", "float64_values")
    SIGNALS_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    STARTS_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    TIME_FORMS_FIELD_NUMBER: _ClassVar[int]
    VALUE_FORMS_FIELD_NUMBER: _ClassVar[int]
    TIME_DELTAS_FIELD_NUMBER: _ClassVar[int]
    TIMES_FIELD_NUMBER: _ClassVar[int]
    MANTISSAS_FIELD_NUMBER: _ClassVar[int]
    FLOAT32_VALUES_FIELD_NUMBER: _ClassVar[int]
    FLOAT64_VALUES_FIELD_NUMBER: _ClassVar[int]
    signals: bytes
    counts: bytes
    starts: bytes
    steps: bytes
    time_forms: bytes
    value_forms: bytes
    time_deltas: bytes
    times: bytes
    mantissas: bytes
    float32_values: bytes
    float64_values: bytes
    def __init__(self, signals: _Optional[bytes] = ..., counts: _Optional[bytes] = ..., starts: _Optional[bytes] = ..., steps: _Optional[bytes] = ..., time_forms: _Optional[bytes] = ..., value_forms: _Optional[bytes] = ..., time_deltas: _Optional[bytes] = ..., times: _Optional[bytes] = ..., mantissas: _Optional[bytes] = ..., float32_values: _Optional[bytes] = ..., float64_values: _Optional[bytes] = ...) -> None: ...

class Rows(_message.Message):
    __slots__ = ("machine", "source", "width", "times", "values")
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    TIMES_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    machine: int
    source: str
    width: int
    times: bytes
    values: bytes
    def __init__(self, machine: _Optional[int] = ..., source: _Optional[str] = ..., width: _Optional[int] = ..., times: _Optional[bytes] = ..., values: _Optional[bytes] = ...) -> None: ...

class Capture(_message.Message):
    __slots__ = ("signal", "time_us", "rate_hz", "values", "why", "command")
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    TIME_US_FIELD_NUMBER: _ClassVar[int]
    RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    signal: int
    time_us: int
    rate_hz: float
    values: bytes
    why: str
    command: str
    def __init__(self, signal: _Optional[int] = ..., time_us: _Optional[int] = ..., rate_hz: _Optional[float] = ..., values: _Optional[bytes] = ..., why: _Optional[str] = ..., command: _Optional[str] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("time_us", "alarm", "gap", "report")
    TIME_US_FIELD_NUMBER: _ClassVar[int]
    ALARM_FIELD_NUMBER: _ClassVar[int]
    GAP_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    time_us: int
    alarm: Alarm
    gap: Gap
    report: Report
    def __init__(self, time_us: _Optional[int] = ..., alarm: _Optional[_Union[Alarm, _Mapping]] = ..., gap: _Optional[_Union[Gap, _Mapping]] = ..., report: _Optional[_Union[Report, _Mapping]] = ...) -> None: ...

class Alarm(_message.Message):
    __slots__ = ("machine", "use_case", "release", "state", "severity", "message", "opened_us")
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    USE_CASE_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    OPENED_US_FIELD_NUMBER: _ClassVar[int]
    machine: int
    use_case: str
    release: str
    state: str
    severity: float
    message: str
    opened_us: int
    def __init__(self, machine: _Optional[int] = ..., use_case: _Optional[str] = ..., release: _Optional[str] = ..., state: _Optional[str] = ..., severity: _Optional[float] = ..., message: _Optional[str] = ..., opened_us: _Optional[int] = ...) -> None: ...

class Gap(_message.Message):
    __slots__ = ("reason", "machine", "from_us", "to_us", "epoch", "first_sequence", "last_sequence")
    REASON_FIELD_NUMBER: _ClassVar[int]
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    FROM_US_FIELD_NUMBER: _ClassVar[int]
    TO_US_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    FIRST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    reason: str
    machine: int
    from_us: int
    to_us: int
    epoch: int
    first_sequence: int
    last_sequence: int
    def __init__(self, reason: _Optional[str] = ..., machine: _Optional[int] = ..., from_us: _Optional[int] = ..., to_us: _Optional[int] = ..., epoch: _Optional[int] = ..., first_sequence: _Optional[int] = ..., last_sequence: _Optional[int] = ...) -> None: ...

class Report(_message.Message):
    __slots__ = ("use_case", "directive_sequence", "state", "event", "reason", "release", "rollout", "correlation", "evidence_json")
    USE_CASE_FIELD_NUMBER: _ClassVar[int]
    DIRECTIVE_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    ROLLOUT_FIELD_NUMBER: _ClassVar[int]
    CORRELATION_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_JSON_FIELD_NUMBER: _ClassVar[int]
    use_case: str
    directive_sequence: int
    state: str
    event: str
    reason: str
    release: str
    rollout: str
    correlation: str
    evidence_json: str
    def __init__(self, use_case: _Optional[str] = ..., directive_sequence: _Optional[int] = ..., state: _Optional[str] = ..., event: _Optional[str] = ..., reason: _Optional[str] = ..., release: _Optional[str] = ..., rollout: _Optional[str] = ..., correlation: _Optional[str] = ..., evidence_json: _Optional[str] = ...) -> None: ...

class Batch(_message.Message):
    __slots__ = ("schema", "batch_class", "epoch", "sequence", "floor", "table_hash", "backlog", "series", "rows", "events")
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    BATCH_CLASS_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    FLOOR_FIELD_NUMBER: _ClassVar[int]
    TABLE_HASH_FIELD_NUMBER: _ClassVar[int]
    BACKLOG_FIELD_NUMBER: _ClassVar[int]
    SERIES_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    schema: int
    batch_class: BatchClass
    epoch: int
    sequence: int
    floor: int
    table_hash: bytes
    backlog: bool
    series: _containers.RepeatedCompositeFieldContainer[Series]
    rows: _containers.RepeatedCompositeFieldContainer[Rows]
    events: _containers.RepeatedCompositeFieldContainer[Event]
    def __init__(self, schema: _Optional[int] = ..., batch_class: _Optional[_Union[BatchClass, str]] = ..., epoch: _Optional[int] = ..., sequence: _Optional[int] = ..., floor: _Optional[int] = ..., table_hash: _Optional[bytes] = ..., backlog: _Optional[bool] = ..., series: _Optional[_Iterable[_Union[Series, _Mapping]]] = ..., rows: _Optional[_Iterable[_Union[Rows, _Mapping]]] = ..., events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ...) -> None: ...

class Series(_message.Message):
    __slots__ = ("signal", "start_us", "step_us", "count", "deltas", "float64_values", "float32_values")
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    START_US_FIELD_NUMBER: _ClassVar[int]
    STEP_US_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    DELTAS_FIELD_NUMBER: _ClassVar[int]
    FLOAT64_VALUES_FIELD_NUMBER: _ClassVar[int]
    FLOAT32_VALUES_FIELD_NUMBER: _ClassVar[int]
    signal: int
    start_us: int
    step_us: int
    count: int
    deltas: bytes
    float64_values: bytes
    float32_values: bytes
    def __init__(self, signal: _Optional[int] = ..., start_us: _Optional[int] = ..., step_us: _Optional[int] = ..., count: _Optional[int] = ..., deltas: _Optional[bytes] = ..., float64_values: _Optional[bytes] = ..., float32_values: _Optional[bytes] = ...) -> None: ...
