"""Groups without outsiders, and the robots in them: what only the archive tells of."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Room:
    room_id: str
    name: str
    creator: str
    created_at: int
    notice: str = ""
    # userid or robot_id → when it entered
    members: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Robot:
    robot_id: str
    name: str
    creator: str


class RoomBook:
    """Rooms and robots by their ids."""

    def __init__(self) -> None:
        self.rooms: dict[str, Room] = {}
        self.robots: dict[str, Robot] = {}
