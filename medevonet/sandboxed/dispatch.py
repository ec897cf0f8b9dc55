"""Every operation that PyTorch dispatches, shown to an observer."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

# The operation, its positional and its named arguments, and its output.
Observe = Callable[[OpOverload, Sequence[Any], Mapping[str, Any], Any], None]


class _Dispatch:
    """Not itself a dispatch mode: PyTorch wraps the method of one, with the help of its compiler,
    whose import takes 5 s of CPU time."""

    def __init__(self, observe: Observe) -> None:
        super().__init__()
        self._observe = observe

    def __torch_dispatch__(
        self,
        function: OpOverload,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        output = function(*args, **(kwargs or {}))
        self._observe(function, args, kwargs or {}, output)
        return output


class _Mode(_Dispatch, TorchDispatchMode):
    pass


@contextmanager
def observed(observe: Observe) -> Iterator[None]:
    """Call ``observe`` after each operation within."""
    with _Mode(observe):
        yield
