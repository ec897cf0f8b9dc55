"""``openevolve-run``, in the place that OpenEvolve's users know."""

from openevolve.commands.evolve import main

__all__ = ["main"]
