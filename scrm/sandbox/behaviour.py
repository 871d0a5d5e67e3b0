"""Members who act of their own accord: they confirm mass messages sooner, later or never."""

from collections.abc import Callable
from functools import partial

from scrm.sandbox.dice import make_dice
from scrm.sandbox.moments import Moment, MomentTask
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

    def consider_moment(self, moment: Moment) -> None:
        """Let the members asked to publish do so, later or never."""
        options = self._world.options
        if not options.behave or moment.is_personal:
            return
        for userid in moment.tasks:
            dice = make_dice("moment", self._world.seed, moment.moment_id, userid)
            if dice.random() < options.confirm_rate:
                delay = dice.expovariate(1 / options.confirm_delay_seconds)
                self._schedule_publishing(moment, userid, delay)

    def consider_published(self, moment: Moment, task: MomentTask) -> None:
        """Let some of the customers who see it like it or write something."""
        options = self._world.options
        if not options.behave:
            return
        dice = make_dice("reactions", self._world.seed, moment.moment_id, task.userid)
        likes, comments = self._people.customer_likes_moment, self._people.customer_comments_moment
        for external_userid in task.seen_by:
            for rate, react in (
                (options.moment_like_rate, likes),
                (options.moment_comment_rate, comments),
            ):
                if dice.random() < rate:
                    delay = dice.expovariate(1 / options.confirm_delay_seconds)
                    self._schedule_reaction(moment, task, partial(react, external_userid), delay)

    def _schedule_publishing(self, moment: Moment, userid: str, delay: float) -> None:
        def publish() -> None:
            self._people.publish_moment(moment.moment_id, userid)

        self._world.clock.schedule(moment.ready_at + delay, publish)

    def _schedule_reaction(
        self, moment: Moment, task: MomentTask, react: Callable[[str, str], None], delay: float
    ) -> None:
        def react_if_still_there() -> None:
            if task.seen_by:
                react(moment.moment_id, task.userid)

        self._world.clock.schedule(self._world.clock.now() + delay, react_if_still_there)

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
