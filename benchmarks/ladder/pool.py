"""Distinct programs to measure a ladder with: recorded replies, and offline mutations of them."""

import asyncio
from pathlib import Path

from benchmarks.replies import LONGEST, program_of, seed_program
from medevonet.mutation import LayerMutation
from openevolve.population.fingerprints import normalized
from openevolve.proposing.edits.errors import EditError
from openevolve.records.program import Context, Elite, Program
from openevolve.settings.models import Config
from openevolve.state.random import random_source
from openevolve.testing.desks import TestDesk

_SEED = 1


def pool(replies: Path | None, count: int) -> dict[str, str]:
    """``count`` programs by name: the seed, those in ``good/*.md`` of the folder, and offline mutations.

    A mutation's parent is drawn among all programs before it, so that some are many steps from a reply.
    """
    programs = {"seed": seed_program()}
    for path in sorted((replies / "good").glob("*.md")) if replies else []:
        try:
            programs[f"reply {path.stem}"] = program_of(path)
        except EditError:
            continue
    known = {normalized(code) for code in programs.values()}
    proposer = LayerMutation(Config(max_code_length=LONGEST))
    iteration = 0
    while len(programs) < count:
        iteration += 1
        rng = random_source(_SEED, iteration, "proposal")
        name = rng.choice(list(programs))
        parent = Elite(Program(name, programs[name], iteration=0, island=0), {})
        proposal = asyncio.run(proposer.propose(Context(iteration, 0, parent, rng), TestDesk(iteration)))
        if proposal.code is not None and normalized(proposal.code) not in known:
            known.add(normalized(proposal.code))
            programs[f"offline {iteration}"] = proposal.code
    return dict(list(programs.items())[:count])
