"""Parts of a report that other packages add.

Each is an entry point of the group ``openevolve.report_sections``: its name is the heading, its value a
function of a ``Run`` that returns plain text, or none where it has nothing to say.
"""

from importlib.metadata import entry_points

from openevolve.inspect.clean import clean
from openevolve.inspect.reading import Run

GROUP = "openevolve.report_sections"


def extra_sections(run: Run) -> list[dict[str, str]]:
    """Title and text, by title. One that fails says so in its place: it never fails a report."""
    found = []
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            text = point.load()(run)
        except Exception as error:
            text = f"This part failed: {type(error).__name__}: {error}"
        if text:
            found.append({"title": point.name, "text": clean(str(text))})
    return found
