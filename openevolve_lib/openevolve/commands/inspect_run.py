"""Look at a run, whether it is running, finished or was killed.

RUN is a folder, a journal, or the beginning of the name of a run in runs/ (runs/mnist/latest).
ID is an iteration or the beginning of a program's id. Nothing of a test split is shown.

openevolve leaderboard
openevolve show 14 runs/mnist/latest
"""

import argparse
import gc
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openevolve.commands.exits import EXIT_COMPLETED, EXIT_INTERRUPTED, EXIT_USER_ERROR
from openevolve.errors import UserError
from openevolve.inspect import comparing, database, decisions, ideas, questions, single, tables, texts, tuning
from openevolve.inspect.clean import clean
from openevolve.inspect.reading import RUNS, Run, all_runs, find_journal, read_run
from openevolve.inspect.tailing import last_log, tail
from openevolve.records.request import Wish

Options = argparse.Namespace


@dataclass(frozen=True)
class Verb:
    """A question: how it is asked, answered as JSON values and written as text."""

    help: str
    answer: Callable[[Run, Options], Any]
    text: Callable[[Any], str]
    arguments: tuple[tuple[str, dict[str, Any]], ...] = ()


_ID = ("id", {"metavar": "ID"})
_TOP = ("--top", {"type": int, "default": 20, "metavar": "N", "help": "so many programs (20)"})
_BY = ("--by", {"metavar": "METRIC", "help": "best in this metric; --by=-METRIC: less is better"})

_LINES: tuple[str, dict[str, Any]] = (
    "--lines",
    {"type": int, "default": 20, "metavar": "N", "help": "so many (20)"},
)

