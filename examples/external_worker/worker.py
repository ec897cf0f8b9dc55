"""Any agent's command line writes the programs: $AGENT reads a prompt on its input and prints its answer."""

import json
import os
import re
import shlex
import subprocess
import sys

asked = json.load(sys.stdin)
program = f"Improve this program by one bounded change:\n\n```python\n{asked['current_model']}```"
wanted = "Say in one sentence what you change. Then give the whole program in one fenced code block."
prompt = "\n\n".join([asked["context"], asked.get("problem", ""), program, wanted])
command = shlex.split(os.environ["AGENT"])
agent = subprocess.run(command, input=prompt, capture_output=True, text=True, check=True)
blocks = re.findall(r"```\w*\n(.*?)```", agent.stdout, re.DOTALL)
summary = agent.stdout.strip().partition("\n")[0]
print(json.dumps({"mutation_type": "agent", "mutation_summary": summary, "model_py": "".join(blocks[-1:])}))
