"""Server memory per idle connection: plain sockets that make one exchange each and then stay silent."""

from __future__ import annotations

import json
import resource
import socket
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import IO, Protocol

from . import machine
from .entries import Entry
from .measure import Row


def varint(n: int) -> bytes:
    """`n` in protobuf's variable-length encoding."""
    out = b""
    while n > 0x7F:
        out, n = out + bytes([n & 0x7F | 0x80]), n >> 7
    return out + bytes([n])


def message() -> bytes:
    """The benchmark's request, every field but field5 set, in protobuf."""
    text = "许多往事在眼前一幕一幕，变的那麼模糊".encode()
    strings, bools = {1, 4, 7, 9, 18, 102, 103, 129}, {12, 13, 14, 17, 24, 30, 59, 78, 80, 81}
    ints = {2, 3, 6, 16, 22, 23, 25, 29, 60, 67, 68, 100, 101, 104, 128, 130, 131, 150, 271, 272, 280}
    out = b""
    for n in sorted(strings | bools | ints):
        if n in strings:
            out += varint(n << 3 | 2) + varint(len(text)) + text
        else:
            out += varint(n << 3) + varint(1 if n in bools else 100_000)
    assert len(out) == 581
    return out


def receive(s: socket.socket, n: int) -> bytes:
    """Exactly `n` bytes; raises OSError if the connection ends before."""
    out = b""
    while len(out) < n:
        part = s.recv(n - len(out))
        if not part:
            raise OSError("the server closed the connection")
        out += part
    return out


class Wire(Protocol):
    """A protocol, as far as one exchange on an idle connection needs it."""

    def exchange(self, s: socket.socket, nth: int) -> None:
        """Makes the nth exchange of a connection and checks the answer; raises OSError if it is wrong."""


class Rpcx:
    """Frames of a 16-byte header and length-prefixed path, method, metadata and payload: a heartbeat, or a call."""

    def __init__(self, call: bool) -> None:
        parts = [b"Hello", b"Say", b"", message()] if call else [b"", b"", b"", b""]
        body = b"".join(struct.pack(">I", len(p)) + p for p in parts)
        self.head = bytes([0x08, 0, 0, 0x20] if call else [0x08, 0, 0x40, 0x30])
        self.tail = struct.pack(">I", len(body)) + body

    def exchange(self, s: socket.socket, nth: int) -> None:
        """One frame and its answer."""
        s.sendall(self.head + struct.pack(">Q", nth) + self.tail)
        head = receive(s, 16)
        receive(s, int.from_bytes(head[12:], "big"))
        if head[0] != 0x08 or not head[2] & 0x80 or head[2] & 3 or int.from_bytes(head[4:12], "big") != nth:
            raise OSError(f"not the answer: {head.hex()}")


class Grpc:
    """Just enough HTTP/2 for one unary call after the other."""

    def __init__(self) -> None:
        def text(b: bytes) -> bytes:
            return bytes([len(b)]) + b

        # POST, http, and literal fields without indexing: path, authority, content-type, te
        self.head = b"\x83\x86\x04" + text(b"/pb.Hello/Say") + b"\x01" + text(b"localhost")
        self.head += b"\x0f\x10" + text(b"application/grpc") + b"\x00" + text(b"te") + text(b"trailers")
        data = message()
        self.data = b"\0" + struct.pack(">I", len(data)) + data

    @staticmethod
    def frame(kind: int, flags: int, stream: int, body: bytes = b"") -> bytes:
        """An HTTP/2 frame."""
        return struct.pack(">I", len(body))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + body

    def exchange(self, s: socket.socket, nth: int) -> None:
        """One call on a new stream."""
        stream = 2 * nth + 1
        start = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + self.frame(4, 0, 0) if nth == 0 else b""
        s.sendall(start + self.frame(1, 4, stream, self.head) + self.frame(0, 1, stream, self.data))
        settled, answered, ended = nth > 0, False, False
        while not (ended and settled):
            head = receive(s, 9)
            kind, flags, of = head[3], head[4], int.from_bytes(head[5:], "big")
            body = receive(s, int.from_bytes(head[:3], "big"))
            if kind == 4 and not flags & 1:  # SETTINGS
                s.sendall(self.frame(4, 1, 0))
                settled = True
            elif kind == 6 and not flags & 1:  # PING
                s.sendall(self.frame(6, 1, 0, body))
            elif kind == 7:
                raise OSError("GOAWAY")
            elif of == stream:
                answered |= kind == 0 and len(body) > 500
                ended |= (kind in (0, 1) and bool(flags & 1)) or kind == 3
        if not answered:
            raise OSError("the call failed")


def wire(name: str) -> Wire:
    """The wire of that name: rpcx-call, rpcx (a heartbeat) or grpc."""
    if name == "grpc":
        return Grpc()
    return Rpcx(call=name == "rpcx-call")


@dataclass(frozen=True)
class Plan:
    """How to measure."""

    connections: int = 10_000  # in all: as many as a server of ours takes by default
    base: int = 100  # of them open before the first reading
    settle: float = 3  # seconds between the last connection and the second reading
    rounds: int = 3


def connect(port: int, protocol: Wire) -> socket.socket:
    """A connection that has made one exchange."""
    s = socket.create_connection(("127.0.0.1", port), timeout=10)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    protocol.exchange(s, 0)
    return s


def run_once(command: list[str], protocol: Wire, plan: Plan) -> Row:
    """Resident memory with `base` connections and with all of them, and the growth per connection in bytes."""
    port = machine.free_port()
    server = subprocess.Popen(
        [*command, "--addr", f"127.0.0.1:{port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    sockets: list[socket.socket] = []
    try:
        if not machine.wait_port(port, server):
            raise OSError("the server did not open its port")
        sockets += (connect(port, protocol) for _ in range(plan.base))
        time.sleep(1)
        before = machine.memory(server.pid, "VmRSS") or 0
        sockets += (connect(port, protocol) for _ in range(plan.connections - plan.base))
        time.sleep(plan.settle)
        after = machine.memory(server.pid, "VmRSS") or 0
        # a server that has dropped its idle connections must not win
        for s in sockets[:: max(1, len(sockets) // 100)]:
            protocol.exchange(s, 1)
        grown = plan.connections - plan.base
        return {"bytes": (after - before) / grown, "base_rss": before, "rss": after}
    except OSError as e:
        return {"failed": str(e)}
    finally:
        for s in sockets:
            s.close()
        machine.stop(server)


def allow_descriptors(plan: Plan) -> None:
    """Raises this process's limit of open files, which the servers inherit; exits if the system does not let us."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    need = plan.connections + 100
    if hard != resource.RLIM_INFINITY and hard < need:
        sys.exit(f"idle connections: {need} open files are needed, the hard limit is {hard}; raise it with ulimit -Hn")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def run_all(entries: list[Entry], plan: Plan, store: IO[str]) -> list[Row]:
    """Every entry that has an idle wire, interleaved; rows with `idle` set to the number of connections."""
    allow_descriptors(plan)
    rows = []
    for number in range(plan.rounds):
        for entry in entries:
            if entry.idle is None:
                continue
            row = run_once(entry.server, wire(entry.idle), plan)
            row.update(peer=entry.name, round=number, idle=plan.connections)
            rows.append(row)
            print(json.dumps(row), file=store, flush=True)
            what = f"failed: {row['failed']}" if "failed" in row else f"{row['bytes']:,.0f} bytes a connection"
            print(f"[{number + 1}/{plan.rounds} idle] {entry.name}: {what}", file=sys.stderr, flush=True)
    return rows
