"""Whether a run has anything left to do, before anything is prepared for it."""

from pathlib import Path

from openevolve.search.stopping import TARGET_REACHED
from openevolve.settings.models import Config
from openevolve.state.replay import replay


def nothing_to_do(journal: Path, config: Config) -> str | None:
    """What there is to say of a run that is done; None where it has something to do. Raises UserError."""
    if not journal.is_file():
        return None
    state = replay(journal)
    if state.finished is None or config.final_share != state.config.final_share:
        return None
    done = max(0, len(state.outcomes) - 1)
    if state.finished.startswith(TARGET_REACHED) and config.target_score == state.config.target_score:
        return f"nothing to do: {state.finished}"
    if state.finished != "completed" or done < config.max_iterations or not state.committed:
        return None
    return (
        f"nothing to do: {done} iterations are done, {config.max_iterations} were asked for; "
        f"--iterations {done + 10} adds ten"
    )
