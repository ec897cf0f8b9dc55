"""What configs of OpenEvolve ask for, through ``openevolve-run``: templates, grades, descriptions."""

import re
from dataclasses import dataclass
from pathlib import Path

from tests.support.commands import events, run, scores
from tests.support.llm_server import Exchange, Reply, ReplyServer

FILES = {
    "initial_program.py": "# EVOLVE-BLOCK-START\ndef area(r):\n    return r * r\n# EVOLVE-BLOCK-END\n",
    "evaluator.py": """
import runpy

def evaluate(program_path):
    return {"combined_score": runpy.run_path(program_path)["area"](2.0) / 10, "note": "fine"}
""",
    "config.yaml": """
max_iterations: 4
proposals_ahead: 0
random_seed: 1
language: python
diff_based_evolution: true
allow_full_rewrites: false
llm: {primary_model: large, temperature: 0.5}
prompt:
  template_dir: templates
  template_variations: {greeting: [Hello, Welcome]}
  use_template_stochasticity: true
  programs_as_changes_description: true
  initial_changes_description: |
    The square of r.
    No further changes.
database: {num_islands: 1, feature_dimensions: [score, complexity]}
evaluator: {use_llm_feedback: true, llm_feedback_weight: 0.2, timeout: 20}
""",
    "templates/diff_user.txt": "{greeting}: {metrics}\n{improvement_areas}\n{artifacts}\n"
    "{evolution_history}\nNOW\n```{language}\n{current_program}\n```\n{fitness_score} {feature_dimensions}",
    "templates/evolution_history.txt": "{previous_attempts}\nTOP\n{top_programs}\n{inspirations_section}",
    "templates/top_program.txt": "#{program_number} ({score}) {program_snippet}",
    "templates/evaluation.txt": 'GRADE THIS\n{current_program}\nas {{"clarity": [score]}}',
    "templates/system_message.txt": "You know circles.",
}


@dataclass(frozen=True)
class Model:
    """Grades by 0.8; writes a program with a larger factor, and describes it."""

    def serve(self, exchange: Exchange) -> None:
        asked = exchange.asked.json["messages"][-1]["content"]
        if asked.startswith("GRADE THIS"):
            Reply('{"clarity": 0.8, "why": "It is short."}').serve(exchange)
            return
        if "NOW" not in asked:
            Reply("ready").serve(exchange)  # the trial before a run
            return
        line = re.findall(r"^    return .*$", asked, re.MULTILINE)[-1]
        described = re.findall(r"^No further changes\.$|^Factor \d+\.$", asked, re.MULTILINE)[-1]
        factor = len(re.findall(r"\d+ \*", line)) + 2
        value = f"{factor} * {line.split('return ')[1]}"
        Reply(
            f"A larger factor.\n\n<<<<<<< SEARCH\n{line}\n=======\n    return {value}\n"
            f">>>>>>> REPLACE\n\n<<<<<<< SEARCH\n{described}\n=======\nFactor {factor}.\n>>>>>>> REPLACE\n"
        ).serve(exchange)


def test_templates_grades_and_descriptions_shape_a_run(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    with ReplyServer([Model()]) as server:
        command = "openevolve-run initial_program.py evaluator.py -c config.yaml --api-base"
        result = run(tmp_path, f"{command} {server.api_base}", no_proxy="127.0.0.1")
        asked = [request.json["messages"] for request in server.requests]
    assert result.returncode == 0, result.stderr
    assert "note: allow_full_rewrites: " in result.stdout
    found = scores(tmp_path / "openevolve_output")
    assert found[0] == 0.7 * 0.4 + 0.3 * 0.8
    assert found[1] > found[0]
    measured = [e["outcome"] for e in events(tmp_path / "openevolve_output") if e["event"] == "measured"]
    assert measured[0]["metrics"]["llm_clarity"] == 0.2 * 0.8
    assert measured[0]["artifacts"]["llm_why"] == "It is short."
    programs = [e["program"] for e in events(tmp_path / "openevolve_output") if e["event"] == "proposed"]
    assert programs[1]["changes_description"] == "The square of r.\nFactor 2."
    asked = [messages for messages in asked if "NOW" in messages[-1]["content"]]
    assert {messages[-1]["content"].split(":")[0] for messages in asked} <= {"Hello", "Welcome"}
    assert all(messages[0]["content"].startswith("You know circles.") for messages in asked)
    assert "score, complexity" in asked[0][-1]["content"]
    others = [text for m in asked for text in re.findall(r"#\d \(0\.\d+\) (.*)", m[-1]["content"])]
    assert others
    assert set(others) == {"The square of r."}
