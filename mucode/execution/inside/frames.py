"""Framing: a message is a 4-byte big-endian length and that many bytes of JSON, both ways on one stream socket.

Only `read` and `write` are used on the candidate's side, so that its system-call filter needs no socket call at all.
"""

from __future__ import annotations

import json
import marshal
import os
from typing import Any

MAX_MESSAGE = 32 * 1024 * 1024
HEADER = 4
_CHUNK = 1 << 16
_NO_REFERENCES = 2  # marshal's newest format in which equal values have equal bytes, however often they are referred to
# json's own encoder, with two settings changed: no cycle check (the codec numbers containers) and no ASCII escapes,
# because "\ud800" + "\udc00" written as escapes would come back as one character.
_ENCODER = json.JSONEncoder(check_circular=False, ensure_ascii=False, separators=(",", ":"))
_DECODER = json.JSONDecoder()


class WireError(Exception):
    """The bytes or the value break the protocol."""


class TooLong(WireError):
    """A message above `MAX_MESSAGE` bytes."""


class Closed(WireError):
    """The other side is gone."""


def text(message: Any) -> str:
    """A message as JSON."""
    return _ENCODER.encode(message)


def same(one: Any, other: Any) -> bool:
    """Whether two messages are the same JSON: 1, 1.0 and True are equal and are not the same, nor are 0.0 and -0.0.

    Bytes of marshal's are compared and go nowhere: JSON takes five times as long. A text interned since looks changed.
    """
    if one != other:
        return False
    try:
        return marshal.dumps(one, _NO_REFERENCES) == marshal.dumps(other, _NO_REFERENCES)
    except ValueError:  # nested too deeply for it
        return text(one) == text(other)


def pack(message: Any) -> bytes:
    """One message as bytes, header included; lone surrogates survive."""
    body = text(message).encode("utf-8", "surrogatepass")
    if len(body) > MAX_MESSAGE:
        raise TooLong(f"a message of {len(body)} bytes")
    return len(body).to_bytes(HEADER, "big") + body


def unpack(body: bytes) -> Any:
    """The message in `body`; `WireError` for anything that is not JSON in UTF-8, or is nested too deeply."""
    try:
        return _DECODER.decode(body.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise WireError(f"not a message: {type(error).__name__}") from None


def write_message(descriptor: int, message: Any) -> None:
    """Write one whole message, blocking."""
    write_all(descriptor, pack(message))


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`, blocking."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def read_message(descriptor: int) -> Any:
    """Read one whole message, blocking; `Closed` at end of stream."""
    length = int.from_bytes(_read_exactly(descriptor, HEADER), "big")
    return unpack(_read_exactly(descriptor, length))


def read_turn(descriptor: int) -> Any:
    """As `read_message`, where the other side sends nothing more before it is answered: mostly a single system call."""
    return unpack(read_turn_body(descriptor))


def read_turn_body(descriptor: int) -> bytes:
    """The bytes that `read_turn` unpacks."""
    data = os.read(descriptor, _CHUNK)
    if not data:
        raise Closed
    if len(data) < HEADER:
        data += _read_exactly(descriptor, HEADER - len(data))
    end = HEADER + int.from_bytes(data[:HEADER], "big")
    if len(data) < end:
        data += _read_exactly(descriptor, end - len(data))
    return data[HEADER:]


def _read_exactly(descriptor: int, count: int) -> bytes:
    chunk = os.read(descriptor, count)
    if len(chunk) == count:
        return chunk
    chunks = bytearray(chunk)
    while chunk and len(chunks) < count:
        chunk = os.read(descriptor, min(count - len(chunks), 1 << 20))
        chunks += chunk
    if len(chunks) < count:
        raise Closed
    return bytes(chunks)
