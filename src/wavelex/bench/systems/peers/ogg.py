"""Ogg streams (RFC 3533), in which two of the peers' programs write."""

from __future__ import annotations


def packets(data: bytes) -> list[bytes]:
    """The packets in an Ogg file of one stream (section 6)."""
    found, current, position = [], b"", 0
    while data[position : position + 4] == b"OggS":
        segments = data[position + 27 : position + 27 + data[position + 26]]
        position += 27 + len(segments)
        for segment in segments:
            current += data[position : position + segment]
            position += segment
            if segment < 255:
                found.append(current)
                current = b""
    return found


def payload_bits(data: bytes) -> float:
    """Bits of the packets after the two of the codec's own headers."""
    return 8.0 * sum(map(len, packets(data)[2:]))
