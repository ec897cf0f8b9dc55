"""Programs that stem from each other: recorded replies of a language model, and offline mutations of them.

Who was made of whom is kept: a replay may then propose, from a parent, what was really made of it.
"""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

from benchmarks.replies import LONGEST, program_of, seed_program
from benchmarks.search.programs import Relative
from medevonet.mutation import LayerMutation
from openevolve.population.fingerprints import normalized
from openevolve.proposing.edits import apply_reply
from openevolve.proposing.edits.errors import EditError
from openevolve.records.program import Context, Elite, Program
from openevolve.settings.models import Config
from openevolve.state.random import random_source
from openevolve.testing.desks import TestDesk

_SEED = 1


def family(replies: Path | None, count: int) -> dict[str, Relative]:
    """``count`` distinct programs by name, each after its parent.

    The seed, the replies of the folder's ``good/*.md`` (to the seed) and ``live/*.md`` (to whom its
    ``index.json`` says), then mutations of a program that is drawn among all before it.
    """
    found = {"seed": Relative(seed_program(), None)}
    known = {normalized(seed_program())}
    for name, relative in [*_good(replies), *_live(replies)] if replies else []:
        if normalized(relative.code) not in known and (relative.parent or "seed") in found:
            known.add(normalized(relative.code))
            found[name] = relative
    proposer = LayerMutation(Config(max_code_length=LONGEST))
    iteration = 0
    while len(found) < count:
        iteration += 1
        rng = random_source(_SEED, iteration, "proposal")
        name = rng.choice(list(found))
        parent = Elite(Program(name, found[name].code, iteration=0, island=0), {})
        proposal = asyncio.run(proposer.propose(Context(iteration, 0, parent, rng), TestDesk(iteration)))
        if proposal.code is not None and normalized(proposal.code) not in known:
            known.add(normalized(proposal.code))
            found[f"offline {iteration}"] = Relative(proposal.code, name)
    return dict(list(found.items())[:count])


def _good(replies: Path) -> Iterator[tuple[str, Relative]]:
    for path in sorted((replies / "good").glob("*.md")):
        try:
            yield f"reply {path.stem}", Relative(program_of(path), "seed")
        except EditError:
            continue


def _live(replies: Path) -> Iterator[tuple[str, Relative]]:
    index = replies / "live" / "index.json"
    if not index.is_file():
        return
    codes = {"seed": seed_program()}
    for number, facts in json.loads(index.read_text(encoding="utf-8"))["replies"].items():
        first = facts["parents"][0]
        parent = f"live {first:03}" if first else "seed"
        try:
            text = (replies / "live" / f"{number}.md").read_text(encoding="utf-8")
            code = apply_reply(text, codes[parent], max_code_length=LONGEST).code
        except (EditError, KeyError):
            continue
        codes[f"live {number}"] = code
        yield f"live {number}", Relative(code, parent)
