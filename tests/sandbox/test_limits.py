"""Which test shows that the sandbox keeps which of the platform's rules."""

import ast
from functools import cache
from pathlib import Path

import pytest

from scrm.sandbox.options import Options

FOLDER = Path(__file__).parent

# rule of the platform → the tests that show it
RULES: dict[str, tuple[str, ...]] = {
    "a token lives 7200 s, or shorter": (
        "test_access.py::test_lets_a_token_live_7200_virtual_seconds",
        "test_faults.py::test_expires_or_voids_every_token",
    ),
    "gettoken gives the same token again": (
        "test_access.py::test_gives_the_same_token_inside_its_lifetime",
    ),
    "wrong secrets block an address for an hour": (
        "test_traffic.py::test_wrong_secrets_close_the_door_to_their_address",
    ),
    "jsapi tickets: 400 an hour per corp, 100 per app, 7200 s": (
        "test_oauth.py::test_tickets_run_two_hours_and_are_fetched_seldom",
    ),
    "an OAuth code is good once, for 5 min; its ticket for 1800 s": (
        "test_oauth.py::test_a_code_tells_once_who_opened_the_page",
        "test_oauth.py::test_a_code_lives_five_minutes",
        "test_oauth.py::test_a_ticket_shows_private_facts_for_half_an_hour",
    ),
    "trusted addresses hold after a minute": (
        "test_traffic.py::test_trusts_listed_addresses_a_minute_after_they_were_listed",
    ),
    "10 000 calls a minute and 150 000 an hour per corp and endpoint": (
        "test_traffic.py::test_the_documented_limits_are_the_defaults",
        "test_traffic.py::test_whoever_exceeds_a_minute_waits_a_minute",
        "test_traffic.py::test_whoever_exceeds_an_hour_waits_an_hour",
    ),
    "20 000 a minute and 600 000 an hour per address": (
        "test_traffic.py::test_the_documented_limits_are_the_defaults",
        "test_traffic.py::test_counts_each_address_for_itself",
    ),
    "whoever exceeds a day waits for the next one, a month for 30 days": (
        "test_media.py::test_takes_so_many_pictures_a_day_and_a_month",
        "test_id_conversion.py::test_conversions_are_counted_by_the_day",
    ),
    "so many reads of a list at a time (45033)": (
        "test_traffic.py::test_so_many_read_one_list_at_a_time",
    ),
    "parallel writes of one record (45035)": (
        "test_traffic.py::test_two_changes_of_one_relation_at_a_time_are_refused",
        "test_traffic.py::test_one_member_is_handed_over_once_at_a_time",
        "test_customer_strategy.py::test_takes_one_change_at_a_time",
    ),
    "debug=1: 5 a minute": ("test_traffic.py::test_debugging_is_for_five_calls_a_minute",),
    "a callback is answered in 5 s, a verification in 1 s": (
        "test_callbacks.py::test_retries_when_the_receiver_is_too_slow",
        "test_callbacks.py::test_fails_a_receiver_that_adds_a_newline_or_is_slow",
    ),
    "three retries, and no promise": (
        "test_callbacks.py::test_retries_three_times_with_fresh_nonces_and_the_same_text",
        "test_callbacks.py::test_gives_up_after_three_retries_and_goes_on",
        "test_callback_trouble.py::test_or_are_never_told",
    ),
    "what the API writes is not told; what people do is": (
        "test_people.py::test_retagging_in_the_client_is_told_but_through_the_api_is_not",
        "test_contact_ways.py::test_writing_by_the_api_is_not_told",
        "test_acquisition.py::test_only_deletions_in_the_console_are_told",
        "../conformance/test_requests.py::test_a_request_is_not_told",
    ),
    "a welcome code is good once, for 20 s": (
        "test_welcomes.py::test_greets_once",
        "test_welcomes.py::test_a_code_is_good_for_twenty_seconds",
        "test_welcomes.py::test_another_app_that_is_busy_is_waited_for",
    ),
    "news of the archive every 15 s at most": (
        "test_archive.py::test_tells_of_new_messages_every_fifteen_seconds_at_most",
    ),
    "5 000 to 20 000 customers per member": (
        "test_handover.py::test_a_full_taker_takes_as_many_as_there_is_room_for",
    ),
    "500 followers a page": ("test_contacts.py::test_pages_followers_beyond_500",),
    "batch/get_by_user: 100 members, 50 to 100 rows a page": (
        "test_contacts.py::test_gives_50_a_page_by_default_and_clamps_to_100",
        "test_contacts.py::test_takes_at_most_100_members",
    ),
    "remark and company 20 characters, description 150": (
        "test_contacts.py::test_refuses_remarks_that_are_empty_or_too_long",
    ),
    "apps made since 2022-06-20 see no private facts of members": (
        "test_visibility.py::test_members_show_private_facts_to_apps_of_old",
    ),
    "10 000 tags, those of rule groups included": (
        "test_strategy_tags.py::test_share_the_limit_of_corp_tags",
        "../conformance/test_errors.py::test_is_refused_for_the_documented_cause",
    ),
    "names of tags: 30 characters": ("test_tags.py::test_refuses_taken_bad_and_missing_names",),
    "tags per customer (not published), 1 to 1000 a call": (
        "test_visibility.py::test_a_customer_carries_so_many_tags_where_the_sandbox_is_told_so",
        "test_tags.py::test_refuses_to_mark_with_bad_tags",
    ),
    "500 000 contact ways and join ways together": (
        "test_contact_ways.py::test_shares_its_limit_with_join_codes",
        "test_limits.py::test_published_figures_are_the_defaults",
    ),
    "100 members per contact way, 1 of a single one": (
        "test_contact_ways.py::test_departments_count_with_all_their_members",
    ),
    "state and remark of a contact way: 30 characters": (
        "test_contact_ways.py::test_refuses_what_the_platform_refuses",
    ),
    "contact ways are listed since 2021-07-10, of 90 days by default": (
        "test_contact_ways.py::test_lists_page_by_page_what_was_made_in_time",
        "test_contact_ways.py::test_codes_older_than_the_list_are_not_listed",
    ),
    "temporary chats: 100 000 a day, 14 days": (
        "test_contact_ways.py::test_refuses_temporary_codes_out_of_bounds",
        "test_contact_ways.py::test_temporary_chats_are_for_few_and_not_for_many_a_day",
    ),
    "5 groups per join way, a remark is cut": (
        "test_join_ways.py::test_refuses_what_the_platform_refuses",
        "test_join_ways.py::test_tells_what_it_was_made_of",
    ),
    "a join way grows when its groups are full": (
        "test_join_ways.py::test_fills_one_group_after_the_other_and_then_grows",
    ),
    "acquisition links: 500 members, 1000 preferred, name 30, channel 64 B": (
        "test_acquisition.py::test_refuses_what_the_platform_refuses",
        "test_acquisition.py::test_has_its_limits",
        "test_acquisition.py::test_people_come_through_a_link_with_its_channel",
    ),
    "a new friend costs quota; news of it under 20": (
        "test_acquisition.py::test_each_new_friend_takes_from_what_expires_first",
        "test_acquisition.py::test_tells_when_the_quota_is_low_used_up_and_there_again",
    ),
    "a mass message needs its member, the last who chatted": (
        "test_mass_messages.py::test_without_a_sender_asks_whoever_talked_last",
        "test_results.py::test_task_rows_turn_from_0_to_2_with_a_send_time",
    ),
    "10 000 customers, 2 000 groups, 100 tags of a filter a call": (
        "test_mass_messages.py::test_takes_ten_thousand_customers_and_two_thousand_groups",
        "test_mass_messages.py::test_checks_the_documented_limits",
    ),
    "text 4000 B, 9 attachments and their fields": (
        "test_mass_messages.py::test_checks_the_documented_limits",
    ),
    "mass messages a customer takes, in four modes": (
        "test_quota.py::test_counts_from_the_chinese_midnight_that_began_the_period",
        "test_quota.py::test_allows_as_many_as_the_month_has_days",
        "test_results.py::test_every_recipient_ends_with_his_own_reason",
    ),
    "3 reminders in 24 h": ("test_mass_messages.py::test_reminds_three_times_in_24_hours",),
    "records of a month; dispatched at first": (
        "test_results.py::test_refuses_to_list_more_than_a_month",
        "test_results.py::test_says_that_a_fresh_message_is_still_being_dispatched",
    ),
    "results of groups: only what was sent": (
        "test_results.py::test_group_results_list_sent_rows_only",
    ),
    "group welcomes: 100, 3000 B, one attachment": (
        "test_group_welcomes.py::test_a_corp_has_so_many",
        "test_group_welcomes.py::test_refuses_what_the_platform_refuses",
        "test_group_welcomes.py::test_only_the_first_kind_of_several_is_taken",
    ),
    "100 customers or groups a handover": (
        "test_handover.py::test_refuses_calls_that_make_no_sense",
    ),
    "in service 2 handovers in 90 days, after 24 h": (
        "test_handover.py::test_a_colleague_has_the_customer_after_a_day",
        "test_handover.py::test_says_of_each_customer_why_not",
        "test_handover.py::test_a_group_changes_hands_in_service_twice_in_ninety_days",
    ),
    "300 groups a day of one owner": (
        "test_handover.py::test_one_owner_gives_three_hundred_groups_a_day",
    ),
    "logins within a year, left less than a year ago": (
        "test_handover.py::test_refuses_members_who_are_not_fit",
        "test_handover.py::test_refuses_a_leaver_of_more_than_a_year_ago",
    ),
    "handover results: pages": ("test_handover.py::test_results_come_in_pages",),
    "moments: 10 a minute, 100 000 a month": (
        "test_moments.py::test_limits_moments_a_minute_a_month_and_at_a_time",
        "test_limits.py::test_published_figures_are_the_defaults",
    ),
    "content and range of a moment": ("test_moments.py::test_checks_content_and_range",),
    "moments are listed by 20, of 30 days, without deleted ones": (
        "test_moments.py::test_pages",
        "test_moments.py::test_deleted_moments_are_shown_no_more",
    ),
    "a list of groups: 100 owners, 81017 above 1000 members, 1000 a page": (
        "test_groupchats.py::test_wants_an_owner_filter_beyond_1000_members",
        "test_groupchats.py::test_wants_a_limit_between_1_and_1000",
    ),
    "product album": ("test_product_album.py::test_checks_every_field",),
    "words: 100 rules, 300 words": (
        "test_intercept_rules.py::test_keeps_a_hundred_rules",
        "test_intercept_rules.py::test_checks_every_field",
    ),
    "statistics: 30 days, 180 back, until yesterday": (
        "test_statistics.py::test_asks_for_somebody_and_for_days_that_are_over",
        "test_statistics.py::test_groups_are_counted_for_days_that_are_over",
    ),
    "a medium lasts 3 days": ("test_media.py::test_forgets_media_after_three_days",),
    "sizes of media": (
        "test_media.py::test_takes_the_documented_kinds_and_sizes",
        "test_media.py::test_tells_why_a_file_could_not_be_fetched",
    ),
    "uploadimg: 2 MB, 1000 a day, 3000 a month": (
        "test_media.py::test_takes_pictures_up_to_two_megabytes",
        "test_media.py::test_takes_so_many_pictures_a_day_and_a_month",
    ),
    "app messages: members x 200 a day, 30 a minute, 1000 an hour": (
        "test_app_message_kinds.py::test_an_app_may_say_so_much_a_day",
        "test_app_messages.py::test_passes_over_whoever_is_told_too_much",
    ),
    "1000 receivers, 100 departments, 100 tags; 2048 B": (
        "test_app_messages.py::test_refuses_what_the_platform_refuses",
        "test_app_messages.py::test_cuts_what_is_too_long",
    ),
    "recall 24 h; a card's code 72 h, once": (
        "test_template_cards.py::test_messages_are_taken_back_within_a_day",
        "test_template_cards.py::test_a_code_of_a_press_replaces_the_whole_card_for_72_hours",
    ),
    "the archive keeps 5 days": (
        "test_archive.py::test_keeps_five_days",
        "test_archived_media.py::test_files_go_after_five_days",
    ),
    "1000 messages a pull, 4000 pulls a minute; pieces of 512 KB, 25 000 a minute": (
        "test_archive.py::test_refuses_pulls_that_make_no_sense",
        "test_archived_media.py::test_a_file_comes_in_pieces_of_512_kilobytes",
        "test_limits.py::test_published_figures_are_the_defaults",
    ),
    "100 pairs a question about consent": (
        "test_archive.py::test_answers_agreements_of_a_hundred_known_pairs",
    ),
    "old keys open old messages": ("test_archive.py::test_old_messages_need_the_old_key",),
    "customer service: 48 h and 5 messages": (
        "test_service.py::test_five_answers_until_the_customer_writes_again",
        "test_service.py::test_answers_are_due_within_48_hours",
    ),
    "sync_msg: 3 days, a token for 10 min": (
        "test_service.py::test_keeps_three_days",
        "test_service.py::test_a_token_lives_ten_minutes_and_without_one_reads_are_few",
    ),
    "list_id: 10 000 a page": (
        "test_contact_sync.py::test_refuses_limits_outside_of_one_to_ten_thousand",
    ),
    "staff events: ids only, not to every app": (
        "test_people.py::test_staff_changes_carry_ids_only_and_no_agent",
        "test_people.py::test_staff_changes_can_be_kept_from_the_app",
    ),
    "rule groups: 5 levels, 3 000 nodes, one call after the other": (
        "test_customer_strategy.py::test_goes_five_levels_deep",
        "test_customer_strategy.py::test_holds_so_many_nodes_and_no_super_administrator",
        "test_customer_strategy.py::test_takes_one_change_at_a_time",
    ),
}
# Rules of the table that no request can meet in the sandbox.
WITHOUT_TEST: dict[str, str] = {
    "abnormal traffic": "nobody knows what counts as such; 45036 is ordered as a fault",
    "customers per corp": "the API adds no customers",
    "provider apps after 2025-12-18": "this is a corp's own app",
    "groups per corp; tags per group; tags per add call": "not published",
    "member-side picker": "a limit of the client",
    "corp tasks per day / month, per sender": "not published",
    "accounts": "no documented endpoint opens accounts here",
    "**Directory**": "the directory is changed in the console, not by an app like this one",
}


@cache
def names_in(file: str) -> set[str]:
    tree = ast.parse((FOLDER / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("rule", RULES)
def test_a_test_shows_that_the_rule_is_kept(rule: str) -> None:
    missing = [t for t in RULES[rule] if t.partition("::")[2] not in names_in(t.split("::")[0])]

    assert missing == []
    assert RULES[rule]


def test_published_figures_are_the_defaults() -> None:
    options = Options()

    assert options.contact_way_limit == 500_000
    assert options.moments_per_month == 100_000
    assert options.calls_per_minute_by_path["externalcontact/add_moment_task"] == 10
    assert options.calls_per_minute_by_path["archive/getchatdata"] == 4000
    assert options.calls_per_minute_by_path["archive/getmediadata"] == 25_000
    assert (options.archive_keep_days, options.media_days) == (5, 3)
    assert (options.welcome_seconds, options.takeover_seconds) == (20, 24 * 3600)
    assert (options.corp_tag_limit, options.customers_per_member) == (10_000, 20_000)
    assert (options.app_messages_per_minute, options.app_messages_per_hour) == (30, 1000)
    assert options.app_messages_per_head_and_day == 200
