"""Limits on the length of a prompt: each section's, and the whole's."""

from collections.abc import Mapping

from openevolve.proposing.prompts.quoting import clipped

CHARACTERS_PER_TOKEN = 4  # about, of English text and code

# The least useful first. What stands here never goes: the task, the parent, how to answer, what is asked for.
EXPENDABLE = ("inspirations", "rooms", "beliefs", "tried", "failures", "artifacts", "top", "facts")


def limited(sections: Mapping[str, str], section_tokens: int | None, tokens: int | None) -> list[str]:
    """The sections that fit, in their order; the last says which were left out for length.

    A section that is expendable and longer than ``section_tokens`` is left out too where it cannot be
    clipped without breaking its fences; a table or a list is clipped.
    """
    kept = {name: text for name, text in sections.items() if text}
    dropped = []
    if section_tokens is not None:
        for name in EXPENDABLE:
            if _tokens(kept.get(name, "")) <= section_tokens:
                continue
            if "```" in kept[name]:
                del kept[name]
                dropped.append(name)
            else:
                kept[name] = clipped(kept[name], section_tokens * CHARACTERS_PER_TOKEN)
    if tokens is not None:
        for name in EXPENDABLE:
            if sum(map(_tokens, kept.values())) <= tokens:
                break
            if kept.pop(name, None) is not None:
                dropped.append(name)
    note = f"(Left out for length: {', '.join(dropped)}.)" if dropped else ""
    return [*kept.values(), *filter(None, [note])]


def _tokens(text: str) -> int:
    return -(-len(text) // CHARACTERS_PER_TOKEN)
