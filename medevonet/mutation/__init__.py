"""Evolution without a language model: operators that rewrite programs and keep them runnable.

The operators know PyTorch's syntax and never import it. ``reader`` turns the layers of a network into a
small typed model (``layers``, ``network``), ``operators`` edit the model, and ``writer`` prints what changed
back into the program. Programs that the reader does not understand get edits of single ``expressions`` that
keep every shape, and programs of any other kind get other ``constants``.
"""

from .mutation import Mutation, MutationError
from .proposer import OfflineProposer
from .variation import crossover, mutate

__all__ = ["Mutation", "MutationError", "OfflineProposer", "crossover", "mutate"]
