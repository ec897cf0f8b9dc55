"""A run as an object of a notebook: a table where it is shown, a pandas frame, a plotly figure."""

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from openevolve.errors import UserError
from openevolve.inspect.clean import clean
from openevolve.inspect.facts import Fact, facts, iteration_of
from openevolve.inspect.questions import leaderboard, ranked, status
from openevolve.inspect.reading import Run, read_run
from openevolve.inspect.report import write_report
from openevolve.inspect.tables import number, spread

_SHOWN = 10  # programs in a table


def html_table(title: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Everything is text: nothing of a program or a model becomes markup."""
    cells = "".join(
        f"<tr>{''.join(f'<td>{escape(clean(str(value)))}</td>' for value in row)}</tr>" for row in rows
    )
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    return f"<p><b>{escape(clean(title))}</b></p><table><tr>{head}</tr>{cells}</table>"


def frame_of(rows: Sequence[dict[str, Any]]) -> Any:
    """A pandas frame, a row for each mapping; nested mappings become ``outer.inner``. Raises UserError."""
    try:
        import pandas
    except ImportError:
        raise UserError("expected pandas for a frame, found none; install medevonet[notebook]") from None
    return pandas.json_normalize(rows)


def graphics() -> Any:
    """The module that plotly draws with. Raises UserError."""
    try:
        import plotly.graph_objects
    except ImportError:
        raise UserError("expected plotly for a figure, found none; install medevonet[notebook]") from None
    return plotly.graph_objects


class RunView:
    """A run, running or not, as it was when it was read; ``refresh`` reads it again."""

    def __init__(self, run: Run) -> None:
        self.run = run

    @classmethod
    def open(cls, name: str | Path | None = None) -> "RunView":
        """A run by its folder, its journal or the beginning of its name; None is the latest.

        Raises UserError.
        """
        return cls(read_run(None if name is None else str(name)))

    def refresh(self) -> "RunView":
        return RunView.open(self.run.journal)

    @property
    def folder(self) -> Path:
        return self.run.folder

    @property
    def standing(self) -> str:
        """Running, how it ended, or that it was cut off."""
        return str(self.status["standing"])

    @property
    def status(self) -> dict[str, Any]:
        """Progress, the best, spend and failures, as ``openevolve status --json`` gives them."""
        return status(self.run)

    @property
    def programs(self) -> list[Fact]:
        """A mapping for each program, by iteration (``openevolve.inspect.facts``); to be read only."""
        return facts(self.run)

    @property
    def best(self) -> Fact:
        """The best program, by its estimate where there is one. Raises UserError where none has a score."""
        rows = leaderboard(self.run, top=1)
        if not rows:
            raise UserError(f"{self.folder}: expected a program with a score, found none yet")
        return rows[0]

    def code(self, program: int | str | None = None) -> str:
        """The text of a program by its iteration or the beginning of its id; None is the best one.

        Raises UserError.
        """
        name = self.best["id"] if program is None else str(program)
        return self.run.state.programs[iteration_of(self.run, name)].code

    def frame(self) -> Any:
        """A pandas frame of all programs. Raises UserError where there is no pandas."""
        return frame_of(self.programs)

    def figure(self) -> Any:
        """A plotly figure: every score with its standard error, and the best so far. Raises UserError."""
        go = graphics()
        rows = [row for row in self.programs if row["status"] == "scored"]
        at = [row["iteration"] for row in rows]
        values = [row["fitness"] for row in rows]
        best = [max(values[: end + 1]) for end in range(len(values))]
        name = self.run.state.config.database.fitness_metric
        drawn = go.Figure(layout={"xaxis_title": "iteration", "yaxis_title": name})
        changes = [escape(clean(row["changes"])) for row in rows]  # plotly takes markup in texts
        errors = {"array": [row["error"] or 0.0 for row in rows]}
        drawn.add_scatter(x=at, y=values, mode="markers", name="programs", text=changes, error_y=errors)
        drawn.add_scatter(x=at, y=best, mode="lines", line_shape="hv", name="best so far")
        return drawn

    def report(self, target: Path | None = None) -> Path:
        """Write the run's report as one HTML file, by default into its folder. Raises UserError."""
        return write_report(self.run, target)

    def __repr__(self) -> str:
        answer, best = self.status, leaderboard(self.run, top=1)
        score = f"best {number(best[0]['fitness'])}" if best else "no score yet"
        return (
            f"<Run {self.folder}: {answer['done']} of {answer['asked']} iterations, {score}, {self.standing}>"
        )

    def _repr_html_(self) -> str:
        rows = ranked(self.programs)[:_SHOWN]
        table = [
            (
                row["iteration"],
                spread(row["fitness"], row["error"]),
                spread(row["estimate"], row["estimate_error"]),
                row["changes"],
            )
            for row in rows
        ]
        return html_table(repr(self)[1:-1], ("iteration", "fitness", "estimate", "changes"), table)
