"""What was known when an iteration was chosen: of what counted by then, and nothing of later."""

from dataclasses import asdict
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from openevolve.records.choice import Choice
from openevolve.records.known import Known
from openevolve.records.program import FailureKind, Outcome, Program
from openevolve.search.operators import credit, draw_operator
from openevolve.settings.files import load_config
from openevolve.state.random import random_source
from openevolve.state.state import JOURNAL_VERSION, State
from openevolve.state.view import View

SETTINGS = [
    "prompt.num_tried=4", "features={size: {low: 0, high: 4, count: 4}}", "database.num_islands=1",
    "search.operators=[explore, refine]",
]  # fmt: skip
# Of the iterations 1, 2, ...: parent, score (None: it fails), its error, size.
HISTORY = [(0, 0.6, 0.01, 1.5), (1, None, 0.0, 0.0), (1, 0.5, 0.2, 2.5), (0, 0.3, 0.01, 1.5)]


def told(history: list[tuple[int, float | None, float, float]], *overrides: str) -> State:
    """A run in which each of these was chosen, measured and counted in turn."""
    config = load_config(None, [*SETTINGS, *overrides])
    state = State(config)
    tell(
        state,
        "run_started",
        version=JOURNAL_VERSION,
        settings=config.model_dump(mode="json"),
        initial_code="",
    )
    add(state, 0, None, 0.5, 0.01, 1.5)
    for i, (parent, score, error, size) in enumerate(history, start=1):
        tell(state, "selected", choice=Choice(i, 0, f"p{parent}", operator="refine").to_json())
        add(state, i, parent, score, error, size)
    return state


def tell(state: State, name: str, **content: Any) -> None:
    state.apply({"event": name, "elapsed": 0.0, **content})


def add(state: State, i: int, parent: int | None, score: float | None, error: float, size: float) -> None:
    parents = () if parent is None else (f"p{parent}",)
    metrics = {} if score is None else {"combined_score": score, "combined_score_se": error, "size": size}
    failure = FailureKind.CRASHED if score is None else None
    outcome = Outcome(f"p{i}", metrics, failure=failure)
    tell(
        state,
        "proposed",
        program=asdict(Program(f"p{i}", f"x = {i}", i, 0, parents, changes=f"c{i}")),
        problem="",
    )
    tell(state, "measured", iteration=i, outcome=asdict(outcome))
    tell(state, "committed", iteration=i, duplicate_of=None)


def chosen(state: State, iteration: int, parent: int) -> Known:
    tell(state, "selected", choice=Choice(iteration, 0, f"p{parent}").to_json())
    return state.context(iteration).known


def test_what_was_tried_on_this_lineage_and_elsewhere() -> None:
    state = told([*HISTORY, (4, 0.9, 0.01, 1.5)])
    found = chosen(state, 6, 1)
    assert [(t.iteration, t.failure, t.within_noise) for t in found.lineage] == [
        (4, "", False), (3, "", True), (2, "crashed", False), (1, "", False),
    ]  # fmt: skip
    assert [(t.iteration, round(t.difference or 0, 6)) for t in found.elsewhere] == [(5, 0.6)]
    assert [(room.low, room.high) for room in found.rooms] == [(None, 1.0)]  # 2 to 3 is filled by p3


def test_what_is_being_tried_is_told_but_where_it_depends_on_speed() -> None:
    for mode, words in (("deterministic=false", "c5"), ("deterministic=true", "")):
        state = told(HISTORY, mode)
        tell(state, "selected", choice=Choice(5, 0, "p0").to_json())
        tell(state, "proposed", program=asdict(Program("p5", "y", 5, 0, ("p0",), changes="c5")), problem="")
        assert chosen(state, 6, 0).under_way == ((5, words),)


RUNS = st.lists(
    st.tuples(
        st.just(0), st.sampled_from([None, 0.1, 0.5, 0.9]), st.sampled_from([0.0, 0.2]),
        st.sampled_from([0.5, 1.5, 3.5]),
    ), max_size=8,
)  # fmt: skip


@given(RUNS, RUNS)
def test_what_counts_later_makes_no_difference(
    before: list[tuple[int, float | None, float, float]], later: list[tuple[int, float | None, float, float]]
) -> None:
    """A prompt that is built after a kill is the prompt that was built before it."""
    state = told(before)
    number = len(before) + 1
    found = chosen(state, number, 0)
    for i, (parent, score, error, size) in enumerate(later, start=number + 1):
        add(state, i, parent, score, error, size)
    assert state.context(number).known == found


def test_operators_have_credit_for_gains() -> None:
    state = told(HISTORY)
    gains, misses = credit(View(state, 9))
    assert (gains["refine"], misses["refine"]) == (1, 3)
    rng = [random_source(0, i, "operator") for i in range(400)]
    drawn = [draw_operator(View(state, 9), ["explore", "refine"], Choice(9, 0, "p0"), r) for r in rng]
    assert 0.6 < drawn.count("explore") / 400 < 0.95  # nothing is known of it: it is tried
    lone = draw_operator(View(state, 9), ["mate", "refine"], Choice(9, 0, "p0"), rng[0])
    assert lone == "refine"  # there is no other program to mate with
