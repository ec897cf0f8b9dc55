"""The one exception of this package."""


class EditError(Exception):
    """A reply holds no program that may be evaluated.

    The message says what was expected and what was found, and is fit to be sent back to the model.
    """

    def __init__(self, message: str) -> None:
        # Replies may hold lone surrogates; messages quote them and are written as UTF-8.
        super().__init__(message.encode("utf-8", "backslashreplace").decode("utf-8"))
