"""The offline operators on networks: over many generations every child trains at every image size."""

from itertools import pairwise
from random import Random

import pytest
import torch

from medevonet.mutation import crossover
from medevonet.mutation.model import total_cost
from medevonet.mutation.operators import OPERATORS, Operator
from medevonet.mutation.reader import Located, find_networks
from medevonet.mutation.variation import attempt
from medevonet.mutation.writer import write
from openevolve.proposing.offline import Mutation, Source
from tests.support.offline_programs import (
    BRANCHED,
    SEED,
    assert_trains,
    build,
    lineage,
    parameters,
)
from tests.support.plain_programs import SCHEDULE

CHAINS, GENERATIONS = 12, 12


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def lineages() -> list[list[Mutation]]:
    return [lineage(SEED, seed, GENERATIONS) for seed in range(CHAINS)]


@pytest.fixture(scope="module")
def ends(lineages: list[list[Mutation]]) -> list[str]:
    return [chain[-1].code for chain in lineages]


def whole_network(code: str) -> tuple[Source, Located]:
    source = Source.parse(code, max_length=20_000)
    (located,) = find_networks(source)
    assert located.network.complete
    return source, located


def test_every_child_of_every_lineage_trains(lineages: list[list[Mutation]]) -> None:
    for chain in lineages:
        for child in chain:
            assert_trains(child.code)
            assert 1e3 <= parameters(build(child.code)) <= 2e7


@pytest.mark.parametrize("size", [64, 128, 224])
def test_networks_take_every_image_size(ends: list[str], size: int) -> None:
    with torch.no_grad():
        for code in ends:
            assert build(code).eval()(torch.randn(1, 3, size, size)).shape == (1, 7)


def test_counted_parameters_are_pytorchs(lineages: list[list[Mutation]]) -> None:
    for code in (SEED, *(child.code for chain in lineages for child in chain[::3])):
        network = whole_network(code)[1].network
        counted = total_cost(network.layers, network.shape_at(28)).parameters
        assert counted == parameters(build(code, num_classes=10))


def test_lineages_reach_small_networks_of_modern_blocks(ends: list[str]) -> None:
    assert min(parameters(build(code)) for code in ends) < 120_000
    for text in ("groups=", "Residual(", "SqueezeExcitation(", "AdaptiveAvgPool2d(1)"):
        assert any(text in code for code in ends)


def test_a_mutation_is_described(lineages: list[list[Mutation]]) -> None:
    for child in (child for chain in lineages for child in chain):
        assert 1 <= len(child.operators) <= 3
        assert {operator.name for operator in OPERATORS} >= set(child.operators)
        assert len(child.summary.split("; ")) == len(child.operators)


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.name)
def test_each_operator_applies_and_its_child_trains(
    lineages: list[list[Mutation]], operator: Operator
) -> None:
    for seed, code in enumerate([SEED, *(child.code for chain in lineages for child in chain[::-3])]):
        source, located = whole_network(code)
        edit = attempt(operator, source, located, Random(seed))
        if edit:
            assert_trains(write(source, located, edit.network))
            return
    pytest.fail(f"{operator.name} applied to no network")


@pytest.mark.parametrize("name", ["squeeze_excitation", "residual"])
def test_adding_and_removing_a_block_gives_the_program_back(name: str) -> None:
    add, remove = (next(o for o in OPERATORS if o.name == f"{verb}_{name}") for verb in ("add", "remove"))
    with_block = applied(add, SEED)
    assert with_block.count("class ") == SEED.count("class ") + 1
    assert applied(remove, with_block) == SEED


def applied(operator: Operator, code: str) -> str:
    source, located = whole_network(code)
    edit = operator.apply(located.network, Random(1))
    return write(source, located, edit.network)


def test_text_around_the_layers_survives() -> None:
    step = "return self.classifier(self.features(x))"
    code = SEED.replace(step, f"{step}  # (B, classes)") + "\n\nSCALE = 1.50  # as written\n"
    before, after = code.split("class Network")[0], code.split("        )\n\n")[1]
    for child in lineage(code, seed=3, generations=6):
        assert child.code.startswith(before)
        assert child.code.endswith(after)


@pytest.mark.parametrize("peek", ["model.features[0].weight", "[*model.features]"])
def test_layers_that_other_code_looks_into_keep_their_places(peek: str) -> None:
    code = f"{SEED}\n\ndef peek(model):\n    return {peek}\n"
    for seed in range(6):
        child = lineage(code, seed, generations=1)[0].code
        assert_trains(child)
        old, new = (list(build(text).get_submodule("features").children()) for text in (code, child))
        assert [getattr(layer, "out_channels", 0) for layer in old] == [
            getattr(layer, "out_channels", 0) for layer in new
        ]


def test_crossing_networks_gives_networks_that_train(ends: list[str]) -> None:
    children = [crossover(first, second, Random(1)) for first, second in pairwise(ends)]
    born = [child for child in children if child]
    assert len(born) > len(children) / 2
    for child in born:
        assert child.operators == ("crossover",)
        assert child.code not in ends
        assert_trains(child.code)
    assert children == [crossover(first, second, Random(1)) for first, second in pairwise(ends)]


@pytest.mark.parametrize("pair", [(SEED, BRANCHED), (SCHEDULE, SEED), (SEED, "def")])
def test_only_networks_that_are_understood_are_crossed(pair: tuple[str, str]) -> None:
    assert crossover(*pair, Random(0)) is None
