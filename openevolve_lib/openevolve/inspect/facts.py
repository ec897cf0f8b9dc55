"""One line of facts for each iteration, as JSON values: what every reader lists, sorts and draws."""

from typing import Any

from openevolve.errors import UserError
from openevolve.inspect.afresh import final_scores, fresh_of
from openevolve.inspect.clean import shown
from openevolve.inspect.reading import Run, worked_out
from openevolve.records.program import Outcome, Program, Usage, standard_error_of

Fact = dict[str, Any]


def facts(run: Run) -> list[Fact]:
    """By iteration: every program that was proposed.

    ``fitness`` is what was measured, ``error`` its standard error where the evaluator gives one, ``estimate``
    and ``estimate_error`` the same with selected luck taken back (``shrinkage``); all None without a score.
    ``final`` is what was found of a finalist afresh (``afresh.final_scores``), None of all others; ``again``
    lists unit and value of what a person asked to be measured once more. ``fresh`` has both kinds: unit, its
    weight in the fitness, value.
    They are worked out once for as long as the run does not grow: callers change none.
    """
    return worked_out(run, "facts", _facts)


def outline(run: Run) -> Fact:
    """What answers need of the settings: names of metrics and axes, how much was asked for."""
    return worked_out(run, "outline", _outline)


def _outline(run: Run) -> Fact:
    state = run.state
    config = state.config
    return {
        "fitness_metric": config.database.fitness_metric,
        "tie_break_metric": config.database.tie_break_metric,
        "axes": [axis.name for axis in state.population.axes],
        "asked": config.max_iterations,
        "isolation": config.evaluator.isolation,
        "paused": state.paused,
        "finished": state.finished,
    }


def _facts(run: Run) -> list[Fact]:
    state = run.state
    elites = {key[-1]: cell for cell, key in state.population.archive_cells.items()}
    rows = [_fact(run, state.programs[iteration], elites) for iteration in sorted(state.programs)]
    _estimate(run, rows)
    finals, fresh = final_scores(state), fresh_of(state)
    for row in rows:
        row["final"] = finals.get(row["id"])
        row["fresh"] = fresh.get(row["id"], [])
        row["again"] = [[each.unit, each.value] for each in state.again.get(row["id"], ())]
    return rows


def _fact(run: Run, program: Program, elites: dict[str, tuple[int, ...]]) -> Fact:
    state, account, iteration = run.state, run.account, program.iteration
    outcome = state.outcomes.get(iteration)
    choice, placing = state.choices.get(iteration), account.placings.get(iteration)
    fact: Fact = {
        "id": program.id,
        "iteration": iteration,
        "status": status_of(run, iteration),
        "parents": list(program.parent_ids),
        "generation": program.generation,
        "island": program.island,
        "changes": program.changes,
        "proposer": account.proposers.get(iteration, ""),
        "model": account.models.get(iteration, ""),
        "rule": choice.rule if choice else "",
        "proposed_at": account.proposed_at.get(iteration),
        "began_at": account.began_at.get(iteration),
        "measured_at": account.measured_at.get(iteration),
        "duplicate_of": account.duplicates.get(iteration),
        "cell": list(placing.cell) if placing else None,
        "holds_cell": program.id in elites,
        "fitness": None,
        "error": None,
        "estimate": None,
        "estimate_error": None,
        "metrics": {},
        "seconds": None,
        "failure": None,
        "message": "",
    }
    if outcome is not None:
        fact |= _ending(run, outcome)
    usage = account.spent(iteration)
    if usage != Usage():
        fact |= {"tokens": usage.tokens, "dollars": usage.cost}
    return fact


def _ending(run: Run, outcome: Outcome) -> Fact:
    found: Fact = {
        "metrics": shown(outcome.metrics),
        "seconds": outcome.seconds,
        "failure": outcome.failure.value if outcome.failure else None,
        "message": outcome.message,
    }
    if outcome.evaluated:
        population = run.state.population
        name = population.config.fitness_metric
        found["fitness"] = population.fitness(outcome.metrics)
        found["error"] = outcome.metrics.get(standard_error_of(name))
    return found


def status_of(run: Run, iteration: int) -> str:
    """scored, duplicate, rejected, failed; or what it waits for: measuring, proposed."""
    outcome = run.state.outcomes.get(iteration)
    if outcome is None:
        return "measuring" if iteration in run.state.measuring else "proposed"
    if outcome.failure is not None:
        return "failed"
    if outcome.rejected:
        return "rejected"
    return "duplicate" if iteration in run.account.duplicates else "scored"


def _estimate(run: Run, rows: list[Fact]) -> None:
    """Fill in the estimates: the run's own where noise is known; where it makes none, from the errors.

    A copy of a program is no further one.
    """
    scored = [row for row in rows if row["status"] == "scored"]
    estimates = run.state.measurements.estimates
    known = {row["id"]: run.state.measurements.estimate(row["id"]) for row in scored}
    if estimates is not None and all(known.values()):
        for row in scored:
            if (own := known[row["id"]]) and not estimates.exact:
                row["estimate"], row["estimate_error"] = own.mean, own.sd
        return
    if not scored or any(row["error"] is None for row in scored):
        return
    from openevolve.population.shrinkage import shrunk

    taken_back = shrunk([row["fitness"] for row in scored], [row["error"] for row in scored])
    for row, estimate in zip(scored, taken_back, strict=True):
        row["estimate"], row["estimate_error"] = estimate.mean, estimate.sd


def iteration_of(run: Run, name: str) -> int:
    """Of a program, by its iteration or the beginning of its id. Raises UserError."""
    rows = facts(run)
    if name.isascii() and name.isdecimal() and name == str(int(name)):
        number = int(name)
        if any(row["iteration"] == number for row in rows):
            return number
    found = [row for row in rows if row["id"].startswith(name)]
    if name and len(found) == 1:
        return int(found[0]["iteration"])
    if name and found:
        ids = ", ".join(row["id"][:13] for row in found[:5])
        raise UserError(f"{name}: expected the beginning of one id, found {len(found)}: {ids}")
    raise UserError(
        f"{name!r}: expected an iteration"
        + (f" from 0 to {rows[-1]['iteration']}" if rows else "")
        + " or the beginning of a program's id, found none like it; `openevolve leaderboard` lists programs"
    )
