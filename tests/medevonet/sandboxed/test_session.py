"""The candidate's side in this process: loading, checking, counting and swapping of networks."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from medevonet.run.folder import PROJECT
from medevonet.sandboxed.faults import ProgramError
from medevonet.sandboxed.program import Inspection, Program, swap
from medevonet.sandboxed.session import Session, settle
from tests.support import programs

CPU = torch.device("cpu")
CLASS_COUNTS = (2, 4, 7, 14)


@pytest.fixture(autouse=True)
def settled() -> Iterator[None]:
    """As in a candidate; afterwards as PyTorch starts."""
    settle(CPU, 1)
    yield
    torch.set_deterministic_debug_mode("default")


def load(code: str, folder: Path, size: int = 28) -> Program:
    path = folder / "program.py"
    path.write_text(code, encoding="utf-8")
    return Program(path, size, CPU)


def inspected(code: str, folder: Path, size: int = 28) -> Inspection:
    return load(code, folder, size).inspect(CLASS_COUNTS)


def test_the_seed_is_counted_as_it_stands(tmp_path: Path) -> None:
    code = (PROJECT / "seed_program.py").read_text(encoding="utf-8")
    inspection = inspected(code, tmp_path)
    assert inspection.params == 1_701_383
    convolutions = 28 * 28 * 32 * 27 + 14 * 14 * 64 * 288 + 7 * 7 * 128 * 576
    assert inspection.multiply_adds == convolutions + 6272 * 256 + 256 * 7
    assert inspection.head == "classifier.3"
    assert sum(p.numel() for p in load(code, tmp_path).network(14, 0).parameters()) == 1_703_182


def test_fused_attention_is_counted(tmp_path: Path) -> None:
    tokens, width = 49, 32
    projections = tokens * width * (3 * width + width + 2 * 64)
    attention = 2 * tokens * tokens * width
    patches = tokens * width * 3 * 4 * 4
    assert inspected(programs.TRANSFORMER, tmp_path).multiply_adds == (
        projections + attention + patches + width * 7
    )


@pytest.mark.parametrize("outputs", CLASS_COUNTS)
@pytest.mark.parametrize(
    "code",
    [programs.SOUND, programs.LAZY, programs.HEAD_REGISTERED_FIRST, programs.WITHOUT_ARGUMENT],
    ids=["sound", "lazy", "head registered first", "without argument"],
)
def test_the_head_is_swapped_to_any_number_of_outputs(code: str, outputs: int, tmp_path: Path) -> None:
    program = load(code, tmp_path)
    assert program.inspect([outputs]).head == "head"
    network = program.network(outputs, seed=3)
    for training in (True, False):
        assert network.train(training)(torch.zeros(2, 3, 28, 28)).shape == (2, outputs)


def test_create_model_may_require_num_classes_and_nothing_else(tmp_path: Path) -> None:
    required = programs.SOUND.replace("num_classes=7", "num_classes")
    assert inspected(required, tmp_path) == inspected(programs.SOUND, tmp_path)
    with pytest.raises(ProgramError, match=r"found create_model\(num_classes, width\)"):
        load(programs.SOUND.replace("num_classes=7", "num_classes, width"), tmp_path)


def test_a_shared_head_is_swapped_wherever_it_stands() -> None:
    head = nn.Linear(4, 7)
    network = nn.ModuleDict({"a": nn.Sequential(nn.ReLU(), head), "b": head})
    layer = swap(network, head, 2)
    assert network["b"] is layer
    assert network["a"][1] is layer  # type: ignore[index]
    assert (layer.in_features, layer.out_features) == (4, 2)


def test_a_head_keeps_having_or_lacking_a_bias() -> None:
    network = nn.Sequential(nn.Linear(4, 7, bias=False))
    assert swap(network, network[0], 2).bias is None  # type: ignore[arg-type]


def test_equal_seeds_make_equal_networks(tmp_path: Path) -> None:
    program = load(programs.sound(before="import random", init="self.scale = random.random()"), tmp_path)
    first, second, other = (program.network(2, seed) for seed in (1, 1, 2))
    assert all(map(torch.equal, first.state_dict().values(), second.state_dict().values()))
    assert first.scale == second.scale != other.scale
    assert not torch.equal(first.head.weight, other.head.weight)  # type: ignore[union-attr, arg-type]


@pytest.mark.parametrize(
    ("code", "memory_format"),
    [
        (programs.SOUND, torch.channels_last),
        (programs.VIEWED, torch.contiguous_format),
        (programs.STRIDED_POINTWISE, torch.contiguous_format),
    ],
    ids=["sound", "view", "strided pointwise"],
)
def test_channels_are_last_where_the_network_allows_it(
    code: str, memory_format: torch.memory_format, tmp_path: Path
) -> None:
    program = load(code, tmp_path, size=16)
    assert program.inspect(CLASS_COUNTS).memory_format == memory_format
    network = program.network(2, 0)
    assert isinstance(network.conv, nn.Conv2d)
    assert network.conv.weight.is_contiguous(memory_format=memory_format)


@pytest.mark.parametrize("size", [28, 64, 128])
def test_a_size_that_the_network_cannot_take_is_named(size: int, tmp_path: Path) -> None:
    with pytest.raises(
        ProgramError, match=rf"images \(1, 3, {size}, {size}\): RuntimeError: .*mat1"
    ) as error:
        inspected(programs.ONLY_AT_224, tmp_path, size)
    assert error.value.kind == "wrong_shape"
    assert inspected(programs.ONLY_AT_224, tmp_path, 224).head == "head"


def test_heads_are_checked_with_the_class_counts_of_the_task(tmp_path: Path) -> None:
    """With the seven classes that a program is written for, a second head goes unnoticed."""
    program = load(programs.TWO_HEADS, tmp_path)
    program.inspect([7])
    for outputs in (2, 4, 14):
        with pytest.raises(ProgramError, match=f"'late' .* with {outputs} outputs.*tensor") as error:
            program.inspect([7, outputs])
        assert error.value.kind == "wrong_shape"


def test_what_a_program_leaves_behind_is_set_right(tmp_path: Path) -> None:
    load(programs.GLOBAL_STATE, tmp_path)
    settle(CPU, 1)
    assert torch.get_default_dtype() is torch.float32
    assert torch.get_num_threads() == 1
    assert torch.is_grad_enabled()
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.get_float32_matmul_precision() == "highest"


def test_logits_tell_images_apart_that_bf16_would_not() -> None:
    network = nn.Sequential(nn.Linear(1, 3))
    head = swap(network, network[0], 1)  # type: ignore[arg-type]
    nn.init.ones_(head.weight)
    nn.init.constant_(head.bias, 100.0)  # beside which bf16 has no room for what follows
    images = torch.linspace(0, 0.25, 9)[:, None]
    with torch.autocast("cpu", torch.bfloat16):
        logits = network(images)
    assert logits.dtype is torch.float32
    assert len(logits.unique()) == 9
    assert len(logits.bfloat16().unique()) == 1


def test_a_brief_training_sees_fewer_and_smaller_images(tmp_path: Path) -> None:
    images, labels = np.zeros((12, 16, 16), np.uint8), np.arange(12)[:, None] % 2
    np.save(tmp_path / "images.npy", images)
    np.save(tmp_path / "labels.npy", labels)
    (tmp_path / "program.py").write_text(programs.SOUND, encoding="utf-8")
    recipe = {"epochs": 2, "batch_size": 4, "max_lr": 1e-3, "weight_decay": 0.0, "evaluation_batch": 8}
    dataset = {
        "label_kind": "binary", "outputs": 2, "train_labels": str(tmp_path / "labels.npy"),
        "images": dict.fromkeys(("train", "val", "test"), str(tmp_path / "images.npy")),
    }  # fmt: skip
    argument = {"program": str(tmp_path / "program.py"), "size": 16, "threads": 1, "recipe": recipe}
    session = Session(argument | {"dataset": dataset}, CPU)
    session.load([2], "fp32")
    assert session.accepts(8) == ({"accepted": True}, None)
    for fields, count, size in (({}, 12, 16), ({"images": 5, "epochs": 1, "downsampling": 2}, 5, 8)):
        session.start(0, **fields)
        assert session.training.images.shape == (count, size, size)
        assert session.images["val"].shape == (12, size, size)
        _, probabilities = session.epoch()
        assert probabilities is not None
        assert probabilities.shape == (12, 2)
