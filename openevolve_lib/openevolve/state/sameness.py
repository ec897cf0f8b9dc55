"""Which programs of a run are the same, but for comments and layout."""

from openevolve.population.fingerprints import normalized


class Sameness:
    """Knows programs that were tried and members of the population by what their text means.

    To take a program's fingerprint is most of the time of a fold, and who only reads a run never asks for
    it: what happened is noted, and looked at when someone asks.
    """

    def __init__(self) -> None:
        self._notes: list[tuple[str, str, int]] = []  # what happened, code, iteration; not looked at yet
        self._tried: dict[str, set[int]] = {}  # iterations, by fingerprint
        self._members: dict[str, int] = {}  # the first, by fingerprint

    def note(self, what: str, code: str, iteration: int) -> None:
        """``tried``, ``to try again`` (it may end otherwise another day) or ``member`` of the population."""
        self._notes.append((what, code, iteration))

    def first_tried(self, code: str, language: str, before: int) -> int | None:
        """The first iteration below ``before`` in which the same program was tried."""
        self._look(language)
        tried = self._tried.get(normalized(code, language), set())
        return min((iteration for iteration in tried if iteration < before), default=None)

    def member(self, code: str, language: str) -> int | None:
        """The iteration of the same program in the population."""
        self._look(language)
        return self._members.get(normalized(code, language))

    def _look(self, language: str) -> None:
        for what, code, iteration in self._notes:
            fingerprint = normalized(code, language)
            if what == "member":
                self._members.setdefault(fingerprint, iteration)
            elif what == "tried":
                self._tried.setdefault(fingerprint, set()).add(iteration)
            else:
                self._tried.setdefault(fingerprint, set()).discard(iteration)
        self._notes.clear()
