"""How a call to the platform can end badly, by what has to be done about it.

The classes are those of the error table (scrm/channels/wecom/errcodes.py).
"""

from datetime import timedelta
from typing import ClassVar

from scrm.common.errors import DomainError

_NO_CODE = 2**31


class ChannelError(DomainError):
    """The platform refused: the same request will be refused again."""

    code = "platform_refused"
    status = 502
    may_have_happened: ClassVar[bool] = False

    def __init__(self, detail: str, *, errcode: int | None = None) -> None:
        super().__init__(detail)
        # What is no code of the platform's (and would fit no column) is said in the detail only.
        self.errcode = errcode if errcode is None or abs(errcode) < _NO_CODE else None


class InputRefused(ChannelError):
    """INPUT: what we sent was wrong; show it to whoever wrote it."""

    code = "platform_input"


class Misconfigured(ChannelError):
    """PERM: a secret, permission or range in the platform's console has to be changed."""

    code = "platform_permission"


class NotOurs(Misconfigured):
    """Another app made it, and only that one may change it: no setting helps."""

    code = "platform_not_ours"


class QuotaExhausted(ChannelError):
    """QUOTA: a ceiling of the platform."""

    code = "platform_quota"


class Stale(ChannelError):
    """DATA: our copy is out of date; read the object again instead of repeating the call."""

    code = "platform_stale"


class AlreadyDone(ChannelError):
    """DONE: what was asked is already so."""

    code = "platform_done"


class RetryLater(ChannelError):
    """RETRY, SERIAL, LATER: the same request may succeed after `delay`."""

    code = "platform_busy"
    status = 503
    delay: timedelta = timedelta(seconds=5)


class NotReady(RetryLater):
    """LATER: the platform is still working on it (41063)."""


class BackOff(RetryLater):
    """BACKOFF: leave this endpoint alone for `delay` (45009, 45033)."""

    def __init__(self, detail: str, *, errcode: int | None, delay: timedelta) -> None:
        super().__init__(detail, errcode=errcode)
        self.delay = delay


class Unreachable(RetryLater):
    """No connection was made: nothing can have happened."""

    code = "platform_unreachable"


class AnswerLost(RetryLater):
    """The request may have reached the platform, but no answer came back."""

    code = "platform_answer_lost"
    may_have_happened = True
