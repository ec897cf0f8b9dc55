"""What an iteration costs and leaves when something is in its way."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from openevolve.commands.display import PlainDisplay, Status
from openevolve.commands.evolve import exit_code
from openevolve.commands.exits import EXIT_STOPPED_EARLY
from openevolve.engine.run import Result, execute
from openevolve.proposing.desk import Desk
from openevolve.records.program import Context, FailureKind, Proposal
from openevolve.state.journal import Event, read_journal
from openevolve.state.state import State
from tests.support.scripted import RandomWalk, archive, make_run, run_walk, settings, story
from tests.support.talkative import PAID, Model, Repeating


def events(folder: Path, name: str) -> list[Event]:
    return [event for event in read_journal(folder / "out/journal.jsonl") if event["event"] == name]


def run_model(folder: Path, model: Model, *overrides: str) -> Result:
    config = settings("max_iterations=6", "deterministic=false", *overrides)
    plan = make_run(folder, config)
    return execute(replace(plan, proposer=None, models=lambda llm: model), PlainDisplay())


# The same program again.


def test_a_program_that_was_tried_is_refused_with_what_became_of_it(tmp_path: Path) -> None:
    proposer = Repeating(lambda iteration: f"X = {min(iteration, 2)}.0  # {iteration}\n")
    plan = replace(make_run(tmp_path, settings("max_iterations=8")), proposer=proposer)
    state = execute(plan, PlainDisplay()).state
    assert len(state.population) == 3  # the initial program and two others
    assert {state.outcomes[i].failure for i in range(5, 9)} == {FailureKind.PROPOSAL_INVALID}
    assert any("iteration 2 again (combined_score 0.02)" in refusal for refusal in proposer.refusals)
    assert state.refusals["duplicate"] == len(events(tmp_path, "refused")) > 0


@pytest.mark.parametrize("slots", [1, 3])
def test_a_duplicate_that_was_measured_is_no_second_member(tmp_path: Path, slots: int) -> None:
    """In deterministic mode iterations within the lag do not see one another."""
    config = settings("max_iterations=4", "lag=3", f"evaluator.parallel_evaluations={slots}")
    plan = replace(make_run(tmp_path, config), proposer=Repeating(lambda iteration: "X = 20.0\n"))
    state = execute(plan, PlainDisplay()).state
    assert len(state.population) == 2
    assert [event["duplicate_of"] for event in events(tmp_path, "committed")] == [None, None, 1, 1, 1]


def test_what_took_too_long_may_be_tried_again(tmp_path: Path) -> None:
    config = settings("max_iterations=2", "evaluator.parallel_evaluations=1", "lag=0")
    plan = replace(make_run(tmp_path, config), proposer=Repeating(lambda iteration: "X = 96.0\n"))
    state = execute(plan, PlainDisplay()).state
    assert state.outcomes[1].failure is FailureKind.TIMEOUT
    assert state.outcomes[2].failure is FailureKind.TIMEOUT
    assert state.refusals["duplicate"] == 0


def test_a_copy_of_what_was_shown_is_asked_for_again(tmp_path: Path) -> None:
    code = {1: "X = 10.0\n# a remark\nY = 3\n"}
    proposer = Repeating(lambda iteration: code[iteration])
    config = settings("max_iterations=1", "database.similarity_threshold=0.3")
    state = execute(replace(make_run(tmp_path, config), proposer=proposer), PlainDisplay()).state
    assert len(proposer.refusals) == 2
    assert "lines of" in state.outcomes[1].message
    assert [event["gate"] for event in events(tmp_path, "refused")] == ["similarity"] * 2


# The language model.


def test_an_outage_is_no_failed_idea_and_costs_no_iteration(tmp_path: Path) -> None:
    model = Model(lambda call: "timeout" if call % 3 == 0 else None)
    result = run_model(tmp_path, model)
    assert result.completed
    assert result.state.failures == {}
    assert len(events(tmp_path, "provider_failed")) == model.calls // 3 > 0
    assert result.state.usage.prompt_tokens == model.calls * PAID.prompt_tokens
    assert not any("timeout" in message["content"] for asked in model.asked for message in asked)


def test_models_are_closed_at_the_end(tmp_path: Path) -> None:
    model = Model()
    run_model(tmp_path, model)
    assert model.closed == 1


def test_the_time_of_a_run_ends_the_wait_for_a_model(tmp_path: Path) -> None:
    model = Model(lambda call: "silence" if call > 2 else None)
    result = run_model(tmp_path, model, "budget.hours=0.0015")
    assert result.reason.startswith("budget.hours reached")
    assert len(result.state.outcomes) >= 1


def test_an_answer_that_was_paid_for_is_used_after_a_stop(tmp_path: Path) -> None:
    """Prose first, then silence: the second call is cancelled, and the first is not asked for again."""
    prose = Model(lambda call: "silence" if call > 1 else None)
    prose_text = "I would rather talk about the weather."

    class Prose(Model):
        async def complete(self, messages, rng):  # type: ignore[no-untyped-def]
            completion = await prose.complete(messages, rng)
            return replace(completion, text=prose_text)

    first = run_model(tmp_path, Prose(), "max_iterations=1", "budget.hours=0.0015")
    assert first.state.usage == PAID
    model = Model()
    result = run_model(tmp_path, model, "max_iterations=1")
    assert result.completed
    assert model.calls == 1
    assert prose_text in model.asked[0][-2]["content"]
    assert result.state.usage == PAID + PAID


# Reviews.


@pytest.mark.parametrize("status", ["connection_error", "refused"])
def test_a_reviewer_that_cannot_be_asked_costs_the_review_alone(tmp_path: Path, status: str) -> None:
    from openevolve.reflection.reviewer import LLMReviewer

    config = settings("max_iterations=6")
    plan = make_run(tmp_path, config)
    critic = Model(lambda call: status)
    result = execute(replace(plan, reflection=LLMReviewer(critic, config)), PlainDisplay())
    assert result.completed
    reviewed = events(tmp_path, "reviewed")
    assert {event["text"] for event in reviewed} == {""}
    assert all(status in event["problem"] for event in reviewed)


def test_a_result_counts_before_it_is_reviewed_and_the_review_is_made_up_for(tmp_path: Path) -> None:
    from openevolve.reflection.reviewer import LLMReviewer

    config = settings("max_iterations=1", "deterministic=false", "budget.hours=0.0015")
    plan = replace(make_run(tmp_path, config), proposer=Repeating(lambda iteration: "X = 90.0\n"))
    silent = LLMReviewer(Model(lambda call: "silence"), config)
    first = execute(replace(plan, reflection=silent), PlainDisplay())
    assert first.state.committed == [0, 1]
    assert (tmp_path / "out/best/best_program.py").read_text() == "X = 90.0\n"
    more = settings("max_iterations=1", "deterministic=false")
    plan = replace(plan, config=more, reflection=LLMReviewer(Model(), more))
    second = execute(plan, PlainDisplay())
    assert "X = 11.5" in second.state.reviews[1]


# The loop.


def test_equal_runs_whatever_the_number_of_workers(tmp_path: Path) -> None:
    results = [
        run_walk(tmp_path / str(slots), settings(f"evaluator.parallel_evaluations={slots}"), RandomWalk(0.03))
        for slots in (1, 2, 3)
    ]
    assert story(results[0]) == story(results[1]) == story(results[2])
    assert archive(results[0]) == archive(results[1]) == archive(results[2])
    assert [list(read_journal(tmp_path / str(s) / "out/journal.jsonl"))[-1]["event"] for s in (1, 2, 3)]


def test_the_lag_is_part_of_what_is_chosen(tmp_path: Path) -> None:
    assert story(run_walk(tmp_path / "a", settings("lag=0"))) != story(
        run_walk(tmp_path / "b", settings("lag=4"))
    )


def test_a_rising_run_is_not_stopped_where_no_metric_has_the_common_name(tmp_path: Path) -> None:
    config = settings(
        "max_iterations=12", "database.fitness_metric=score", "early_stopping_patience=4",
        "convergence_threshold=0", "features={}", "database.num_islands=1",
    )  # fmt: skip
    proposer = Repeating(lambda iteration: f"X = {10 + iteration}.0\n")
    plan = replace(make_run(tmp_path, config), proposer=proposer)
    plan.evaluator.write_text(plan.evaluator.read_text().replace("combined_score", "score"))
    assert execute(plan, PlainDisplay()).completed


def test_a_run_without_a_single_usable_proposal_is_no_success(tmp_path: Path) -> None:
    class Prose(RandomWalk):
        async def propose(self, context: Context, desk: Desk) -> Proposal:
            return Proposal(code=None, proposer="prose", problem="expected a program, found prose")

    result = run_walk(tmp_path, settings("max_iterations=3"), Prose())
    assert result.reason == "no proposal could be used"
    assert exit_code(result) == EXIT_STOPPED_EARLY


class Counting(PlainDisplay):
    """Keeps what the display would say is running."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def observe(self, event: Event, state: State) -> None:
        super().observe(event, state)
        self.said.append(Status(state, lambda: 0.0).running())


