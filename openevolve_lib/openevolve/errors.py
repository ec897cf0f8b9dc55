"""The exceptions for what the user can mend."""


class UserError(Exception):
    """Bad config, data, program, key or run directory.

    The message says what was expected, what was found and what to do. Command lines print it
    without a traceback and exit with status 2.
    """


class RunInterrupted(UserError):
    """A run that cannot go on here and now (a full disk, a signal): all that finished is kept, and a
    resume continues once the cause is mended."""
