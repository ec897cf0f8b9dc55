"""The program that an iteration measures, named and placed."""

import uuid

from openevolve.records.program import Context, Program, Proposal
from openevolve.state.random import random_source


def child_program(seed: int, iteration: int, context: Context | None, proposal: Proposal) -> Program:
    """The program of a proposal; without a context it is the initial one. Equal seeds, equal names."""
    parent = context.parent if context else None
    return Program(
        id=program_id(seed, iteration),
        code=proposal.code or "",
        iteration=iteration,
        island=context.island if context else 0,
        parent_ids=proposal.parent_ids or ((parent.id,) if parent else ()),
        generation=parent.program.generation + 1 if parent else 0,
        changes=proposal.changes,
        changes_description=proposal.changes_description,
    )


def program_id(seed: int, iteration: int) -> str:
    """The UUID of an iteration's program."""
    return str(uuid.UUID(bytes=random_source(seed, iteration, "program id").randbytes(16), version=4))
