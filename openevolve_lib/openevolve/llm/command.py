"""Any command line in the place of a language model: JSON on its standard input, JSON on its output.

The contract is Evolyth's. The command is started in a fresh folder, the workspace, with the mutable file in
it; it may edit that file there, or return its content. It is the user's own, and runs with the user's
environment; its process group ends with the call.
"""

import asyncio
import json
import os
import random
import shlex
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree, ignore_patterns
from tempfile import TemporaryDirectory
from typing import Any

from openevolve.errors import UserError
from openevolve.llm.base import Attempt, Completion, CompletionFailed, Message, ProviderRejected
from openevolve.llm.status import Status

_MOST_BYTES = 8 * 2**20  # of an answer
_IGNORED = ignore_patterns(".*", "__pycache__", "openevolve_output")  # of a problem's folder: runs, keys
_DETAIL = 300  # characters of what a command wrote to its standard error


class _Unusable(Exception):
    """What a command gave cannot be used."""


@dataclass(frozen=True)
class CommandModel:
    """Answers the JSON object in the last message with the JSON object that the command gives."""

    command: str
    timeout: float  # seconds
    mutable_file: str = "model.py"
    problem: Path | None = None  # a folder whose files the workspace holds too

    def __post_init__(self) -> None:
        """Raises UserError for a command line that is none."""
        try:
            words = shlex.split(self.command)
        except ValueError as error:
            raise UserError(f"expected a command line, found {self.command!r}: {error}") from None
        if not words:
            raise UserError("strategies.command: expected a command line, found an empty one")

    async def complete(self, messages: Sequence[Message], rng: random.Random) -> Completion:
        """Raises CompletionFailed, or ProviderRejected where there is no such command."""
        started = time.monotonic()
        name = f"command:{Path(shlex.split(self.command)[0]).name}"
        try:
            answer = await self._answer(json.loads(messages[-1]["content"]))
        except TimeoutError:
            detail = f"{name}: expected an answer within {self.timeout:g} s, found none"
        except _Unusable as error:
            detail = f"{name}: {error}"
        else:
            text = json.dumps(answer, ensure_ascii=False, sort_keys=True)
            return Completion(text, name, (Attempt(name, time.monotonic() - started, Status.OK.value),))
        attempt = Attempt(name, time.monotonic() - started, Status.REFUSED.value, detail=detail)
        raise CompletionFailed(detail, (attempt,))

    async def close(self) -> None:
        """Nothing is open."""

    async def _answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        with TemporaryDirectory(prefix="openevolve-workspace-") as folder:
            workspace = Path(folder)
            before = self._fill(workspace, asked)
            output = await self._run(workspace, json.dumps({**asked, "rp_path": str(workspace)}))
            answer = read_object(text := output.decode(errors="replace"))
            if answer is None:
                raise _Unusable(f"expected a JSON object on its output, found {text.strip()[:80]!r}")
            changed = _changed(workspace, before)
            if others := sorted(changed - {self.mutable_file}):
                raise _Unusable(f"expected changes of {self.mutable_file} alone, found {', '.join(others)}")
            if changed and not answer.get("model_py"):
                answer["model_py"] = (workspace / self.mutable_file).read_text(errors="replace")
        return answer

    def _fill(self, workspace: Path, asked: Mapping[str, Any]) -> Mapping[str, bytes]:
        if self.problem is not None:
            copytree(self.problem, workspace, dirs_exist_ok=True, ignore=_IGNORED)
        if "current_model" in asked:
            (workspace / self.mutable_file).write_text(asked["current_model"])
        return _files(workspace)

    async def _run(self, workspace: Path, text: str) -> bytes:
        try:
            process = await asyncio.create_subprocess_exec(
                *_words(self.command), cwd=workspace, start_new_session=True,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
        except OSError as error:
            raise ProviderRejected(f"strategies.command: cannot start {self.command!r}: {error}") from None
        try:
            async with asyncio.timeout(self.timeout):
                output, errors = await process.communicate(text.encode())
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        if process.returncode:
            said = " ".join(errors.decode(errors="replace").split())[-_DETAIL:]
            raise _Unusable(f"expected exit status 0, found {process.returncode}: {said or 'nothing said'}")
        if len(output) > _MOST_BYTES:
            raise _Unusable(f"expected an answer of at most {_MOST_BYTES:,} bytes, found {len(output):,}")
        return output


def _words(command: str) -> list[str]:
    """The words of a command line; those that are paths of files from here are so from the workspace too."""
    words = shlex.split(command)
    return [str(Path(word).absolute()) if "/" in word and Path(word).is_file() else word for word in words]


def read_object(text: str) -> dict[str, Any] | None:
    """The JSON object of a text, also where other words stand around it; None where there is none."""
    try:
        found = json.loads(text[text.find("{") : text.rfind("}") + 1])
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def _changed(folder: Path, before: Mapping[str, bytes]) -> set[str]:
    """Files that were there and have changed; what a command writes beside them goes with the workspace."""
    after = _files(folder)
    return {name for name, content in before.items() if after.get(name) != content}
