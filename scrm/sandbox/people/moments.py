"""Members publishing moments, and customers who like them or write something."""

from collections.abc import Mapping, Sequence

from scrm.sandbox.moments import Moment, MomentTask, Reaction
from scrm.sandbox.people.acting import Actor, ActRefused, act
from scrm.sandbox.publishing import add_moment, find_audience, may_publish, publish


class MomentActs(Actor):
    @act
    def publish_moment(self, moment_id: str, userid: str) -> int:
        """Let a member publish his part; return how many see it, none after a cancel or a first."""
        moment = self._moment(moment_id)
        return publish(self.world, moment, self._task(moment, userid))

    @act
    def publish_moment_everywhere(self, moment_id: str, *, besides: Sequence[str] = ()) -> int:
        """Let every asked member but those in `besides` publish; return how many see it."""
        moment = self._moment(moment_id)
        tasks = [task for task in moment.tasks.values() if task.userid not in besides]
        return sum(publish(self.world, moment, task) for task in tasks)

    @act
    def post_moment(
        self,
        userid: str,
        text: str,
        external_userids: Sequence[str] | None = None,
        *,
        location: Mapping[str, str] | None = None,
    ) -> str:
        """Let a member post a moment of his own, to all or some customers; return its id."""
        member = self.follower(userid)
        if not may_publish(self.world, member.userid):
            raise ActRefused(f"{userid!r} has published enough today")
        own = find_audience(self.world, member.userid, set())
        chosen = own if external_userids is None else [e for e in external_userids if e in own]
        now = self.world.clock.now()
        task = MomentTask(member.userid, chosen)
        moment = Moment(
            self.world.mint_id("mom"),
            now,
            now,
            text,
            {},
            {member.userid: task},
            is_public=external_userids is None,
            creator=member.userid,
            location=None if location is None else dict(location),
        )
        publish(self.world, add_moment(self.world, moment), task)
        return moment.moment_id

    @act
    def delete_moment(self, moment_id: str, userid: str) -> None:
        """Let a member take his post down; a moment of his own is gone with it."""
        moment = self._moment(moment_id)
        task = self._published(moment, userid)
        task.seen_by.clear()
        moment.is_deleted = moment.is_personal
        self.world.ledger.append("moment.deleted", moment_id=moment_id, userid=task.userid)

    @act
    def customer_likes_moment(self, external_userid: str, moment_id: str, userid: str) -> None:
        """Let a customer like what a member published; a second like takes the first back."""
        task = self._seen(external_userid, moment_id, userid)
        is_liked = task.likes.pop(external_userid, None) is None
        if is_liked:
            at = self.world.clock.now()
            task.likes[external_userid] = Reaction(at, external_userid=external_userid)
        what = "liked" if is_liked else "unliked"
        self._note_reaction(what, moment_id, task, external_userid)

    @act
    def customer_comments_moment(self, external_userid: str, moment_id: str, userid: str) -> None:
        """Let a customer write something under what a member published."""
        task = self._seen(external_userid, moment_id, userid)
        task.comments.append(Reaction(self.world.clock.now(), external_userid=external_userid))
        self._note_reaction("commented", moment_id, task, external_userid)

    @act
    def member_comments_moment(self, userid: str, moment_id: str) -> None:
        """Let a member answer under his own post."""
        task = self._published(self._moment(moment_id), userid)
        task.comments.append(Reaction(self.world.clock.now(), userid=task.userid))
        self._note_reaction("commented", moment_id, task, "")

    def _moment(self, moment_id: str) -> Moment:
        moment = self.world.moments.moments.get(moment_id)
        if moment is None or moment.is_deleted:
            raise ActRefused(f"no moment {moment_id!r}")
        return moment

    def _task(self, moment: Moment, userid: str) -> MomentTask:
        task = moment.tasks.get(userid)
        if task is None:
            raise ActRefused(f"{userid!r} was not asked to publish {moment.moment_id!r}")
        return task

    def _published(self, moment: Moment, userid: str) -> MomentTask:
        task = self._task(moment, userid)
        if task.published_at is None:
            raise ActRefused(f"{userid!r} has not published {moment.moment_id!r}")
        return task

    def _seen(self, external_userid: str, moment_id: str, userid: str) -> MomentTask:
        task = self._published(self._moment(moment_id), userid)
        if external_userid not in task.seen_by:
            raise ActRefused(f"{external_userid!r} does not see {moment_id!r} of {userid!r}")
        return task

    def _note_reaction(
        self, what: str, moment_id: str, task: MomentTask, external_userid: str
    ) -> None:
        self.world.ledger.append(
            f"moment.{what}",
            moment_id=moment_id,
            userid=task.userid,
            external_userid=external_userid,
        )
