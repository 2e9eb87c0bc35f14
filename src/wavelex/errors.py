"""The one exception that users are meant to see."""


class WavelexError(Exception):
    """Something the user can put right; its message is one line that names the file or value and says how."""
