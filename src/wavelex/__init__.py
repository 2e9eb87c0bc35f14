"""Wavelex: speech as discrete tokens. `load` a codec, `encode`, `decode`."""

from wavelex.audio.files import Audio, read_audio, write_audio
from wavelex.codec.codec import Codec
from wavelex.codec.hub import load
from wavelex.errors import WavelexError
from wavelex.search.target import Quality
from wavelex.tokens.tokens import AudioTokens

__version__ = "0.1.0"
__all__ = ["Audio", "AudioTokens", "Codec", "Quality", "WavelexError", "__version__", "load", "read_audio", "write_audio"]
