"""One way to start code that is not trusted: a fork server, and children that die with their owner.

    owner ──start──▶ server (modules imported once, no key, no label) ──fork──▶ child

Every child has its own session, an environment built from a short list, a channel to whoever
started it, and a lifeline: a socket whose closing, also by the owner's death, kills the child with
all its descendants. A child started with ``may_start=True`` (an evaluator) can start children of
its own (a candidate) through the same server; they die with it.

A child can be put within walls (``walls.py``) before anything of a program runs in it.

Needs Linux: parent-death signals, pidfds and child subreaping.
"""

from openevolve.evaluating.isolation.client import (
    Child,
    Exit,
    ForkServer,
    Launcher,
    Request,
    clean_environment,
)
from openevolve.evaluating.isolation.level import Isolation, Level, establish
from openevolve.evaluating.isolation.scratch import scratch_folder
from openevolve.evaluating.isolation.walls import Walls

__all__ = [
    "Child",
    "Exit",
    "ForkServer",
    "Isolation",
    "Launcher",
    "Level",
    "Request",
    "Walls",
    "clean_environment",
    "establish",
    "scratch_folder",
]
