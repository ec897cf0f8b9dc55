"""What the tests that feed in anything at all have in common."""

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

HANG_SECONDS = 60  # for one input, on a machine however busy
shared_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=8), values, max_size=3),
    max_leaves=6,
)


def finite(value: object) -> bool:
    """Whether JSON can hold it."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def refusal(attempt: Callable[[], object], *errors: type[Exception]) -> str | None:
    """The text of one of the project's own errors, or None; nothing else may happen."""
    with no_hang():
        try:
            attempt()
        except errors as error:
            return str(error)
    return None


@contextmanager
def no_hang() -> Iterator[None]:
    """Ends in an error what does not end by itself."""

    def give_up(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"no end within {HANG_SECONDS} s")

    previous = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(HANG_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
