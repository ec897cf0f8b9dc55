"""OpenEvolve's settings that have no counterpart here: each is said in one line, or refused by name.

A setting that changes nothing here is taken out with a line that says what happens instead. Where a value
would change a run's results and is not built, the line says so and what to do.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_UNREAD = "OpenEvolve does not read it either"
_IN_JOURNAL = "the run's journal.jsonl holds it all"
_NO_LABELS = "prompts here carry no such label"
_OTHER_PROVIDER = "budget.dollars is the limit here"
_DIFF_PATTERN = r"<<<<<<< SEARCH\n(.*?)=======\n(.*?)>>>>>>> REPLACE"


def _any(value: object) -> bool:
    return True


def _off(value: object) -> bool:
    return value in (None, False, 0, "", [], {})


@dataclass(frozen=True)
class _Foreign:
    """A setting of OpenEvolve: what happens here, and for which values that is all there is to say."""

    said: str
    harmless: Callable[[object], bool] = _any
    instead: str = ""  # for other values: what to do


_FOREIGN = {
    "algotune": _Foreign(_UNREAD),
    "allow_full_rewrites": _Foreign("edits and whole programs are both read, whichever was asked for"),
    "checkpoints": _Foreign(_UNREAD),
    "diff_pattern": _Foreign(
        "edits are SEARCH/REPLACE blocks", lambda value: value == _DIFF_PATTERN, "leave it out"
    ),
    "enforce_evolve_blocks": _Foreign("lines outside EVOLVE-BLOCKs are always kept"),
    "evaluation": _Foreign(f"{_UNREAD}; the section is called evaluator"),
    "evolution": _Foreign(_UNREAD),
    "evolution_trace": _Foreign(_IN_JOURNAL),
    "log_dir": _Foreign("logs are in the run's folder"),
    "logging": _Foreign(f"{_UNREAD}; log_level is the setting"),
    "max_program_length": _Foreign(f"{_UNREAD}; max_code_length is the setting"),
    "max_tasks_per_child": _Foreign("every evaluation has a process of its own"),
    "novelty": _Foreign(f"{_UNREAD}; database.similarity_threshold is the setting"),
    "optimization": _Foreign(_UNREAD),
    "parallel_evaluations": _Foreign(f"{_UNREAD}; evaluator.parallel_evaluations is the setting"),
    "database.artifact_retention_days": _Foreign(_IN_JOURNAL),
    "database.artifact_size_threshold": _Foreign(_IN_JOURNAL),
    "database.artifacts_base_path": _Foreign(_IN_JOURNAL),
    "database.cleanup_old_artifacts": _Foreign(_IN_JOURNAL),
    "database.db_path": _Foreign("the run's folder holds the archive"),
    "database.diversity_metric": _Foreign("diversity is the share of lines that differ"),
    "database.diversity_reference_size": _Foreign("diversity is measured from the initial program"),
    "database.embedding_api_base": _Foreign("no embeddings are asked for"),
    "database.embedding_model": _Foreign(
        "no embeddings are asked for", _off,
        "programs that are too like one another are told by their lines: set database.similarity_threshold, "
        "and leave this out",
    ),
    "database.in_memory": _Foreign("the archive is in memory, and the journal on the disk"),
    "database.log_prompts": _Foreign("prompts and replies are always kept in journal.jsonl"),
    "database.max_snapshot_artifacts": _Foreign(_IN_JOURNAL),
    "database.novelty_llm": _Foreign("no model is asked whether a program is new", _off, "leave it out"),
    "evaluator.cpu_limit": _Foreign(_UNREAD),
    "evaluator.distributed": _Foreign(_UNREAD),
    "evaluator.enable_artifacts": _Foreign(
        "artifacts are always kept; prompt.include_artifacts says whether prompts show them"
    ),
    "evaluator.max_artifact_storage": _Foreign("an artifact is kept up to 100,000 characters"),
    "llm.manual_mode": _Foreign("programs are written by a model", _off, "leave it out"),
    "prompt.artifact_security_filter": _Foreign("artifacts stand in fences that they cannot close"),
    "prompt.code_length_threshold": _Foreign(_NO_LABELS),
    "prompt.comprehensive_implementation_min_lines": _Foreign(_NO_LABELS),
    "prompt.concise_implementation_max_lines": _Foreign(_NO_LABELS),
    "prompt.diff_summary_max_line_len": _Foreign(_NO_LABELS),
    "prompt.diff_summary_max_lines": _Foreign(_NO_LABELS),
    "prompt.include_changes_under_chars": _Foreign(_NO_LABELS),
    "prompt.meta_prompt_weight": _Foreign(_UNREAD),
    "prompt.suggest_simplification_after_chars": _Foreign(_NO_LABELS),
    "prompt.use_meta_prompting": _Foreign(_UNREAD),
}  # fmt: skip

_OF_A_MODEL = {
    "allow_all_tools": _Foreign("models get no tools"),
    "init_client": _Foreign("models are asked over HTTP", _off, "set api_base to a server"),
    "manual_mode": _Foreign("programs are written by a model", _off, "leave it out"),
    "max_ai_credits": _Foreign(_OTHER_PROVIDER),
    "max_budget_usd": _Foreign(_OTHER_PROVIDER),
    "provider": _Foreign(
        "models are asked over HTTP, as OpenAI's are", lambda value: value in (None, "openai"),
        "only servers with OpenAI's chat completions are asked: leave it out, and set api_base to one",
    ),
    "random_seed": _Foreign("servers are sent no seed; random_seed is that of the search"),
    "system_message": _Foreign("prompt.system_message counts for every model"),
}  # fmt: skip

_OPTIONAL = ("random_seed", "language", "llm.primary_model_weight", "llm.secondary_model_weight")


@dataclass
class Adapted:
    """Settings as this engine reads them, what is said of the others, and what is refused of them."""

    values: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def settle(self, place: str, value: object, foreign: _Foreign) -> None:
        if foreign.harmless(value):
            self.notes.append(f"{place}: {foreign.said}")
        else:
            self.refused.append(f"{place}: {_shown(value)} is not built here; {foreign.instead}")


def adapted(values: Mapping[str, Any]) -> Adapted:
    """A copy of a config's values without the settings that only OpenEvolve has."""
    found = Adapted(copy.deepcopy(dict(values)))
    _rename(found)
    for dotted, foreign in _FOREIGN.items():
        section, _, key = dotted.rpartition(".")
        for place, holder in _sections(found.values, section):
            if key in holder:
                found.settle(place + key, holder.pop(key), foreign)
    for section in ("llm", "llm.models.*", "llm.evaluator_models.*"):
        for place, holder in _sections(found.values, section):
            for key in [key for key in holder if key in _OF_A_MODEL]:
                found.settle(place + key, holder.pop(key), _OF_A_MODEL[key])
    return found


