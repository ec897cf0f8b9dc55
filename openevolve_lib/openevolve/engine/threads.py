"""Calling what has an event loop of its own from where one may be running, such as a notebook."""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def without_loop(work: Callable[[], T], interrupted: Callable[[], object]) -> T:
    """The result of ``work``, done in a thread of its own where this one has an event loop that is running.

    Ctrl-C is not heard in such a thread: ``interrupted`` is called, and is to bring the work to an end, which
    is waited for. Raises what ``work`` raises.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return work()
    found: list[T] = []
    failed: list[BaseException] = []
    done = threading.Event()  # a join that is interrupted takes the thread for ended

    def run() -> None:
        try:
            found.append(context.run(work))
        except BaseException as error:
            failed.append(error)
        finally:
            done.set()

    context = contextvars.copy_context()  # a notebook knows by it which cell a printed line belongs to
    threading.Thread(target=run).start()
    while not done.is_set():
        try:
            done.wait()
        except KeyboardInterrupt:
            interrupted()
    if failed:
        raise failed[0]
    return found[0]
