"""Evolution without a language model: a program of any kind gets other numbers, and stays the program it was.

What knows more of a kind of program (``medevonet.mutation`` knows the layers of networks) gives ``mutate``
other ways of varying a parsed ``Source``, and keeps the checks, the evolve blocks and the proposals.
"""

from .mutation import Mutation, MutationError, Variation
from .proposer import OfflineMutation
from .source import Source
from .variation import Vary, mutate

__all__ = ["Mutation", "MutationError", "OfflineMutation", "Source", "Variation", "Vary", "mutate"]
