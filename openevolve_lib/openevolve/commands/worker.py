"""Measure programs for a run with ``executor=workers``, on this machine, until the run ends.

openevolve worker runs/bins
openevolve worker runs/bins --slots 2 --devices 0,1

RUN is the run's folder, or the folder that strategies.workers.folder names. It may be started before the run.
"""

import argparse
import asyncio
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from openevolve.commands.evolve import guard
from openevolve.commands.exits import EXIT_COMPLETED
from openevolve.errors import UserError
from openevolve.evaluating.channel import Unusable
from openevolve.evaluating.isolation import establish
from openevolve.evaluating.remote.carrying import Machine, check_protocol, local_executor
from openevolve.evaluating.remote.folder import SharedFolder
from openevolve.evaluating.remote.messages import DriverBeat, Protocol
from openevolve.evaluating.remote.worker import Worker

COMMAND = "openevolve worker"

Prepare = Callable[[Protocol, Machine], None]  # raises UserError where this machine must not measure


def main(
    arguments: Sequence[str],
    command: str = COMMAND,
    prepare: Prepare | None = None,
    what: str | None = __doc__,
) -> int:
    options = parser(command, what).parse_args(arguments)
    devices = tuple(filter(None, (options.devices or "").split(",")))
    machine = Machine(options.slots or len(devices) or 1, devices, options.patience, options.allow_unsafe)
    return guard(lambda: work(options.run, machine, command, prepare or within_walls))


def parser(command: str = COMMAND, what: str | None = __doc__) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=command, description=what, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="the run's folder, or its shared one")
    parser.add_argument("--slots", type=int, metavar="N", help="programs at once (1, or one a device)")
    parser.add_argument("--devices", metavar="A,B", help="CUDA_VISIBLE_DEVICES of slots, taken in turn")
    parser.add_argument(
        "--patience", type=float, default=Machine.patience, metavar="S", help="seconds without a driver (300)"
    )
    parser.add_argument(
        "--allow-unsafe", action="store_true", help="also work for a run whose programs have no walls"
    )
    return parser


def work(run: Path, machine: Machine, command: str, prepare: Prepare) -> int:
    """Work for a run until it ends. Raises UserError where this machine must not, or cannot."""
    if machine.slots < 1:
        raise UserError(f"--slots: expected 1 or more, found {machine.slots}")
    while True:
        folder, protocol = _protocol(run, machine.patience)
        met = not _is_closed(folder)
        if protocol.command != command:
            raise UserError(f"{run}: expected a run for {command}, found one for: {protocol.command} {run}")
        check_protocol(protocol)
        prepare(protocol, machine)
        why, done = asyncio.run(_session(folder, protocol, machine, met))
        print(f"worker: {why}; {done} measurements done", flush=True)
        if why != "another protocol":
            return EXIT_COMPLETED


def within_walls(protocol: Protocol, machine: Machine) -> None:
    """Try the walls out, where this worker would put programs within them."""
    level = protocol.settings.get("isolation")
    if level != "strict" and not machine.allow_unsafe:
        raise UserError(
            f"evaluator.isolation: expected strict, found a run at {level}: its programs could do here "
            "whatever you can; if you want that, say --allow-unsafe"
        )
    found = establish("strict" if level == "strict" else "process", processes=True)
    print(f"isolation: {found.line}", flush=True)


async def _session(folder: SharedFolder, protocol: Protocol, machine: Machine, met: bool) -> tuple[str, int]:
    executor = local_executor(protocol, machine.slots, list(machine.devices))
    worker = Worker(folder, protocol.digest(), executor, machine.patience, met)
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(worker.run())

    def interrupted() -> None:
        print("worker: finishing what runs; Ctrl-C again gives it back", flush=True)
        loop.add_signal_handler(signal.SIGINT, task.cancel)
        worker.stop("interrupted")

    loop.add_signal_handler(signal.SIGINT, interrupted)
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    print(f"worker: {worker.name}, {machine.slots} slots, {folder.root}", flush=True)
    try:
        return await task, worker.done
    except asyncio.CancelledError:
        return "ended by a signal, what ran is given back", worker.done
    finally:
        executor.close()


def _protocol(run: Path, patience: float) -> tuple[SharedFolder, Protocol]:
    """Of the run, once a driver has begun. Raises UserError where none comes."""
    places = (run, run / "workers", run / "openevolve" / "workers")
    deadline, told = time.monotonic() + patience, False
    while True:
        for place in map(SharedFolder, places):
            if (text := place.read("", "protocol.json")) is not None:
                _check_owner(place.root)
                try:
                    return place, Protocol.read(text)
                except Unusable as error:
                    raise UserError(f"{place.root}/protocol.json: {error}") from None
        if time.monotonic() > deadline:
            raise UserError(
                f"{run}: expected a run with executor=workers, found none within {patience:g} s; "
                "start it with: --set executor=workers"
            )
        if not told:
            told = True
            print(f"worker: waiting for a driver at {run}", flush=True)
        time.sleep(0.5)


def _is_closed(folder: SharedFolder) -> bool:
    """Whether the latest session of the run has ended in good order."""
    try:
        return DriverBeat.read(folder.read("", "driver.json") or b"").closed
    except Unusable:
        return False


def _check_owner(folder: Path) -> None:
    """Who can write here can have this user's machines run what they like."""
    if folder.stat().st_mode & 0o002:
        raise UserError(f"{folder}: expected a folder that not everybody can write to; chmod o-w it")