def test_queued_programs_are_not_said_to_be_evaluated(tmp_path: Path) -> None:
    config = settings("deterministic=false", "proposals_ahead=4", "evaluator.parallel_evaluations=1")
    display = Counting()
    execute(make_run(tmp_path, config), display)
    counts = [[int(word) for word in said.split() if word.lstrip("-").isdecimal()] for said in display.said]
    assert max(evaluating for evaluating, _ in counts) == 1
    assert min(others for _, others in counts) >= 0


@pytest.mark.parametrize(
    "changed",
    [
        "database.migration_interval=3", "database.migration_rate=0.5", "database.population_size=7",
        "database.archive_size=3", "max_code_length=99",
    ],
)  # fmt: skip
def test_what_the_archive_rests_on_cannot_change(tmp_path: Path, changed: str) -> None:
    from openevolve.errors import UserError

    run_walk(tmp_path, settings("max_iterations=2"))
    with pytest.raises(UserError, match=f"{changed.partition('=')[0]} is .*, not"):
        run_walk(tmp_path, settings("max_iterations=4", changed))


def test_the_journal_says_who_chose_what_and_how(tmp_path: Path) -> None:
    run_walk(tmp_path, settings("max_iterations=12"))
    for event in events(tmp_path, "selected"):
        choice = event["choice"]
        assert choice["strategy"] == "explore-exploit"
        assert choice["rule"] in ("explore", "exploit", "best")
        assert 0 <= choice["draw"] < 1
    assert json.dumps(events(tmp_path, "migrated"))
