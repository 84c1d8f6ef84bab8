from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class ArithArgs(_message.Message):
    __slots__ = ("A", "B")
    A_FIELD_NUMBER: _ClassVar[int]
    B_FIELD_NUMBER: _ClassVar[int]
    A: int
    B: int
    def __init__(self, A: _Optional[int] = ..., B: _Optional[int] = ...) -> None: ...

class ArithReply(_message.Message):
    __slots__ = ("C",)
    C_FIELD_NUMBER: _ClassVar[int]
    C: int
    def __init__(self, C: _Optional[int] = ...) -> None: ...
