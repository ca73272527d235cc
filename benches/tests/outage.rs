//! The limits of the program `outage` on few clients, and its model of the service.

use std::time::Duration;

use ringcentral_ws_benches::outage::limits::herd_misses;
use ringcentral_ws_benches::outage::measure::{grown, herds, row};
use ringcentral_ws_benches::outage::{Client, Kind, Length, Life, Row, Traffic, misses, peers};

const RETRY_AFTER: Duration = Duration::from_secs(10);
/// A busy life is long in the making, and after some minutes nothing of its beginning counts any more.
const LIVES: [Life; 2] = [
    Life { up: Duration::from_secs(300), traffic: Traffic::Busy },
    Life { up: Duration::from_secs(3_600), traffic: Traffic::Quiet },
];

/// The limits hold for these kinds, on few clients and lengths.
fn keep_their_limits(kinds: &[Kind], lengths: &[u64]) {
    let lengths = lengths.iter().map(|seconds| Length::Seconds(*seconds)).chain([Length::Drawn]);
    let lengths: Vec<Length> = lengths.collect();
    let mut missed = Vec::new();
    for life in LIVES {
        let clients = grown(200, life);
        for kind in kinds {
            for length in &lengths {
                missed.extend(misses(&row(&clients, life, *kind, *length, RETRY_AFTER)));
            }
        }
    }
    assert!(missed.is_empty(), "{} limits missed:\n{}", missed.len(), missed.join("\n"));
}

fn quiet(seeds: usize, kind: Kind, seconds: u64) -> Row {
    row(&grown(seeds, LIVES[1]), LIVES[1], kind, Length::Seconds(seconds), RETRY_AFTER)
}

// CLAUSE BCK-2
#[test]
fn attempts_that_cost_nothing_bring_users_back_soon() {
    keep_their_limits(&[Kind::Refused, Kind::Name, Kind::GatewayRefused], &[0, 3, 10, 30, 90, 150, 175, 180, 300]);
}

// CLAUSE BCK-2 TOK-2
#[test]
fn attempts_that_cost_auth_calls_stay_within_them_and_bring_users_back() {
    keep_their_limits(&[Kind::Unavailable, Kind::UpgradeRefused], &[0, 3, 10, 30, 90, 150, 175, 180, 300]);
}

// CLAUSE BCK-2 TOK-4
#[test]
fn a_refused_access_token_does_not_cost_the_user_a_minute() {
    keep_their_limits(&[Kind::Refresh401], &[0, 3, 10, 30, 90, 150, 180]);
}

// CLAUSE BCK-2
#[test]
fn whoever_is_closed_by_the_server_is_back_inside_the_window() {
    keep_their_limits(&[Kind::Closed1001], &[0, 3, 60, 150, 170, 175]);
}

// CLAUSE BCK-2 TOK-2
#[test]
fn who_has_to_notice_the_silence_first_is_back_inside_the_window_too() {
    keep_their_limits(&[Kind::BlackHole, Kind::GatewaySilent], &[0, 10, 30, 60, 90, 120, 180, 300]);
}

// CLAUSE BCK-5
#[test]
fn everyone_comes_back_after_any_kind_of_outage() {
    keep_their_limits(&[Kind::Silent, Kind::UnavailableRetryAfter, Kind::RateLimited, Kind::Upgrade401], &[0, 60, 300]);
}

// CLAUSE BCK-1 BCK-2
#[test]
fn a_herd_comes_back_inside_the_window_and_spread() {
    let outages = [
        (Kind::Refused, 1),
        (Kind::Refused, 170),
        (Kind::GatewayRefused, 1),
        (Kind::GatewayRefused, 100),
        (Kind::Closed503, 1),
        (Kind::Closed503, 120),
        (Kind::Closed503, 170),
    ];
    let mut missed = Vec::new();
    for ((kind, seconds), mut herd) in outages.into_iter().zip(herds(4_000, &outages, |_| {})) {
        missed.extend(herd_misses(kind, seconds, herd.worst_100ms()));
        let place = format!("{}, outage of {seconds} s", kind.name());
        if herd.inside * 1_000 < herd.clients * 999 {
            missed.push(format!("{place}: {} of {} inside", herd.inside, herd.clients));
        }
        if herd.most_attempts > 75 {
            missed.push(format!("{place}: {} attempts of one client", herd.most_attempts));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn the_window_of_the_server_decides() {
    let here = quiet(20, Kind::Refused, 0).figures;
    assert!(here.worst.is_finite() && here.attempts >= 1.0, "{here:?}");
    assert_eq!(here.recovered, 1.0, "{here:?}");
    // The server counts from the loss, whatever the client knows.
    assert_eq!(quiet(20, Kind::Refused, 181).figures.recovered, 0.0);
    assert_eq!(quiet(20, Kind::Silent, 181).figures.recovered, 0.0);
}

#[test]
fn only_calls_that_the_server_may_have_seen_are_counted() {
    for kind in [Kind::Refused, Kind::Name, Kind::Silent, Kind::Closed1001] {
        let figures = quiet(20, kind, 60).figures;
        assert_eq!(figures.auth_calls, 1, "{}: the one after the return", kind.name());
        assert!(figures.attempts > 1.0, "{}", kind.name());
    }
    for kind in [Kind::Unavailable, Kind::UpgradeRefused, Kind::Upgrade401] {
        assert!(quiet(20, kind, 60).figures.auth_calls >= 2, "{}", kind.name());
    }
    // The refused call, the login, the call with the new token.
    assert_eq!(quiet(20, Kind::Refresh401, 60).figures.auth_calls, 3);
    // A session that has just begun has used two.
    let young = Life { up: Duration::from_secs(30), traffic: Traffic::Quiet };
    let figures = row(&grown(20, young), young, Kind::Refused, Length::Seconds(0), RETRY_AFTER).figures;
    assert_eq!(figures.auth_calls, 3);
}

#[test]
fn a_silent_socket_is_noticed_by_the_heartbeat() {
    let figures = quiet(200, Kind::Silent, 0).figures;
    // The last frame came up to 30 s before the loss; 30 s of silence, 10 s for the echo.
    assert!(figures.p50 >= 20.0 && figures.p50 <= 35.0, "{figures:?}");
    assert!(figures.worst >= 30.0, "{figures:?}");
}

#[test]
fn the_same_seed_gives_the_same_outcome() {
    let outcome = |seed| {
        let outcome = Client::grown(seed, LIVES[1]).lose(Kind::Unavailable, Duration::from_secs(45), RETRY_AFTER);
        (outcome.wait, outcome.attempts, outcome.auth_calls)
    };
    assert_eq!(outcome(7), outcome(7));
    assert_ne!(outcome(7).0, outcome(8).0);
}

#[test]
fn a_formula_is_followed() {
    let schedule = |name| peers::SCHEDULES.into_iter().find(|(known, _)| *known == name).unwrap().1;
    let fixed = peers::figures(10, Length::Seconds(12), schedule("ezsockets"));
    // At 5, 10 and 15 s.
    assert!((fixed.worst - 3.1).abs() < 1e-6 && fixed.attempts == 3.0, "{fixed:?}");
    let ends = peers::figures(10, Length::Seconds(60), schedule("SignalR (gives up)"));
    assert!(ends.p50.is_infinite() && ends.attempts == 4.0 && ends.recovered == 0.0, "{ends:?}");
    let herd = peers::herd(100, 12, schedule("ezsockets"));
    assert_eq!((herd.inside, herd.most_attempts, herd.times.len()), (100, 3, 300));
}
