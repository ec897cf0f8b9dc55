"""The run over files, in the place that OpenEvolve's users know."""

from openevolve.api import OpenEvolve

__all__ = ["OpenEvolve"]
