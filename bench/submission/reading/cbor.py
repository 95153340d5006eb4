"""The part of CBOR (RFC 8949) that a ranx run needs: objects, arrays, text and numbers, nothing with code."""

from __future__ import annotations

import struct

MAX_DEPTH = 4
_SIZES = {24: ">B", 25: ">H", 26: ">I", 27: ">Q"}
_FLOATS = {25: ">e", 26: ">f", 27: ">d"}


class CborError(ValueError):
    """The bytes are no CBOR, or more of it than is read here; the text says why."""


def decode_cbor(body: bytes) -> object:
    """Decode one value; raise CborError."""
    try:
        value, end = _value(body, 0, 0)
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise CborError(f"damaged or cut short ({error})") from None
    if end != len(body):
        raise CborError(f"{len(body) - end:,} bytes follow the value")
    return value


def _value(body: bytes, at: int, depth: int) -> tuple[object, int]:
    if depth > MAX_DEPTH:
        raise CborError("nested too deep")
    major, detail = body[at] >> 5, body[at] & 31
    at += 1
    if major == 7 and detail in _FLOATS:
        (number,) = struct.unpack_from(_FLOATS[detail], body, at)
        return number, at + struct.calcsize(_FLOATS[detail])
    if detail < 24:
        size = detail
    elif detail in _SIZES:
        (size,) = struct.unpack_from(_SIZES[detail], body, at)
        at += struct.calcsize(_SIZES[detail])
    else:
        raise CborError(f"a value of the unread kind {major}.{detail}")
    if major == 0:
        return size, at
    if major == 1:
        return -1 - size, at
    if major == 3:
        if at + size > len(body):
            raise CborError("damaged or cut short")
        return body[at : at + size].decode("utf-8"), at + size
    if major == 4:
        items = []
        for _ in range(size):
            item, at = _value(body, at, depth + 1)
            items.append(item)
        return items, at
    if major == 5:
        return _mapping(body, at, size, depth)
    raise CborError(f"a value of the unread kind {major}.{detail}")


def _mapping(body: bytes, at: int, size: int, depth: int) -> tuple[dict[str, object], int]:
    built: dict[str, object] = {}
    for _ in range(size):
        key, at = _value(body, at, depth + 1)
        built[str(key)], at = _value(body, at, depth + 1)
    if len(built) != size:
        raise CborError("a key stands twice in one object")
    return built, at
