"""The core of every kind of worker: carry out an order on a local executor, and say what became of it."""

import platform
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openevolve.errors import RunInterrupted, UserError
from openevolve.evaluating.executor import Look, Site
from openevolve.evaluating.isolation import Walls
from openevolve.evaluating.local import LocalExecutor
from openevolve.evaluating.remote.messages import VERSION, Found, Order, Protocol, Result, RungFound, Verdict
from openevolve.evaluating.remote.messages import digest_of as digest_of
from openevolve.evaluating.remote.sources import code_identity
from openevolve.evaluation_result import EvaluationFailed
from openevolve.records.program import Outcome, Rung
from openevolve.settings.files import check
from openevolve.settings.models import EvaluatorConfig

Ask = Callable[[RungFound], Awaitable[Verdict]]

_OWN = ("parallel_evaluations", "devices")  # settings that are each worker's own


@dataclass(frozen=True)
class Machine:
    """What a worker offers."""

    slots: int = 1
    devices: tuple[str, ...] = ()
    patience: float = 300.0  # seconds to wait for a driver that has not come yet, or is gone
    allow_unsafe: bool = False


def protocol_of(site: Site) -> Protocol:
    """How this run measures, for workers elsewhere."""
    return Protocol(
        engine=_engine(),
        sources=code_identity(site.evaluator),
        evaluator=str(site.evaluator.resolve()),
        file_suffix=site.file_suffix,
        settings=site.config.model_dump(mode="json", exclude=set(_OWN)),
        environment=dict(site.environment),
        walls=site.walls.to_json() if site.walls else None,
        command=site.worker,
        prepare=site.prepare,
    )


def check_protocol(protocol: Protocol) -> None:
    """Raises UserError where this machine would measure otherwise than the driver expects."""
    if protocol.version != VERSION:
        raise UserError(
            f"expected version {VERSION} of what driver and workers say, found {protocol.version}; "
            "install the driver's version here"
        )
    evaluator = Path(protocol.evaluator)
    if not evaluator.is_file():
        raise UserError(
            f"{evaluator}: expected the run's evaluator, found no file; have the project at the same "
            "path as on the driver's machine (a shared folder, a bind mount)"
        )
    own = code_identity(evaluator) | {"engine": _engine()}
    theirs = {**protocol.sources, "engine": protocol.engine}
    for name in sorted({*own, *theirs}):
        if own.get(name) != theirs.get(name):
            raise UserError(
                f"{name}: expected the driver's version, {theirs.get(name, 'none')}, found "
                f"{own.get(name, 'none')} here; have the same code and libraries on both machines"
            )


def local_executor(protocol: Protocol, slots: int, devices: list[str]) -> LocalExecutor:
    """What measures by a protocol on this machine. Raises UserError."""
    own = {"parallel_evaluations": slots, "devices": devices}
    return LocalExecutor(
        check(EvaluatorConfig, {**protocol.settings, **own}, "evaluator"),
        Path(protocol.evaluator),
        file_suffix=protocol.file_suffix,
        environment=protocol.environment,
        walls=Walls.from_json(protocol.walls) if protocol.walls is not None else None,
    )


async def carry_out(executor: LocalExecutor, order: Order, ask: Ask, worker: str) -> Result:
    """Measure. Cancelling ends the evaluation."""
    program = order.measured()

    async def decide(rung: Rung) -> bool:
        verdict = await ask(
            RungFound(number=rung.number, metrics=rung.metrics, artifacts=dict(rung.artifacts))
        )
        if verdict.failure is not None:
            raise EvaluationFailed(verdict.failure, verdict.message)
        return verdict.promoted

    found: dict[str, Any]
    try:
        if order.kind == "offer":
            found = {"units": [unit.to_json() for unit in await executor.offered(program)]}
        elif order.kind == "look":
            outcome = await executor.look(program, Look(order.unit, order.repeat))
            found = {"found": _found(outcome)}
        else:
            outcome = await executor.evaluate(program, decide if order.kind == "rungs" else None)
            found = {"found": _found(outcome)}
    except RunInterrupted as error:
        found = {"interrupted": str(error)}
    except UserError as error:
        found = {"refused": str(error)}
    code = digest_of(program.code)
    return Result(
        order=order.id, protocol=order.protocol, program=code, worker=worker, host=platform.node(), **found
    )


def verdict_of(decide: Callable[[Rung], Any], rung: Rung) -> Verdict:
    """What the driver answers."""
    try:
        return Verdict(promoted=bool(decide(rung)))
    except EvaluationFailed as failure:
        return Verdict(promoted=False, failure=failure.kind, message=str(failure))


def _found(outcome: Outcome) -> Found:
    values = outcome.to_json()
    del values["program_id"]
    return Found.model_validate(values)


def _engine() -> str:
    from importlib.metadata import version

    return version("openevolve-medevonet")
