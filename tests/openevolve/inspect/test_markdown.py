"""The report in Markdown: figures as in the answers, and texts of programs that are no markup."""

import re
from pathlib import Path

from openevolve.inspect import questions
from openevolve.inspect.facts import facts
from openevolve.inspect.markdown import markdown
from openevolve.inspect.reading import read_run
from openevolve.inspect.report import write_report
from openevolve.records.program import Program
from tests.support.inspected import Writer, hostile_run
from tests.support.walks import finished


def test_it_tells_the_best_and_the_way_there(tmp_path: Path) -> None:
    run = read_run(str(finished(tmp_path, "max_iterations=6")))
    path = write_report(run, kind="md")
    assert path == run.folder / "report.md"
    text = path.read_text()
    best = questions.ranked(facts(run))[0]
    assert f"**{best['fitness']:.4f} as measured** (iteration {best['iteration']}:" in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert sum(line.startswith(f"| 1 | {best['iteration']} |") for line in tables) == 1
    assert "## The way to the best" in text


def test_hostile_texts_are_no_markup(tmp_path: Path) -> None:
    run = read_run(str(hostile_run(tmp_path)))
    text = markdown(run)
    assert not re.search(r"(?<!\\)[<>]", text)
    assert not set(text) & set("\x1b\x9b\x07\u202e")
    assert "0.987654" not in text
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        columns = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(columns) == 1


def test_a_run_without_a_score(tmp_path: Path) -> None:
    write = Writer(tmp_path)
    write.begin("X = 1.0\n")
    write.proposed(Program("first", "X = 1.0\n", 0, 0), "initial")
    write.journal.close()
    assert "No program has a score yet." in markdown(read_run(str(tmp_path)))
