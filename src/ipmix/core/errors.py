"""The one exception for bad input: what was expected, what was received, what to do."""


class InputError(ValueError):
    """A file, key or value that the caller gave can't be used.

    The message names it, says what was expected and what was received, and what to do. The command line
    prints the message without a traceback and exits with code 2.
    """
