"""The candidate's side in this process: loading, checking, counting and swapping of networks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from medevonet.run.folder import PROJECT
from medevonet.sandboxed.counting import multiply_adds
from medevonet.sandboxed.faults import ProgramError
from medevonet.sandboxed.global_state import settle
from medevonet.sandboxed.program import Inspection, Program, swap
from medevonet.sandboxed.session import Session
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


# Layers beside the head (8 to C outputs), what comes to it, and multiply-adds of one image of 28 pixels:
# 28 steps of 84 numbers.
PRODUCTS = {
    "LSTM": ("nn.LSTM(84, 8, batch_first=True)", "self.layer(rows)[0][:, -1]", 28 * 4 * 8 * (84 + 8)),
    "GRU in both directions": (
        "nn.GRU(84, 4, batch_first=True, bidirectional=True)", "self.layer(rows)[0][:, -1]",
        28 * 2 * 3 * 4 * (84 + 4),
    ),
    "RNN of two layers": (
        "nn.RNN(84, 8, num_layers=2, batch_first=True)", "self.layer(rows)[0][:, -1]",
        28 * 8 * (84 + 8 + 8 + 8),
    ),
    "Bilinear": ("nn.Bilinear(84, 84, 8)", "self.layer(rows[:, 0], rows[:, 1])", 8 * 84 * 84),
    "matrix by vector": ("nn.Identity()", "(rows[:, :8] @ rows[0, 0])", 8 * 84),
    "sum of matrix products": (
        "nn.Identity()", "torch.addbmm(torch.zeros(8, 8), rows[:, :8], rows[:, :8].mT)[:1]", 8 * 84 * 8
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PRODUCTS)
def test_recurrent_layers_and_all_matrix_products_are_counted(name: str) -> None:
    layer, features, products = PRODUCTS[name]
    scope: dict[str, Any] = {}
    init = f"self.layer = {layer}\nself.head = nn.Linear(8, C)"
    exec(programs.network(init, f"rows = x.transpose(1, 2).flatten(2)\nreturn self.head({features})"), scope)
    network, image = scope["create_model"](), torch.randn(1, 3, 28, 28)
    assert multiply_adds(network, image) == products + 8 * 7
    with torch.backends.mkldnn.flags(enabled=False):  # as on a GPU: without the CPU's fused layers
        assert multiply_adds(network, image) == products + 8 * 7
    assert torch.backends.mkldnn.enabled


SPECIAL_HEADS = {
    "a subclass": ("class Cosine(nn.Linear): pass", "Cosine(32, C)", "found a Cosine"),
    "weight norm": ("", "nn.utils.parametrizations.weight_norm(nn.Linear(32, C))", "found a Parametrized"),
    "old weight norm": ("", "nn.utils.weight_norm(nn.Linear(32, C))", "found one with hooks"),
    "a forward of its own": (
        "", "nn.Linear(32, C)\nself.head.forward = lambda x: x @ self.head.weight.T",
        "found one with a forward of its own",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SPECIAL_HEADS)
@pytest.mark.filterwarnings("ignore:.*weight_norm.*is deprecated")
def test_a_head_that_does_more_than_a_product_is_refused_by_name(name: str, tmp_path: Path) -> None:
    before, head, words = SPECIAL_HEADS[name]
    with pytest.raises(ProgramError, match=f"'head', to be a plain one, {words}") as error:
        inspected(programs.sound(before, f"self.head = {head}"), tmp_path)
    assert error.value.kind == "wrong_shape"


def test_the_projection_of_attention_may_be_the_head(tmp_path: Path) -> None:
    code = programs.network(
        "self.rows = nn.MultiheadAttention(84, 2, batch_first=True)\nself.head = nn.Linear(84, C)",
        "rows = x.transpose(1, 2).flatten(2)\nreturn self.head(self.rows(rows, rows, rows)[0].mean(1))",
    )
    assert inspected(code, tmp_path).head == "head"


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


def test_precisions_of_every_backend_are_set_right() -> None:
    backends: Any = torch.backends
    parts = [backends, backends.cuda.matmul]
    for library in (backends.cudnn, backends.mkldnn):
        parts += [library, library.conv, library.rnn]
    for part in [*parts, backends.mkldnn.matmul]:
        part.fp32_precision = "tf32"
    backends.mkldnn.matmul.fp32_precision = backends.mkldnn.conv.fp32_precision = "bf16"
    backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    backends.cudnn.enabled = backends.mkldnn.enabled = False
    backends.cuda.enable_math_sdp(False)
    torch.set_autocast_dtype("cpu", torch.float16)
    torch.set_flush_denormal(True)
    settle(CPU, 1)
    assert {part.fp32_precision for part in [*parts, backends.mkldnn.matmul]} == {"ieee"}
    assert not backends.cudnn.allow_tf32
    assert not backends.cuda.matmul.allow_tf32
    assert backends.cuda.matmul.allow_bf16_reduced_precision_reduction
    assert backends.cudnn.enabled
    assert backends.mkldnn.enabled
    assert backends.cuda.math_sdp_enabled()
    assert torch.get_autocast_dtype("cpu") is torch.bfloat16
    assert torch.tensor(1e-42) * 1 > 0


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