VERBS: dict[str, Verb] = {
    "status": Verb("progress, best, failures, spend", lambda run, _: questions.status(run), tables.status),
    "leaderboard": Verb(
        "the best programs",
        lambda run, options: questions.leaderboard(run, options.by, options.top),
        tables.ranking,
        (_BY, _TOP),
    ),
    "show": Verb(
        "all of one program: code, why it was made, conversation, measurements, failure",
        lambda run, options: single.show(run, options.id),
        texts.program,
        (_ID,),
    ),
    "diff": Verb(
        "how a program differs from its parent, or from another one",
        lambda run, options: single.diff(run, options.id, options.other),
        lambda answer: clean(answer["diff"]) or "no difference",
        (_ID, ("--to", {"metavar": "ID", "dest": "other", "help": "the later program"})),
    ),
    "lineage": Verb(
        "the way from the initial program, step by step",
        lambda run, options: single.lineage(run, options.id),
        texts.lineage,
        (_ID,),
    ),
    "compare": Verb(
        "two programs: difference, error, p-value, part by part",
        lambda run, options: comparing.compare(run, options.id, options.other),
        texts.comparison,
        (_ID, ("other", {"metavar": "ID"})),
    ),
    "compare-runs": Verb(
        "the best of two runs: difference, error, p-value, settings that differ",
        lambda run, options: comparing.compare_runs(run, read_run(options.other)),
        texts.comparison,
        (("other", {"metavar": "OTHER_RUN"}),),
    ),
    "context": Verb(
        "what a proposal was made from: the programs that were drawn, the prompt",
        lambda run, options: single.context(run, options.id),
        texts.context,
        (_ID,),
    ),
    "pareto": Verb(
        "programs that none beats in both of two metrics",
        lambda run, options: questions.pareto(run, options.first, options.second),
        tables.ranking,
        (("--first", {"metavar": "METRIC"}), ("--second", {"metavar": "METRIC", "help": "-METRIC: less"})),
    ),
    "cells": Verb("what lives where in the archive", lambda run, _: questions.cells(run), tables.cells),
    "decisions": Verb(
        "what was drawn, refused, judged, kept or set aside, and why",
        lambda run, options: decisions.decisions(run, options.of, options.last),
        tables.decisions,
        (
            ("--of", {"metavar": "ID", "help": "of one program"}),
            ("--last", {"type": int, "metavar": "N", "help": "of the latest N iterations"}),
        ),
    ),
    "failures": Verb("by kind, an example each", lambda run, _: questions.failures(run), tables.failures),
    "operators": Verb(
        "who proposed, with what success and at what cost",
        lambda run, _: questions.operators(run),
        tables.operators,
    ),
    "cost": Verb("tokens, dollars and seconds", lambda run, _: questions.cost(run), tables.cost),
    "search": Verb(
        "programs whose code, reply, message or output holds a text",
        lambda run, options: questions.search(run, options.words),
        tables.matches,
        (("words", {"metavar": "TEXT"}),),
    ),
    "ideas": Verb(
        "what is to be tried, by whom it was thought of", lambda run, _: ideas.ideas(run), ideas.as_text
    ),
    "idea": Verb(
        "give the run an idea: it is tried next where search.parents takes ideas (evolyth)",
        lambda run, options: ideas.give(run, options.words, options.priority),
        ideas.as_text,
        (
            ("words", {"metavar": "TEXT"}),
            ("--priority", {"type": float, "default": 1.0, "metavar": "P", "help": "0 to 1 (1: first)"}),
        ),
    ),
    "tuning-set": Verb(
        "JSON Lines for a fine-tuning endpoint or a local trainer: prompts, and replies that got a score",
        lambda run, options: tuning.tuning_set(run, options.copies),
        tuning.as_lines,
        (("--copies", {"type": int, "default": 4, "metavar": "N", "help": "of the best one (4)"}),),
    ),
    "sql": Verb(
        "a SELECT over the tables programs, measurements and replies; '' tells their columns",
        lambda run, options: database.sql(run, options.question),
        tables.records,
        (("question", {"metavar": "SELECT"}),),
    ),
    "logs": Verb(
        "the end of the latest log",
        lambda run, options: last_log(run.folder, run.journal, options.lines),
        lambda lines: "\n".join(lines) or "the log is empty",
        (_LINES,),
    ),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point; exits with 2 for bad input."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["worker"]:
        from openevolve.commands.worker import main as worker

        sys.exit(worker(given[1:]))
    sys.exit(_answer(_parser().parse_args(given)))


def _answer(options: Options) -> int:
    try:
        if options.verb == "tail":
            for line in tail(find_journal(options.run), options.lines, follow=options.follow):
                print(line, flush=True)
        else:
            if options.verb in VERBS:
                gc.disable()  # one answer, and the end: nothing is worth collecting
                options.read = read_run(options.run)
            print(_text(options), flush=True)
            if options.verb in VERBS and options.read.folded is not None:
                _keep(options.read)
    except UserError as error:
        print(f"error: {clean(str(error))}", file=sys.stderr)
        return EXIT_USER_ERROR
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return EXIT_COMPLETED


def _keep(run: Run) -> None:
    from openevolve.inspect.keeping import keep

    keep(run)


def _text(options: Options) -> str:
    if options.verb == "runs":
        summaries = [_summary(folder) for folder in all_runs()]
        return _json(summaries) if options.json else _runs(summaries)
    if options.verb == "ctl":
        from openevolve.inspect.asking import ask, request

        if options.what == "idea":
            return ideas.as_text(ideas.give(read_run(options.run), options.setting, 1.0))
        return ask(options.run, request(options.what, options.setting))
    if options.verb == "serve":
        _serve(options)
        return "served"
    if options.verb == "report":
        from openevolve.inspect.report import write_report

        if options.figures:
            return _figures(options)
        return str(write_report(read_run(options.run), options.output, options.format))
    verb = VERBS[options.verb]
    answer = verb.answer(options.read, options)
    return _json(answer) if options.json else verb.text(answer)


def _figures(options: Options) -> str:
    from openevolve.inspect.figures import write_figures

    return "\n".join(map(str, write_figures(read_run(options.run), options.figures, options.output)))


def _serve(options: Options) -> None:
    try:
        from openevolve.inspect.server.start import serve
    except ImportError as error:
        raise UserError(
            f"openevolve serve: expected the extra ui, found: {error}; "
            "install it: pip install 'openevolve-medevonet[ui]'"
        ) from None
    serve(options.directory, options.host, options.port)


def _json(answer: Any) -> str:
    return json.dumps(answer, indent=2)  # in ASCII: no terminal escape can be in it


def _summary(folder: Path) -> dict[str, Any]:
    """A run that cannot be read is a line of its own among the others."""
    try:
        return questions.status(read_run(str(folder))) | {"run": str(folder)}
    except UserError as error:
        return {"run": str(folder), "problem": str(error)}


def _runs(rows: Sequence[dict[str, Any]]) -> str:
    return tables.table(
        ["run", "iterations", "best", "hours", "standing"],
        (
            (row["run"], "-", "-", "-", row["problem"]) if "problem" in row else
            (row["run"], f"{row['done']}/{row['asked']}",
             tables.finding(row["best"]) if row["best"] else "-",
             f"{row['hours']:.2f}", row["standing"])
            for row in rows
        ),
        left=["run", "standing"],
    )  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="openevolve", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    _with_json(verbs.add_parser("runs", help="all runs in runs/: best, progress, hours"))
    page = verbs.add_parser("report", help="write report.html into the run's folder: one file, offline")
    page.add_argument("run", nargs="?", metavar="RUN", help="default: runs/mnist/latest")
    page.add_argument("--format", choices=["html", "md"], default="html", help="md: a page of Markdown")
    page.add_argument("--figures", choices=["svg", "png"], help="its drawings, a file each (Chromium)")
    page.add_argument("-o", "--output", type=Path, metavar="PLACE", help="another file, or folder of figures")
    control = verbs.add_parser("ctl", help="ask a running run to pause, stop, measure, or change a limit")
    control.add_argument("run", metavar="RUN")
    control.add_argument(
        "what",
        choices=[*(wish.value for wish in Wish), "idea"],
        help="stop: what runs is finished; measure: a program once more",
    )
    control.add_argument(
        "setting",
        nargs="?",
        default="",
        metavar="SETTING",
        help="limit KEY=VALUE (max_iterations or budget.KEY), measure ID, idea TEXT",
    )
    live = verbs.add_parser("serve", help="all runs of a folder in the browser, live (needs the extra ui)")
    live.add_argument("directory", nargs="?", type=Path, default=RUNS, metavar="DIR", help="default: runs")
    live.add_argument("--port", type=int, default=8420, help="8420; 0 takes a free one")
    live.add_argument("--host", default="127.0.0.1", help="127.0.0.1; beyond loopback a token is asked for")
    verbs.add_parser("worker", help="measure programs for a run with executor=workers", add_help=False)
    events = verbs.add_parser("tail", help="the last events, one a line")
    events.add_argument("-f", "--follow", action="store_true", help="and those to come, while it runs")
    events.add_argument(_LINES[0], **_LINES[1])
    events.add_argument("run", nargs="?", metavar="RUN", help="default: runs/mnist/latest")
    for name, verb in VERBS.items():
        command = verbs.add_parser(name, help=verb.help, description=verb.help)
        for flag, settings in verb.arguments:
            command.add_argument(flag, **settings)
        command.add_argument("run", nargs="?", metavar="RUN", help="default: runs/mnist/latest")
        _with_json(command)
    return parser


def _with_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="the answer as JSON")
