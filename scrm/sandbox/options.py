"""What can be tuned about a sandbox."""

from dataclasses import dataclass, field
from enum import StrEnum


class QuotaMode(StrEnum):
    """How many mass messages one recipient takes: days-of-month a month, 7 a week, 1 a day, 4 a month."""

    MONTH = "month"
    WEEK = "week"
    DAY = "day"
    LEGACY = "legacy"


@dataclass
class Options:
    """Switches of one sandbox; seconds are virtual except for the callbacks'."""

    token_seconds: int = 7200
    # A fresh token is handed out this long before the old one dies; both work meanwhile.
    token_overlap_seconds: int = 300
    cursor_seconds: int = 4 * 3600
    dispatch_seconds: float = 0
    calls_per_minute: int = 10_000
    calls_per_minute_by_path: dict[str, int] = field(
        default_factory=lambda: {"archive/getchatdata": 4000}
    )
    quota_mode: QuotaMode = QuotaMode.MONTH
    corp_tag_limit: int = 10_000
    # Staff events reach the contact-sync helper and delegated apps only; here one receiver is both.
    staff_events: bool = True
    callback_timeout: float = 5
    callback_retries: int = 3
    callback_retry_spacing: float = 0.2
    verify_timeout: float = 1
    behave: bool = False
    confirm_rate: float = 0.8
    confirm_delay_seconds: float = 1800
    # How long a customer may decline a handover; then the taker has him.
    takeover_seconds: float = 24 * 3600
    # The most rows of handover lists; small ones make tests walk pages.
    result_page: int = 1000
    customers_per_member: int = 20_000
    chat_size: int = 200
    contact_way_limit: int = 500_000
    app_messages_per_minute: int = 30
    archive_enabled: bool = True
    # What a customer counts as who was never asked whether his chats may be archived.
    archive_agreed: bool = True
    archive_notify_seconds: float = 15
    archive_keep_days: float = 5
