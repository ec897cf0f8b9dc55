"""What a pass through a network does beside its computation on the device, as far as that can be seen.

Runs beside untrusted code; needs PyTorch and NumPy alone. It finds what programs do in good faith; what one
hides from it harms its own score alone.
"""

import pickle
import random
import sys
import types
import warnings
from collections import deque
from collections.abc import Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch._ops import OpOverload

from medevonet.sandboxed.dispatch import observed
from medevonet.sandboxed.faults import PROGRAM_MODULE

_WAITING = "called a synchronizing CUDA operation"


@dataclass
class Trace:
    """What was dispatched to the device, and what stands against repeating it without Python."""

    operations: list[str] = field(default_factory=list)
    obstacle: str = ""

    def add(self, function: OpOverload, args: Sequence[Any], kwargs: Mapping[str, Any], output: Any) -> None:
        numbers = [arg for arg in args if isinstance(arg, (bool, int, float))]
        self.operations.append(f"{function} {numbers}")
        if function is torch.ops.aten._local_scalar_dense.default:  # item(), bool(), ...
            self.obstacle = "a number is read back from the device"


@contextmanager
def watched(network: nn.Module) -> Iterator[Trace]:
    """Watch one pass through a network, forward and backward."""
    before = state_of(network) | _generators()
    trace = Trace()
    with _warnings_of_waiting() as waits, observed(trace.add):
        yield trace
    changed = changes(before, state_of(network) | _generators())
    if waits:
        trace.obstacle = f"the device is waited for: {waits[0].message}"
    elif changed:
        trace.obstacle = f"it changes {changed[0]}"


@contextmanager
def _warnings_of_waiting() -> Iterator[list[warnings.WarningMessage]]:
    """What CUDA says of calls that wait for the device."""
    if not torch.cuda.is_initialized():
        yield []
        return
    mode = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        waits: list[warnings.WarningMessage] = []
        try:
            yield waits
        finally:
            torch.cuda.set_sync_debug_mode(mode)
            waits += [each for each in caught if _WAITING in str(each.message)]


def _generators() -> dict[str, object]:
    """The random generators of the host: what they give is not drawn again by a graph."""
    return {
        "Python's random generator": random.getstate(),
        "NumPy's random generator": pickle.dumps(np.random.get_state()),
        "the CPU's random generator": torch.get_rng_state().numpy().tobytes(),
    }


def state_of(network: nn.Module) -> dict[str, object]:
    """What a program can count or remember in Python: attributes of modules and classes, and globals."""
    device = next((parameter.device for parameter in network.parameters()), None)
    state: dict[str, object] = {}
    for name, module in network.named_modules():
        for key, value in vars(module).items():
            state[f"{name}.{key}".lstrip(".")] = _fingerprint(value, device)
    for owner in _of_the_program(network):
        for key, value in list(vars(owner).items()):
            state[f"{owner.__name__}.{key}"] = _fingerprint(value, device)
    return state


def _of_the_program(network: nn.Module) -> list[types.ModuleType | type]:
    """The modules and classes of networks that are not PyTorch's own."""
    classes = {kind for module in network.modules() for kind in type(module).__mro__}
    own = sorted(
        (kind for kind in classes if not kind.__module__.startswith(("torch.", "builtins"))),
        key=lambda kind: kind.__qualname__,
    )
    names = dict.fromkeys((PROGRAM_MODULE, *(kind.__module__ for kind in own)))
    return [*(sys.modules[name] for name in names if name in sys.modules), *own]


def changes(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    return [name for name in after if name not in before or after[name] != before[name]]


def _fingerprint(value: object, device: torch.device | None, depth: int = 4) -> object:
    """Equal for values that are the same as before, as far as a look from outside tells.

    What is done in place to tensors on the device is repeated by a graph.
    """
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
        return value
    if isinstance(value, Tensor):
        return id(value) if value.device == device else (id(value), value._version)
    if depth and isinstance(value, dict):
        return {key: _fingerprint(each, device, depth - 1) for key, each in value.items()}
    if depth and isinstance(value, (list, tuple, deque)):
        return [_fingerprint(each, device, depth - 1) for each in value]
    if isinstance(value, Sized) and not isinstance(value, nn.Module):
        return id(value), len(value)
    return id(value)