def _rename(found: Adapted) -> None:
    """Settings that stand elsewhere here, or whose value says the same in another way."""
    values = found.values
    for dotted in _OPTIONAL:
        section, _, key = dotted.rpartition(".")
        for _, holder in _sections(values, section):
            if key in holder and holder[key] is None:
                del holder[key]
    if values.get("early_stopping_patience") in (-1, 0) and "early_stopping_patience" in values:
        values["early_stopping_patience"] = None
    for _, database in _sections(values, "database"):
        if "random_seed" in database:
            seed = database.pop("random_seed")
            if seed is not None:
                values.setdefault("random_seed", seed)
            found.notes.append("database.random_seed: random_seed is the seed of the whole run")
    for _, prompt in _sections(values, "prompt"):
        _rename_in_prompt(found, prompt)
    for _, llm in _sections(values, "llm"):
        prompt = values.get("prompt", {})
        if isinstance(llm.get("system_message"), str) and isinstance(prompt, dict):
            message = llm.pop("system_message")
            values["prompt"] = prompt
            if prompt.setdefault("system_message", message) != message:
                found.notes.append("llm.system_message: prompt.system_message counts")


def _rename_in_prompt(found: Adapted, prompt: dict[str, Any]) -> None:
    for key in ("system_message", "evaluator_system_message"):
        if prompt.get(key) == key:  # the name of the template that is taken anyway
            del prompt[key]
    if "use_template_stochasticity" in prompt:
        if not prompt.pop("use_template_stochasticity"):
            prompt.pop("template_variations", None)
        found.notes.append("prompt.use_template_stochasticity: prompt.template_variations vary, where given")


def _sections(values: dict[str, Any], section: str, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """The mappings at a dotted place, each with its name up to the last dot; ``*`` stands for list items."""
    if not section:
        yield place, values
        return
    name, _, rest = section.partition(".")
    inner = values.get(name)
    if isinstance(inner, dict):
        yield from _sections(inner, rest, f"{place}{name}.")
    elif isinstance(inner, list) and rest.startswith("*"):
        for number, item in enumerate(inner):
            if isinstance(item, dict):
                yield from _sections(item, rest[2:], f"{place}{name}.{number}.")


def _shown(value: object) -> str:
    return f"{value!r:.80}"
