"""Moments: what members are asked to publish, who sees it, and what they say to it."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Reaction:
    """A like or a comment, of a customer or of a member."""

    at: float
    external_userid: str = ""
    userid: str = ""


@dataclass(slots=True)
class MomentTask:
    """One member's part: the customers it is for, and once published those who see it."""

    userid: str
    audience: list[str]
    published_at: float | None = None
    seen_by: list[str] = field(default_factory=list)
    comments: list[Reaction] = field(default_factory=list)
    likes: dict[str, Reaction] = field(default_factory=dict)


@dataclass(slots=True)
class Moment:
    moment_id: str
    created_at: float
    # When the platform is through with preparing it.
    ready_at: float
    text: str
    # kind → what it shows, with media of its own that do not expire
    shown: dict[str, Any]
    tasks: dict[str, MomentTask]
    is_public: bool = True
    creator: str = ""
    location: dict[str, str] | None = None
    cancelled_at: float | None = None
    is_deleted: bool = False

    @property
    def is_personal(self) -> bool:
        """Whether a member made it in the client rather than an app through the API."""
        return bool(self.creator)


@dataclass(slots=True)
class MomentJob:
    jobid: str
    asked_at: float
    ready_at: float
    # None when there was nobody who could publish.
    moment_id: str | None
    invalid_senders: list[str]
    invalid_departments: list[int]
    invalid_tags: list[str]


class MomentBook:
    def __init__(self) -> None:
        self.moments: dict[str, Moment] = {}
        self.jobs: dict[str, MomentJob] = {}
        # Who was shown how many moments when; who published when.
        self.seen_log: dict[str, list[float]] = {}
        self.published_log: dict[str, list[float]] = {}

    def add(self, moment: Moment) -> Moment:
        self.moments[moment.moment_id] = moment
        return moment

    def jobs_since(self, since: float) -> int:
        return sum(1 for job in self.jobs.values() if job.asked_at > since)

    def open_jobs(self, now: float) -> int:
        return sum(1 for job in self.jobs.values() if job.ready_at > now)
