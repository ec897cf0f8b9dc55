"""docs/cluster.md: workers by ssh, through a real server on loopback, and as a task of a Slurm array."""

import argparse
import getpass
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests import PROJECT
from tests.support.commands import run
from tests.support.processes import wait_until

SCRIPT = PROJECT / "examples/cluster/workers.sbatch"
OPENEVOLVE = Path(sys.executable).with_name("openevolve")


def search(folder: Path) -> subprocess.CompletedProcess[str]:
    problem = PROJECT / "examples/bin_packing"
    files = f"{problem}/initial_program.py {problem}/evaluator.py -c {problem}/config.yaml"
    away = "--set executor=workers --set strategies.workers.lease=5"
    return run(folder, f"openevolve-run {files} --offline -i 4 -o {folder}/out {away}")


@pytest.fixture
def address(tmp_path: Path) -> Iterator[list[str]]:
    """An ssh server for this user and a key of its own: what ssh is given to reach it."""
    server = shutil.which("sshd") or shutil.which("/usr/sbin/sshd")
    if server is None or shutil.which("ssh") is None or shutil.which("ssh-keygen") is None:
        pytest.skip("no OpenSSH server here")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {tmp_path}/host\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {tmp_path}/user.pub\nStrictModes no\nPermitRootLogin yes\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    with subprocess.Popen(
        [server, "-D", "-e", "-f", tmp_path / "config"], stderr=subprocess.DEVNULL
    ) as process:
        known = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-q"]
        given = [
            "ssh",
            *known,
            "-i",
            str(tmp_path / "user"),
            "-p",
            str(port),
            f"{getpass.getuser()}@127.0.0.1",
        ]
        try:
            if not wait_until(lambda: subprocess.run([*given, "true"], check=False).returncode == 0, 20):
                pytest.skip("this user may not start an ssh server")
            yield given
        finally:
            process.terminate()


def test_a_worker_by_ssh(address: list[str], tmp_path: Path) -> None:
    line = f"cd {tmp_path} && {shlex.quote(str(OPENEVOLVE))} worker out --patience 60"
    with subprocess.Popen([*address, line], stdout=subprocess.PIPE, text=True) as worker:
        done = search(tmp_path)
        said = worker.communicate(timeout=30)[0]
    assert done.returncode == 0, done.stderr
    assert worker.returncode == 0
    assert "isolation: strict" in said
    assert "the run's session has ended; 5 measurements done" in said


def test_the_options_of_the_slurm_script_are_sbatchs() -> None:
    """Names and forms as in sbatch(1)."""
    parser = argparse.ArgumentParser(exit_on_error=False, allow_abbrev=False)
    forms = {
        "--job-name": r"[\w-]+", "--array": r"\d+-\d+", "--gres": r"gpu:\d+", "--cpus-per-task": r"\d+",
        "--time": r"\d\d:\d\d:\d\d", "--signal": r"B:TERM@\d+", "--output": r"[\w%]+\.log",
    }  # fmt: skip
    for name in forms:
        parser.add_argument(name, required=True)
    parser.add_argument("--requeue", action="store_true", required=True)
    text = SCRIPT.read_text()
    options = vars(parser.parse_args(re.findall(r"(?m)^#SBATCH (\S+)$", text)))
    for name, form in forms.items():
        assert re.fullmatch(form, options[name[2:].replace("-", "_")]), name
    body = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert text.index("#SBATCH") < text.index(body[0])  # sbatch reads none after the first command


def test_the_slurm_script_runs_a_worker_as_a_task_of_an_array(tmp_path: Path) -> None:
    slurm = {"SLURM_ARRAY_TASK_ID": "3", "SLURM_SUBMIT_DIR": str(tmp_path), "WORKER": f"{OPENEVOLVE} worker"}
    with subprocess.Popen(
        ["bash", SCRIPT, "out"],
        env={"PATH": "/usr/bin:/bin", **slurm},
        cwd="/",
        stdout=subprocess.PIPE,
        text=True,
    ) as task:
        done = search(tmp_path)
        said = task.communicate(timeout=30)[0]
    assert done.returncode == 0, done.stderr
    assert (task.returncode, "5 measurements done" in said) == (0, True)
    without = subprocess.run(["bash", SCRIPT], capture_output=True, text=True, check=False)
    assert "expected the folder of a run" in without.stderr


@pytest.mark.parametrize("name", ["kubernetes.yaml", "skypilot.yaml"])
def test_what_is_untested_says_so_and_can_be_read(name: str) -> None:
    text = (SCRIPT.parent / name).read_text()
    assert text.startswith("# UNTESTED.")
    assert "run_evolution.py" in str(yaml.safe_load(text))
    assert name in (PROJECT / "docs/cluster.md").read_text()
