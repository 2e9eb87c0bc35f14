"""Codes of several frame rates as one matrix: how the tracks of a codec lie in the slots of a superframe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from wavelex.errors import WavelexError


@dataclass(frozen=True)
class Track:
    """Codebooks of one frame rate: `frames` frames of them in each superframe.

    Raises WavelexError for a track without codebooks or frames.
    """

    name: str
    sizes: tuple[int, ...]
    """Number of codes of each of its codebooks, coarse first."""
    frames: int = 1

    def __post_init__(self) -> None:
        if not self.sizes or self.frames < 1:
            raise WavelexError(f"track {self.name!r}: needs at least one codebook and one frame, not {self.sizes} and {self.frames}")


@dataclass(frozen=True)
class Layout:
    """The slots of a superframe of `superframe` base frames, which are to everything else the codebooks of one frame.

    Slots are ordered track after track (coarse first), within a track frame after frame, within a frame codebook after codebook.
    A prefix of the slots is then a coarser signal, as a prefix of the codebooks is. With one track of one frame, slots and codebooks
    are the same. Raises WavelexError where a track's frames do not divide a superframe.
    """

    tracks: tuple[Track, ...]
    superframe: int = 1

    def __post_init__(self) -> None:
        for track in self.tracks:
            if self.superframe % track.frames:
                raise WavelexError(f"track {track.name!r}: {track.frames} frames do not divide a superframe of {self.superframe}")

    @property
    def sizes(self) -> list[int]:
        """Number of codes of each slot."""
        return [size for track in self.tracks for _ in range(track.frames) for size in track.sizes]

    def split(self, codes: Tensor) -> dict[str, Tensor]:
        """Codes (batch, slots, superframes) to those of each track by name, (batch, its codebooks, superframes * its frames)."""
        found, first = {}, 0
        for track in self.tracks:
            books = len(track.sizes)
            slots = codes[:, first : first + books * track.frames]
            each = slots.reshape(len(codes), track.frames, books, codes.shape[2])
            found[track.name] = each.permute(0, 2, 3, 1).flatten(2)
            first += books * track.frames
        return found

    def join(self, tracks: Mapping[str, Tensor]) -> Tensor:
        """The inverse of `split`."""
        slots = []
        for track in self.tracks:
            codes = tracks[track.name]
            each = codes.reshape(*codes.shape[:2], codes.shape[2] // track.frames, track.frames)
            slots.append(each.permute(0, 3, 1, 2).flatten(1, 2))
        return torch.cat(slots, dim=1)

    def previous(self) -> list[tuple[int, int]]:
        """For each slot, which slot holds the same codebook one frame of its track earlier, and how many superframes back that is."""
        found, first = [], 0
        for track in self.tracks:
            books = len(track.sizes)
            for frame in range(track.frames):
                for book in range(books):
                    back = first + (frame - 1) % track.frames * books + book
                    found.append((back, int(frame == 0)))
            first += books * track.frames
        return found
