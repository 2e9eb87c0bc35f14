"""Ogg streams (RFC 3533), in which two of the peers' programs write."""

from __future__ import annotations


def packet_sizes(data: bytes) -> list[int]:
    """Bytes of each packet in an Ogg file of one stream (section 6)."""
    sizes, current, position = [], 0, 0
    while data[position : position + 4] == b"OggS":
        segments = data[position + 27 : position + 27 + data[position + 26]]
        for segment in segments:
            current += segment
            if segment < 255:
                sizes.append(current)
                current = 0
        position += 27 + len(segments) + sum(segments)
    return sizes


def payload_bits(data: bytes) -> float:
    """Bits of the packets after the two of the codec's own headers."""
    return 8.0 * sum(packet_sizes(data)[2:])
