"""Colleagues among themselves: rooms without customers, and robots."""

from collections.abc import Sequence

from scrm.sandbox.internal_rooms import Robot, Room
from scrm.sandbox.people.acting import Actor, ActRefused, act


class RoomActs(Actor):
    @act
    def room_opens(
        self, creator: str, members: Sequence[str], name: str = "", *, notice: str = ""
    ) -> str:
        """Let a member open a room of colleagues; return its id, under which it is archived."""
        userids = [self.member(userid).userid for userid in dict.fromkeys([creator, *members])]
        now = self.world.now()
        room = Room(self.world.mint_id("wr"), name, userids[0], now, notice)
        room.members = dict.fromkeys(userids, now)
        self.world.rooms.rooms[room.room_id] = room
        self.world.ledger.append("room.opened", room_id=room.room_id, members=userids)
        return room.room_id

    @act
    def robot_enters(self, creator: str, room: str, name: str = "") -> str:
        """Let a member put a new robot into a room; return its id."""
        opened = self.room(room)
        robot = Robot(self.world.mint_id("wb"), name, self.member(creator).userid)
        self.world.rooms.robots[robot.robot_id] = robot
        opened.members[robot.robot_id] = self.world.now()
        self.world.ledger.append("room.robot_entered", room_id=room, robot_id=robot.robot_id)
        return robot.robot_id

    def room(self, room_id: str) -> Room:
        room = self.world.rooms.rooms.get(room_id)
        if room is None:
            raise ActRefused(f"no room {room_id!r}")
        return room
