"""Members who act of their own accord: they confirm mass messages sooner, later or never."""

from scrm.sandbox.dice import make_dice
from scrm.sandbox.people import People
from scrm.sandbox.records import MassMessage
from scrm.sandbox.world import World


class Behaviour:
    """Draws from the seed what each asked member will do, and schedules it on the clock."""

    def __init__(self, world: World, people: People) -> None:
        self._world = world
        self._people = people

    def consider(self, message: MassMessage) -> None:
        """Let the members asked by a new mass message make up their minds."""
        self._decide(message, attempt=0)

    def consider_reminder(self, message: MassMessage) -> None:
        """Let those who have not confirmed think again."""
        self._decide(message, attempt=len(message.reminded_at))

    def _decide(self, message: MassMessage, *, attempt: int) -> None:
        options = self._world.options
        if not options.behave:
            return
        # Message ids differ between equal runs only if the calls differ, so the draw repeats too.
        for userid in message.tasks:
            dice = make_dice("behaviour", self._world.seed, message.msgid, userid, attempt)
            if dice.random() < options.confirm_rate:
                delay = dice.expovariate(1 / options.confirm_delay_seconds)
                self._schedule(message.msgid, userid, delay)

    def _schedule(self, msgid: str, userid: str, delay: float) -> None:
        def confirm() -> None:
            self._people.confirm(msgid, userid)

        self._world.clock.schedule(self._world.clock.now() + delay, confirm)
