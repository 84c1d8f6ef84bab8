"""The message of the rpcx benchmark."""

from __future__ import annotations

from benchmark_pb2 import BenchmarkMessage

TEXT = "许多往事在眼前一幕一幕，变的那麼模糊"
SIZE = 581


def request() -> BenchmarkMessage:
    """What a client sends: every field set but `field5`."""
    message = BenchmarkMessage()
    for field in message.DESCRIPTOR.fields:
        if field.name == "field5":
            continue
        if field.cpp_type == field.CPPTYPE_STRING:
            setattr(message, field.name, TEXT)
        elif field.cpp_type == field.CPPTYPE_BOOL:
            setattr(message, field.name, True)
        else:
            setattr(message, field.name, 100_000)
    if message.ByteSize() != SIZE:
        raise AssertionError(f"the message has {message.ByteSize()} bytes, not {SIZE}")
    return message


def answer(message: BenchmarkMessage) -> BenchmarkMessage:
    """What a server makes of it."""
    message.field1, message.field2 = "OK", 100
    return message


def check(reply: BenchmarkMessage) -> None:
    """What a client looks at in every reply."""
    if reply.field1 != "OK" or reply.field2 != 100:
        raise ValueError("a reply without OK and 100")
