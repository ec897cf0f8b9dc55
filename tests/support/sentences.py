"""The sentences of a Markdown page, to measure how long they are."""

import re

LIMIT = 25  # words


def sentences(text: str) -> list[str]:
    """Of paragraphs and list items; code, tables, headings, images and HTML are none."""
    text = re.sub(r"(?ms)^```.*?^```$|^~~~.*?^~~~$|<!--.*?-->|^---\n.*?\n---$", "", text)
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    found = []
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )", text):
        lines = [line.strip() for line in block.splitlines()]
        lines = [line for line in lines if line and not re.match(r"[|#<>!]|\{#|\[\S+\]:", line)]
        prose = re.sub(r"^(?:[-*]|\d+\.) ", "", " ".join(lines))
        prose = re.sub(r"`[^`]*`", "code", prose)
        parts = re.split(r"(?<=[.!?])[*_)\"]*\s+(?=[\"(*_A-Z0-9`]|code\b)|\s·\s", prose)
        found += [part for part in parts if part.strip()]
    return found


def words(sentence: str) -> int:
    """What has a letter or a digit; figures count like words."""
    return len([word for word in sentence.split() if re.search(r"\w", word)])


def too_long(text: str) -> list[str]:
    return [f"{words(each)} words: {each}" for each in sentences(text) if words(each) > LIMIT]
