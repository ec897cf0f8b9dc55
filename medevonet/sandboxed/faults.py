"""What a program can do wrong in the candidate process, and how that is told.

Runs beside untrusted code; needs PyTorch alone.
"""

import errno
import re
import socket
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import torch
from torch import Tensor

PROGRAM_MODULE = "program"  # the name under which a program is imported

_REFUSED_WORDS = re.compile("Permission denied|Operation not permitted|File too large")
# EXDEV is Landlock's answer to moving or linking between folders, EFBIG that to a file beyond its limit,
# ECONNREFUSED that of walls with a GPU to whoever connects.
_REFUSALS = (errno.EPERM, errno.EACCES, errno.EXDEV, errno.EFBIG, errno.ECONNREFUSED)
# What PyTorch and Python say where sizes do not fit: such an error is a matter of shapes, others are crashes.
_SHAPE_WORDS = re.compile(r"shape|size|dimension|channel|elements|unpack|mat1", re.IGNORECASE)


class ProgramError(Exception):
    """The program is at fault; ``kind`` is one of the engine's failure kinds."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@contextmanager
def blame(situation: str, kind: str | None = None) -> Iterator[None]:
    """Turn an exception of the program's code into a ProgramError that says what was being done.

    ``kind`` overrides what the exception is taken for, but never a lack of memory or a refusal.
    """
    try:
        yield
    except ProgramError as error:
        raise ProgramError(error.kind, f"{situation}: {error}") from error
    except Exception as error:
        with suppress(Exception):  # it may have closed, filled or replaced its streams
            sys.stdout.flush()
        with suppress(Exception):
            _print_traceback(error)  # into the candidate's output, whose tail goes with the failure
        found = _kind_of(error)
        text = "".join(traceback.format_exception_only(error)).strip()
        if kind is not None and found not in ("out_of_memory", "forbidden"):
            found = kind
        raise ProgramError(found, f"{situation}: {text}") from error


def _print_traceback(error: Exception) -> None:
    """From the program's own first line on: what called it is not its business, nor its author's."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__name__") != PROGRAM_MODULE:
        trace = trace.tb_next
    if trace is None and not isinstance(error, SyntaxError):
        trace = error.__traceback__
    traceback.print_exception(error.with_traceback(trace))


def _kind_of(error: Exception) -> str:
    text = str(error)
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "can't allocate memory" in text:
        return "out_of_memory"
    if _was_refused(error):
        return "forbidden"
    if isinstance(error, ImportError):
        return "import_error"
    if isinstance(error, (RuntimeError, ValueError, IndexError)) and _SHAPE_WORDS.search(text):
        return "wrong_shape"
    return "crashed"


def _was_refused(error: BaseException) -> bool:
    """Whether walls or limits stand behind the error: itself, or one that it was raised in answer to."""
    seen: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in seen:
        if isinstance(link, OSError) and link.errno in _REFUSALS:
            return True
        if isinstance(link, socket.gaierror):  # a name that is looked up without a network is "not known"
            return True
        if isinstance(link, RuntimeError) and _REFUSED_WORDS.search(str(link)):  # out of PyTorch's C++
            return True
        seen.append(link)
        link = link.__cause__ or link.__context__
    return False


def check_logits(output: object, shape: tuple[int, int]) -> Tensor:
    """``output`` if it is a floating-point tensor of that shape. Raises ProgramError."""
    if isinstance(output, Tensor) and output.shape == shape and output.is_floating_point():
        return output
    found = f"a {type(output).__name__}"
    if isinstance(output, Tensor):
        found = f"a tensor of shape {tuple(output.shape)} and type {output.dtype}"
    elif isinstance(output, (tuple, list)):
        found += f" of {len(output)}"
    raise ProgramError("wrong_shape", f"expected logits as one float tensor of shape {shape}, found {found}")


def check_finite(logits: Tensor) -> None:
    """Raises ProgramError where a network diverges before any training."""
    if not torch.isfinite(logits).all():
        raise ProgramError(
            "diverged", "expected finite logits before any training, found NaN or infinity in them"
        )
