//! Every other fault, with the tests that have it: `driver/copies::name` is a test in `tests/driver/copies.rs`.

/// One fault, where it happens, what it costs beside time, and who shows that.
pub struct Row {
    pub place: &'static str,
    pub fault: &'static str,
    pub cost: &'static str,
    pub tests: &'static [&'static str],
}

const fn row(
    place: &'static str,
    fault: &'static str,
    cost: &'static str,
    tests: &'static [&'static str],
) -> Row {
    Row { place, fault, cost, tests }
}

const NONE: &str = "nothing";
const MEANWHILE: &[&str] = &[
    "driver/meanwhile::whoever_acts_at_any_moment_of_a_flip_nothing_is_fought_and_nothing_sent_twice",
];
const STATUSES: &[&str] = &[
    "stories/kubernetes::a_status_that_is_refused_or_whose_answer_is_lost_is_there_once_in_the_end",
];
const TOKENS: &[&str] =
    &["stories/credential::whatever_is_in_the_file_of_the_token_only_a_token_is_sent"];

/// What does not go wrong with one request alone.
pub const ROWS: &[Row] = &[
    row(
        "POST",
        "TLS failure",
        "nothing: no token is sent",
        &["stories/faults::over_tls_only_a_trusted_server_gets_the_token"],
    ),
    row(
        "POST",
        "answer delayed past the next flip",
        "the POST of that flip",
        &[
            "stories/identity::a_flip_back_during_the_call_ends_as_the_last_word_says",
            "stories/faults::a_lost_pause_that_lands_late_is_not_reported_as_gone_before_it_can_land_no_more",
        ],
    ),
    row("POST", "409 on a pause of one paused by hand, by error, or archived", NONE, MEANWHILE),
    row("POST", "409 on an unpause of an active one", NONE, MEANWHILE),
    row(
        "POST",
        "everything is refused for a while",
        "nothing until it is over",
        &[
            "stories/faults::an_outage_turns_nothing_red_before_the_grace_and_everything_is_well_after",
        ],
    ),
    row(
        "GET, LIST",
        "each of them always fails",
        "nothing until it is over",
        &[
            "stories/faults::a_bad_answer_has_a_clear_reason_and_heals",
            "stories/faults::a_list_without_an_end_is_no_answer",
        ],
    ),
    row(
        "GET, LIST",
        "an item is missing in several lists",
        NONE,
        &["stories/gone::absence_from_a_list_is_not_absence"],
    ),
    row(
        "other actors",
        "a human toggles before, between, after",
        "a correction, if it is undone after the flip",
        MEANWHILE,
    ),
    row(
        "other actors",
        "the platform pauses at each step",
        "nothing; just before an unpause it is lifted by it",
        MEANWHILE,
    ),
    row("other actors", "archived at each step", NONE, MEANWHILE),
    row(
        "other actors",
        "a second controller that fights",
        "three corrections, then a hold",
        &["stories/drift::drift_is_corrected_until_it_is_a_contest_and_a_new_wish_ends_that"],
    ),
    row(
        "Kubernetes API",
        "watch gap, 410 Gone",
        NONE,
        &[
            "stories/kubernetes::what_a_watch_has_missed_is_listed",
            "driver/watch::a_watch_that_lags_behind_is_listed_again_and_nothing_is_lost",
        ],
    ),
    row(
        "Kubernetes API",
        "a watch that lags by seconds",
        NONE,
        &["stories/kubernetes::a_watch_that_lags_by_seconds_makes_nobody_act_on_what_was"],
    ),
    row(
        "Kubernetes API",
        "stale list after a restart",
        NONE,
        &[
            "driver/copies::the_last_status_of_the_process_before_is_not_overwritten_by_an_older_one",
        ],
    ),
    row(
        "Kubernetes API",
        "outage of 1 s",
        NONE,
        &["driver/watch::a_short_outage_of_kubernetes_makes_nobody_unready_later"],
    ),
    row(
        "Kubernetes API",
        "outage of minutes",
        NONE,
        &[
            "driver/watch::a_paged_list_that_fails_for_ten_minutes_is_told_by_readyz_metrics_and_one_line",
            "stories/process::while_the_api_server_is_away_nothing_is_written_and_after_it_all_is_done",
        ],
    ),
    row(
        "Kubernetes API",
        "429 or 503 to everything for a while",
        NONE,
        &["stories/kubernetes::an_api_server_that_refuses_everything_for_a_while_costs_time_only"],
    ),
    row(
        "Kubernetes API",
        "etcd stands still",
        NONE,
        &["stories/kubernetes::a_store_that_stands_still_and_a_kind_that_is_gone_cost_no_write"],
    ),
    row("Kubernetes API", "409, 404, 422, 403, 429 or 500 on the status patch", NONE, STATUSES),
    row(
        "Kubernetes API",
        "the status patch is applied and its answer lost, or it is lost",
        NONE,
        STATUSES,
    ),
    row(
        "Kubernetes API",
        "CRD missing, or with fields removed",
        NONE,
        &["stories/kubernetes::a_store_that_stands_still_and_a_kind_that_is_gone_cost_no_write"],
    ),
    row("object life", "deleted during a POST", NONE, MEANWHILE),
    row(
        "object life",
        "deleted and made again under the same name with the opposite wish",
        "the POST of the second",
        &["stories/identity::deleted_and_made_again_with_the_opposite_wish_during_the_call"],
    ),
    row(
        "object life",
        "two resources for one deployment",
        NONE,
        &["stories/identity::the_oldest_owns_and_its_deletion_hands_over"],
    ),
    row(
        "process",
        "crash before each call, with it on its way, and after it",
        "up to two statuses that say that it waits; one event is lost, if it had not left",
        &[
            "driver/crashes::killed_at_any_call_and_started_again_it_ends_as_if_nothing_had_been",
            "driver/crashes::killed_at_any_call_it_is_followed_by_one_that_ends_as_if_nothing_had_been",
            "stories/process::killed_before_the_effect_it_pauses_after_the_restart",
            "stories/process::killed_after_the_effect_it_sends_nothing_needless_after_the_restart",
            "stories/kubernetes::killed_around_a_call_to_kubernetes_it_goes_on_where_it_was",
        ],
    ),
    row(
        "process",
        "SIGTERM during a POST",
        NONE,
        &[
            "stories/process::a_sigterm_lets_what_is_under_way_end",
            "driver/moments::a_sigterm_at_any_moment_leaves_what_was_done_in_the_status_and_in_an_event",
        ],
    ),
    row(
        "process",
        "frozen while leader",
        NONE,
        &[
            "driver/leader::a_leader_that_was_frozen_sends_nothing_when_it_wakes",
            "stories/leader::a_leader_that_was_stopped_amid_a_flip_of_all_acts_no_more_when_it_wakes",
        ],
    ),
    row(
        "process",
        "two leaders",
        NONE,
        &["driver/leader::of_two_that_take_the_lease_at_the_same_moment_one_leads"],
    ),
    row(
        "process",
        "leadership lost with a write in flight",
        NONE,
        &[
            "driver/leader::a_write_under_way_when_the_lead_is_lost_is_the_only_one_and_holds_nothing_in_the_next_term",
            "stories/leader::a_leader_that_is_cut_off_amid_a_flip_of_all_gives_way_and_comes_back",
        ],
    ),
    row(
        "credential",
        "file missing, empty, with an inner newline, not ASCII, of 1 MiB",
        "a status that says so",
        TOKENS,
    ),
    row("credential", "trailing newline", NONE, TOKENS),
    row("credential", "deleted, and there again", "a status that says so", TOKENS),
    row(
        "credential",
        "replaced",
        "up to three probes with the old one",
        &[
            "stories/credential::a_rejected_token_costs_few_probes_and_a_new_one_heals_all_without_a_restart",
        ],
    ),
];
