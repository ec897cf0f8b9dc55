"""What a run's model can be tuned on: prompts with the replies that led to programs with a score.

EvoPrompting (arXiv 2302.14838) tunes a soft prompt on all scored children. A model behind an API takes a file
of conversations instead. Such a file knows no weights, so that better replies stand in it more often.
"""

import json
from collections.abc import Mapping
from typing import Any

from openevolve.errors import UserError
from openevolve.inspect.reading import Run
from openevolve.state.journal import read_journal


def tuning_set(run: Run, copies: int) -> list[dict[str, Any]]:
    """Conversations in the chat format of fine-tuning endpoints, the best program's first.

    Each ends with the reply that became a program with a score. The best stands ``copies`` times in it, the
    worst once, the others between by their rank in fitness. Equal conversations count once.

    Raises UserError where no reply led to a score, and for fewer than one copy.
    """
    if copies < 1:
        raise UserError(f"--copies: expected at least 1, found {copies}")
    ranked = sorted(_conversations(run).items(), key=lambda item: (-_fitness(run, item[0]), item[0]))
    if not ranked:
        raise UserError(f"{run.journal}: expected replies that led to a program with a score, found none")
    last, found = max(1, len(ranked) - 1), []
    seen: set[str] = set()
    for rank, (_, messages) in enumerate(ranked):
        if (key := json.dumps(messages)) in seen:
            continue
        seen.add(key)
        found += [{"messages": messages}] * (1 + round((copies - 1) * (1 - rank / last)))
    return found


def as_lines(rows: list[dict[str, Any]]) -> str:
    """JSON Lines in ASCII."""
    return "\n".join(map(json.dumps, rows))


def _conversations(run: Run) -> dict[int, list[Mapping[str, str]]]:
    """By iteration with a score, its last conversation: that of the reply that was used."""
    found: dict[int, list[Mapping[str, str]]] = {}
    for event in read_journal(run.journal):
        if event["event"] == "replied" and event["purpose"] == "proposal" and event["text"] is not None:
            outcome = run.state.outcomes.get(event["iteration"])
            if outcome is not None and outcome.evaluated:
                reply = {"role": "assistant", "content": event["text"]}
                found[event["iteration"]] = [*event["messages"], reply]
    return found


def _fitness(run: Run, iteration: int) -> float:
    return run.state.population.fitness(run.state.outcomes[iteration].metrics)
