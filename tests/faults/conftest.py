"""What an undisturbed run of the tests' light problem ends in."""

import pytest

from tests.faults.problem import final_state, start_runner


@pytest.fixture(scope="package")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The final state of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert start_runner(folder).wait(60) == 0
    return final_state(folder)
