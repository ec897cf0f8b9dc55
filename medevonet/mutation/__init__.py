"""Evolution of networks without a language model: operators that rewrite layers and keep programs runnable.

The operators know PyTorch's syntax and never import it. ``reader`` turns the layers of a network into a
small typed model (``layers``, ``network``), ``operators`` edit the model, and ``writer`` prints what changed
back into the program. Programs that the reader does not understand get edits of single ``expressions`` that
keep every shape, and programs of any other kind get other numbers, as from the engine's own mutation.
"""

from .proposer import LayerMutation
from .variation import crossover, mutate

__all__ = ["LayerMutation", "crossover", "mutate"]
