"""Wavelex: speech as discrete tokens. `load` a codec, `encode`, `decode`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wavelex.audio.reading import read_audio
    from wavelex.audio.samples import Audio
    from wavelex.audio.writing import write_audio
    from wavelex.codec.codec import Codec
    from wavelex.codec.hub import load
    from wavelex.codec.options import EncodeOptions
    from wavelex.errors import WavelexError
    from wavelex.search.target import Quality
    from wavelex.tokens.tokens import AudioTokens

__version__ = "0.1.0"
__all__ = [
    "Audio",
    "AudioTokens",
    "Codec",
    "EncodeOptions",
    "Quality",
    "WavelexError",
    "__version__",
    "load",
    "read_audio",
    "write_audio",
]
_PLACES = {
    "Audio": "audio.samples",
    "AudioTokens": "tokens.tokens",
    "Codec": "codec.codec",
    "EncodeOptions": "codec.options",
    "Quality": "search.target",
    "WavelexError": "errors",
    "load": "codec.hub",
    "read_audio": "audio.reading",
    "write_audio": "audio.writing",
}


def __getattr__(name: str) -> Any:
    # Imported when first used: torch alone takes seconds, and not all that is here needs it.
    if name not in _PLACES:
        raise AttributeError(f"module 'wavelex' has no attribute {name!r}")
    return getattr(import_module(f"wavelex.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
