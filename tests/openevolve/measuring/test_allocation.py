"""What is measured next, and who wins the final."""

from collections import Counter

import numpy as np

from openevolve.measuring.allocation import Adaptive, Full, Propose
from openevolve.measuring.situation import Situation
from openevolve.population.estimates import Estimates
from openevolve.records.measurement import Measure, Measurement, Unit
from openevolve.search.final import Halving, begin

UNITS = (Unit("cheap", "cheap", cost=1.0, repeats=2), Unit("dear", "dear", cost=9.0))


def test_in_full_every_program_gets_the_whole_protocol_once() -> None:
    estimates, waiting = Estimates(UNITS), ["p0"]
    done = []
    rng = np.random.default_rng(0)
    while isinstance(action := Full().next(Situation(estimates, waiting), rng), Measure):
        waiting = []
        repeat = estimates.count(action.program_id, action.unit)
        estimates.add(Measurement(action.program_id, action.unit, repeat, 0.5))
        done.append(action.unit)
    assert done == ["cheap", "cheap", "dear"]
    assert action == Propose()


def test_further_looks_go_where_they_decide_something() -> None:
    """The clearly worse program is not looked at again, and a share of the cost goes to the better ones."""
    rng = np.random.default_rng(1)
    estimates = Estimates((Unit("whole", "whole"),))
    truth = {f"p{n}": (1.0 if n < 3 else -5.0) for n in range(12)}
    for name, value in truth.items():
        for repeat in range(2):
            estimates.add(Measurement(name, "whole", repeat, value + rng.normal(0, 0.3)))
    policy = Adaptive(learned_from=5)
    again = [policy.next(Situation(estimates, spent=100.0, further=0.0), rng) for _ in range(50)]
    assert all(isinstance(action, Measure) and truth[action.program_id] > 0 for action in again)
    assert policy.next(Situation(estimates, spent=100.0, further=50.0), rng) == Propose()


def test_the_final_is_decided_by_fresh_measurements_alone() -> None:
    rng = np.random.default_rng(2)
    estimates = Estimates((Unit("whole", "whole"),))
    truth = {f"p{n}": n / 10 for n in range(8)}
    for name, value in truth.items():
        for repeat in range(2):
            lucky = 2.0 if name == "p0" else 0.0
            estimates.add(Measurement(name, "whole", repeat, value + lucky + rng.normal(0, 0.2)))
    final = begin(estimates, budget=64)
    assert final.candidates[0] == "p0"
    measured: list[Measurement] = []
    while todo := Halving(final, estimates.units, measured).todo():
        for each in todo:
            repeat = sum(m.program_id == each.program_id for m in measured)
            value = truth[each.program_id] + rng.normal(0, 0.02)
            measured.append(Measurement(each.program_id, each.unit, repeat, value, final=True))
    standings = Halving(final, estimates.units, measured).standings()
    assert standings[0].program_id == "p7"
    assert abs(standings[0].score - 0.7) < 0.05
    assert len(measured) <= 64
    taken = sorted(Counter(m.program_id for m in measured).values())
    assert len(taken) == len(final.candidates)
    assert taken[-1] > taken[-3]  # two in the last round, whatever it finds of them
    assert Halving(final, estimates.units, measured[::-1]).standings() == standings
