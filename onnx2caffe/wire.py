"""Walks through protobuf messages in memory without parsing them, to find large fields where they lie.

Wire format: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

VARINT, EIGHT_BYTES, LENGTH_DELIMITED, FOUR_BYTES = 0, 1, 2, 5  # wire types


class MalformedError(ValueError):
    """Bytes that are no protobuf message."""


class Field(NamedTuple):
    """One field of a message: its number, its wire type, and where its key, its value and its end are."""

    number: int
    wire_type: int
    start: int
    value: int
    end: int


def fields(content: memoryview, start: int, end: int) -> Iterator[Field]:
    """Yield the fields of the message that lies in content[start:end].

    Raises:
        MalformedError: a field breaks off, has no number, or is of an unknown wire type.
    """
    position = start
    while position < end:
        key, value = varint(content, position, end)
        number, wire_type = key >> 3, key & 7
        if number == 0:
            raise MalformedError("a field without a number")
        if wire_type == VARINT:
            _, after = varint(content, value, end)
        elif wire_type == LENGTH_DELIMITED:
            length, value = varint(content, value, end)
            after = value + length
        elif wire_type in (EIGHT_BYTES, FOUR_BYTES):
            after = value + (8 if wire_type == EIGHT_BYTES else 4)
        else:
            raise MalformedError(f"a field of the unknown wire type {wire_type}")
        if after > end:
            raise MalformedError(f"it breaks off, {after - end:,} bytes short")
        yield Field(number, wire_type, position, value, after)
        position = after


def varint(content: memoryview, position: int, end: int) -> tuple[int, int]:
    """Return the number that starts at a position, and the position after it."""
    value = 0
    for index in range(10):  # ten groups of seven bits hold any 64-bit number
        if position + index >= end:
            raise MalformedError("it breaks off inside a number")
        byte = content[position + index]
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, position + index + 1
    raise MalformedError("a number of more than 64 bits")


def message_field(number: int, payload: bytes) -> bytes:
    """Return a length-delimited field with its key and length."""
    return encode_varint(number << 3 | LENGTH_DELIMITED) + encode_varint(len(payload)) + payload


def encode_varint(value: int) -> bytes:
    """Return a number in groups of seven bits, lowest first, the eighth bit set on all but the last."""
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)
