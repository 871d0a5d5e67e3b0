"""What a comparison with the platform found and repaired."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Counts:
    """How many the platform listed, how many are ours in the end, and what changed for that."""

    platform: int = 0
    local: int = 0
    created: int = 0
    updated: int = 0
    ended: int = 0

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


Report = dict[str, dict[str, int]]
