"""When programs move between islands."""

from openevolve.settings.models import DatabaseConfig


def migration_due(config: DatabaseConfig, committed: int, migrated_at: int) -> bool:
    """After every ``migration_interval`` generations of an island.

    ``committed`` outcomes count by now; ``migrated_at`` is how many did when programs moved last.
    """
    interval = config.migration_interval * config.num_islands
    return config.num_islands > 1 and committed > 0 and committed % interval == 0 and committed != migrated_at
