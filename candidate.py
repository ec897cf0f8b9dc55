"""What runs beside an untrusted program: the process that trains it (``medevonet.sandboxed.session``)."""

from medevonet.sandboxed.session import main

__all__ = ["main"]
