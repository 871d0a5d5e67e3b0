"""Customer moments (客户朋友圈): staff are asked to publish them, customers react."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from scrm.channels.base.paging import Page


@dataclass(frozen=True)
class MomentWish:
    """What staff are asked to publish: a text of at most 4 000 bytes, attachments, or both.

    Up to nine images, or one video (≤ 30 s), or one link: `{"kind": "image", "media_id": …}`,
    `{"kind": "link", "title": ≤ 128 bytes, "url": …, "media_id": …}` with ids from
    `Media.upload_attachment` [doc 95094]. Without senders and departments everybody in the
    app's range is asked; without tags all customers may see it.
    """

    content: str
    attachments: tuple[dict[str, Any], ...] = ()
    userids: tuple[str, ...] = ()
    department_ids: tuple[int, ...] = ()
    # Corp tags only; a customer with any of them sees it.
    tag_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class MomentOutcome:
    """How far the platform is with asking; only when it `is_over` the rest says something.

    It failed when `errcode` is not 0. What it could not use of the wish is named, the others
    are asked all the same.
    """

    is_over: bool
    moment_id: str = ""
    errcode: int = 0
    error: str = ""
    invalid_userids: tuple[str, ...] = ()
    invalid_department_ids: tuple[int, ...] = ()
    invalid_tag_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class MomentRecord:
    """A moment of the corp or of a member; `creator` is empty for what an app made."""

    moment_id: str
    creator: str
    created_at: datetime
    is_personal: bool
    is_public: bool
    content: str
    # image, video, link, location, in this order.
    kinds: tuple[str, ...]


@dataclass(frozen=True)
class MomentTask:
    userid: str
    is_published: bool


@dataclass(frozen=True)
class MomentReaction:
    """A comment (whose text is not told) or a like: of a customer, or of a member of staff."""

    external_userid: str
    userid: str
    made_at: datetime


@dataclass(frozen=True)
class MomentReactions:
    comments: tuple[MomentReaction, ...]
    likes: tuple[MomentReaction, ...]


class Moments(Protocol):
    def publish(self, wish: MomentWish) -> str:
        """Start asking; returns a job's id, good for 24 hours.

        Ten a minute and 100 000 a month for a corp (41210).
        """

    def outcome(self, job_id: str) -> MomentOutcome: ...
    def cancel(self, moment_id: str) -> None:
        """Stop asking who has not published yet; what is published stays [doc 97612]."""

    def page(self, since: datetime, until: datetime, cursor: str) -> Page[MomentRecord]:
        """Moments of the corp and of staff that were made in at most 30 days, 20 a page."""

    def task_page(self, moment_id: str, cursor: str) -> Page[MomentTask]:
        """Who was asked and has published; of moments of the corp only."""

    def audience_page(self, moment_id: str, userid: str, cursor: str) -> Page[str]:
        """External ids of those who were chosen to see it."""

    def viewer_page(self, moment_id: str, userid: str, cursor: str) -> Page[str]:
        """External ids of those who can see it, now that the member has published it."""

    def reactions(self, moment_id: str, userid: str) -> MomentReactions: ...
