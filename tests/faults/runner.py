"""A runner to be killed: ``python -m tests.faults.runner FOLDER [KEY=VALUE ...]``.

FAULTS_API_BASE  a server to ask for proposals, in place of the scripted proposer
FAULTS_KILL      "journal N SHARE" or "export N SHARE": SIGKILL within the N-th write to the journal, or to
                 the best program and checkpoints, when that share of it has been written
"""

import itertools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from openevolve.commands.display import display_for_terminal
from openevolve.commands.evolve import exit_code, guard
from openevolve.engine.plan import Plan
from openevolve.engine.run import execute
from openevolve.errors import RunInterrupted
from openevolve.proposing.desk import Proposer
from openevolve.settings.models import Config
from tests.faults.problem import Walk, settings, write_problem

RESUME = "resume: run the same command again"


def main() -> int:
    plan_kill(os.environ.get("FAULTS_KILL", ""))
    return guard(search)


def search() -> int:
    folder, config = Path(sys.argv[1]), settings(*sys.argv[2:])
    initial, evaluator = write_problem(folder)
    try:
        with display_for_terminal() as display:
            result = execute(
                Plan(config, initial, evaluator, folder / "out", proposer=proposer_for(config)), display
            )
    except RunInterrupted as error:
        raise RunInterrupted(f"{error}\n{RESUME}") from None
    print(result.reason)
    if not result.completed:
        print(RESUME)
    return exit_code(result)


def proposer_for(config: Config) -> Proposer:
    if not (api_base := os.environ.get("FAULTS_API_BASE")):
        return Walk()
    from openevolve.llm import build_language_model
    from openevolve.proposing.llm import LLMProposer

    llm = config.llm.model_copy(update={"api_base": api_base})
    return LLMProposer(build_language_model(llm, {}), config.model_copy(update={"llm": llm}))


def plan_kill(plan: str) -> None:
    """Let this process die within one of its own writes, as a kill from outside may hit it."""
    if not plan:
        return
    what, number, share = plan.split()
    writes = itertools.count(1)

    def due(concerned: bool) -> bool:
        return concerned and next(writes) == int(number)

    {"journal": _die_in_a_line, "export": _die_in_an_export}[what](due, float(share))


def _die_in_a_line(due: Callable[[bool], bool], share: float) -> None:
    write = os.write

    def dying(descriptor: int, data: bytes) -> int:
        if due(b',"crc":"' in data):
            write(descriptor, data[: round(share * len(data))])
            die()
        return write(descriptor, data)

    os.write = dying  # type: ignore[assignment]


def _die_in_an_export(due: Callable[[bool], bool], share: float) -> None:
    replace, write_text = os.replace, Path.write_text

    def dying_replace(source: Path, target: Path) -> None:
        if due(_is_export(target)):
            if share > 0.5:
                replace(source, target)
            die()
        replace(source, target)

    def dying_write_text(path: Path, text: str, encoding: str | None = None) -> int:
        if due(_is_export(path)):
            write_text(path, text[: round(share * len(text))], encoding)
            die()
        return write_text(path, text, encoding)

    os.replace = dying_replace  # type: ignore[assignment]
    Path.write_text = dying_write_text  # type: ignore[method-assign, assignment]


def _is_export(path: Path) -> bool:
    return "/best/" in str(path) or "/checkpoints/" in str(path)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
