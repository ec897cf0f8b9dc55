"""The one exception for mistakes that the user can mend."""


class UserError(Exception):
    """Bad config, data, program, key or run directory.

    The message says what was expected, what was found and what to do. Command lines print it
    without a traceback and exit with status 2.
    """
