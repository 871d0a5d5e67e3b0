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
        default_factory=lambda: {
            "archive/getchatdata": 4000,
            "archive/getmediadata": 25_000,
            "msgaudit/get_robot_info": 600,
            "externalcontact/add_moment_task": 10,
        }
    )
    calls_per_hour: int = 150_000
    calls_per_hour_by_path: dict[str, int] = field(
        default_factory=lambda: {"idconvert/unionid_to_external_userid": 100_000}
    )
    calls_per_day_by_path: dict[str, int] = field(
        default_factory=lambda: {
            "idconvert/unionid_to_external_userid": 480_000,
            "media/uploadimg": 1000,
        }
    )
    calls_per_month_by_path: dict[str, int] = field(
        default_factory=lambda: {
            "idconvert/unionid_to_external_userid": 7_500_000,
            "media/uploadimg": 3000,
        }
    )
    ip_calls_per_minute: int = 20_000
    ip_calls_per_hour: int = 600_000
    debug_calls_per_minute: int = 5
    # How many wrong secrets close the door is not published; how long it stays closed is.
    wrong_secrets_before_block: int = 10
    wrong_secret_block_seconds: float = 3600
    # Who may call; empty lists trust everybody. `set_trusted_ips` fills them with the delay.
    trusted_ips: list[str] = field(default_factory=list)
    archive_trusted_ips: list[str] = field(default_factory=list)
    trusted_ip_seconds: float = 60
    # What every call is answered while the app is disabled (50003) or the corp banned (301007).
    closed_errcode: int = 0
    # Endpoints (by how their paths begin) that the app was not granted, and whom it sees (userids);
    # nothing named means every endpoint and everybody.
    withheld_paths: list[str] = field(default_factory=list)
    visible_members: list[str] = field(default_factory=list)
    # How large a request without a file may be is not published.
    body_bytes: int = 10 * 1024 * 1024
    # How many reads of one list may run at the same time is not published; 0 is any number.
    list_concurrency: int = 0
    refuse_parallel_writes: bool = True
    # Real seconds that every request takes besides, so that requests can meet.
    work_seconds: float = 0
    media_days: float = 3
    # Whether attachments must name media that were uploaded and have not expired.
    check_media: bool = True
    # The pages name two codes for an expired medium and two for one too large.
    expired_media_errcode: int = 40007
    large_media_errcode: int = 45001
    # How long the platform takes to fetch a file, how large it may be, and whether only from
    # servers that give parts.
    fetch_seconds: float = 0
    fetched_bytes: int = 200 * 1024 * 1024
    fetch_needs_range: bool = True
    moments_enabled: bool = True
    moments_per_month: int = 100_000
    # The pages say 2000 characters and 4000 bytes at once; 0 counts characters only.
    moment_text_bytes: int = 4000
    # How long the platform prepares a moment, and how many at a time (not published).
    moment_job_seconds: float = 0
    moment_jobs: int = 100
    # What a member may publish and a customer is shown in a day is not published; 0 is any number.
    moments_published_a_day: int = 0
    moments_seen_a_day: int = 0
    # Of the customers who see a moment, if people behave, so many like it or write something.
    moment_like_rate: float = 0.1
    moment_comment_rate: float = 0.03
    # How many products an album takes is not published.
    product_limit: int = 10_000
    intercept_rule_limit: int = 100
    quota_mode: QuotaMode = QuotaMode.MONTH
    corp_tag_limit: int = 10_000
    # How many tags a member may give one customer, and how many members one list holds, is not
    # published; 0 is any number.
    tags_per_relation: int = 0
    members_per_list: int = 0
    # Whether the app is older than 2022-06-20 and sees members' telephones, addresses and pictures.
    shows_private_staff: bool = False
    # Staff events reach the contact-sync helper and delegated apps only; here one receiver is both.
    staff_events: bool = True
    callback_timeout: float = 5
    callback_retries: int = 3
    callback_retry_spacing: float = 0.2
    # The platform's pages differ: one has only lost connections tried again, not other statuses.
    callback_retry_statuses: bool = True
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
    contact_way_members: int = 100
    # Only medical corps may have temporary chats; this one passes for one.
    temporary_chats: bool = True
    temporary_ways_per_day: int = 100_000
    # A code without verification first makes half a customer, as documented; or a whole one at once.
    skip_verify_halves: bool = True
    welcome_seconds: float = 20
    # Whether the console greets everybody's new customers, so that no app gets a welcome code.
    console_welcome: bool = False
    # How long another app is busy with each welcome code (0 = there is none), and whether it sends.
    rival_welcome_seconds: float = 0
    rival_welcome_sends: bool = True
    group_welcome_limit: int = 100
    # How many links a corp may have is not published.
    acquisition_link_limit: int = 10_000
    acquisition_link_members: int = 500
    # What the corp has paid for when its world begins.
    acquisition_balance: int = 1000
    # What only corps of some industries may: order members of links, hear of opened profiles.
    acquisition_priorities: bool = True
    acquisition_profile_events: bool = False
    acquisition_chat_key_seconds: float = 30 * 60
    statistics_days: int = 30
    statistics_days_back: int = 180
    app_messages_per_minute: int = 30
    app_messages_per_hour: int = 1000
    # So many times the corp's members may be told something in a day, by one app.
    app_messages_per_head_and_day: int = 200
    card_seconds: float = 72 * 3600
    recall_seconds: float = 24 * 3600
    oauth_code_seconds: float = 300
    user_ticket_seconds: float = 1800
    # What the administrator lets the app see of members who agree.
    oauth_fields: list[str] = field(
        default_factory=lambda: [
            "gender",
            "avatar",
            "qr_code",
            "mobile",
            "email",
            "biz_mail",
            "address",
        ]
    )
    # Pages open under this host (and port) only; empty is any.
    trusted_domain: str = ""
    ticket_seconds: int = 7200
    tickets_per_hour: int = 100
    tickets_per_hour_of_corp: int = 400
    strategy_levels: int = 5
    strategy_nodes: int = 3000
    # Who may not be an administrator of a rule group.
    super_admins: list[str] = field(default_factory=list)
    # The app belongs to a provider, which only then may convert ids.
    is_delegated_app: bool = False
    service_window_seconds: float = 48 * 3600
    service_messages: int = 5
    service_keep_days: float = 3
    service_token_seconds: float = 600
    # How strict the platform is with readers without a token is not published.
    service_reads_without_token_per_minute: int = 10
    # States of a session in which the API may write: 0 untreated, 1 with the assistant.
    service_open_states: list[int] = field(default_factory=lambda: [0, 1])
    archive_enabled: bool = True
    # What a customer counts as who was never asked whether his chats may be archived.
    archive_agreed: bool = True
    archive_notify_seconds: float = 15
    archive_keep_days: float = 5
