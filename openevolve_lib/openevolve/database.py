"""The program that a run returns, in the place that OpenEvolve's users know."""

from typing import TYPE_CHECKING

from openevolve.api import BestProgram
from openevolve.instead import absent_names

Program = BestProgram

__all__ = ["Program"]

if not TYPE_CHECKING:
    __getattr__ = absent_names(__name__)
