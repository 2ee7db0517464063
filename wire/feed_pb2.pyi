from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Frame(_message.Message):
    __slots__ = ("open", "hello", "reading", "end")
    OPEN_FIELD_NUMBER: _ClassVar[int]
    HELLO_FIELD_NUMBER: _ClassVar[int]
    READING_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    open: Open
    hello: Hello
    reading: Reading
    end: End
    def __init__(self, open: _Optional[_Union[Open, _Mapping]] = ..., hello: _Optional[_Union[Hello, _Mapping]] = ..., reading: _Optional[_Union[Reading, _Mapping]] = ..., end: _Optional[_Union[End, _Mapping]] = ...) -> None: ...

class Open(_message.Message):
    __slots__ = ("source", "position")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    source: str
    position: int
    def __init__(self, source: _Optional[str] = ..., position: _Optional[int] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("table_json", "replayable")
    TABLE_JSON_FIELD_NUMBER: _ClassVar[int]
    REPLAYABLE_FIELD_NUMBER: _ClassVar[int]
    table_json: bytes
    replayable: bool
    def __init__(self, table_json: _Optional[bytes] = ..., replayable: _Optional[bool] = ...) -> None: ...

class Reading(_message.Message):
    __slots__ = ("position", "machine", "time_us", "signals", "values", "windows")
    POSITION_FIELD_NUMBER: _ClassVar[int]
    MACHINE_FIELD_NUMBER: _ClassVar[int]
    TIME_US_FIELD_NUMBER: _ClassVar[int]
    SIGNALS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    WINDOWS_FIELD_NUMBER: _ClassVar[int]
    position: int
    machine: int
    time_us: int
    signals: _containers.RepeatedScalarFieldContainer[int]
    values: _containers.RepeatedScalarFieldContainer[float]
    windows: _containers.RepeatedCompositeFieldContainer[Window]
    def __init__(self, position: _Optional[int] = ..., machine: _Optional[int] = ..., time_us: _Optional[int] = ..., signals: _Optional[_Iterable[int]] = ..., values: _Optional[_Iterable[float]] = ..., windows: _Optional[_Iterable[_Union[Window, _Mapping]]] = ...) -> None: ...

class Window(_message.Message):
    __slots__ = ("signal", "rate_hz", "values")
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    signal: int
    rate_hz: float
    values: bytes
    def __init__(self, signal: _Optional[int] = ..., rate_hz: _Optional[float] = ..., values: _Optional[bytes] = ...) -> None: ...

class End(_message.Message):
    __slots__ = ("position",)
    POSITION_FIELD_NUMBER: _ClassVar[int]
    position: int
    def __init__(self, position: _Optional[int] = ...) -> None: ...
