//! Recovery: what comes back, until when, and what is lost.

use crate::support;

use ringcentral_ws_gateway::{ConnectionTimeout, Fate, GatewayEvent, GatewayOutput, LossCause};
use serde_json::Value;
use support::{Bench, EXT, S, close_of, numbers, wsc_of};

const SMS: &str = "/restapi/v1.0/account/~/extension/~/message-store/instant?type=SMS";

fn event() -> String {
    format!("{EXT}/message-store/instant?type=SMS")
}

fn state(frames: &[Value]) -> (Option<&str>, Option<&str>) {
    assert_eq!(frames[0][0]["type"], "ConnectionDetails");
    (frames[0][1]["recoveryState"].as_str(), frames[0][1]["recoveryErrorCode"].as_str())
}

#[test]
fn a_fresh_connection_gets_all_details_and_no_recovery_state() {
    let mut bench = Bench::new(|_| {});
    let conn = bench.open(None);
    let frames = bench.frames(conn);
    let (meta, body) = (&frames[0][0], &frames[0][1]);
    assert_eq!(meta["status"], 200);
    assert_eq!(meta["messageId"], meta["headers"]["RCRequestId"]);
    assert_eq!(meta["wsc"]["sequence"], 1);
    assert_eq!(body["creationTime"], "2025-08-20T22:23:55.169+0000");
    for (field, value) in [
        ("maxConnectionsPerSession", 50),
        ("recoveryBufferSize", 100),
        ("recoveryTimeout", 180),
        ("idleTimeout", 1800),
        ("absoluteTimeout", 86_400),
        ("maxActiveRequests", 10),
    ] {
        assert_eq!(body[field], value, "{field}");
    }
    assert_eq!(state(&frames), (None, None));
}

#[test]
fn missed_notifications_follow_right_after_connection_details() {
    let mut bench = Bench::new(|_| {});
    let (conn, wsc, id) = bench.subscribed(&[SMS]);
    bench.notify(&event(), 1);
    assert_eq!(numbers(&bench.frames(conn)), [1]);
    bench.g.ws_closed(conn, bench.now);
    bench.notify(&event(), 2);
    bench.notify(&event(), 3);
    assert_eq!(bench.g.buffered(1), 2);
    let conn = bench.open(Some(&wsc));
    let frames = bench.frames(conn);
    assert_eq!(state(&frames), (Some("Successful"), None));
    assert_eq!(numbers(&frames), [2, 3]);
    assert!(frames[1..].iter().all(|frame| frame[1]["subscriptionId"] == id));
    assert_ne!(wsc_of(&frames[0]), wsc);
    bench.notify(&event(), 4);
    assert_eq!(numbers(&bench.frames(conn)), [4]);
    let ledger = bench.g.ledger(1).unwrap();
    assert_eq!((ledger.sent, ledger.replayed, ledger.buffered, ledger.lost), (2, 2, 2, 0));
}

#[test]
fn the_window_ends_after_exactly_180_seconds() {
    for (after, expected) in [(180 * S - 1, "Successful"), (180 * S, "Successful"), (180 * S + 1, "Failed")] {
        let mut bench = Bench::new(|_| {});
        let (conn, wsc, _) = bench.subscribed(&[SMS]);
        bench.at(5 * S);
        bench.g.ws_closed(conn, bench.now);
        bench.notify(&event(), 1);
        bench.at(5 * S + after);
        let conn = bench.open(Some(&wsc));
        let frames = bench.frames(conn);
        assert_eq!(frames[0][1]["recoveryState"], expected, "after {after} µs");
        assert_eq!(numbers(&frames).len(), usize::from(expected == "Successful"));
    }
}

#[test]
fn a_late_recovery_fails_politely_and_reports_the_loss() {
    let mut bench = Bench::new(|_| {});
    let (conn, wsc, _) = bench.subscribed(&[SMS]);
    bench.g.ws_closed(conn, 0);
    bench.notify(&event(), 1);
    bench.at(200 * S);
    let conn = bench.open(Some(&wsc));
    let frames = bench.frames(conn);
    assert_eq!(state(&frames), (Some("Failed"), Some("WSG-1005")));
    let lost = bench.events().into_iter().any(
        |event| matches!(event, GatewayEvent::Lost { uuids, cause: LossCause::SessionEnded, .. } if uuids.len() == 1),
    );
    assert!(lost);
    assert_eq!(bench.g.observations().lost, 1);
}

#[test]
fn the_buffer_holds_100_and_drops_the_oldest_silently() {
    for missed in [99u64, 100, 101] {
        let mut bench = Bench::new(|_| {});
        let (conn, wsc, _) = bench.subscribed(&[SMS]);
        bench.g.ws_closed(conn, 0);
        let receipts: Vec<_> =
            (0..missed).flat_map(|n| bench.g.notify(&event(), &format!("{{\"n\":{n}}}"), 0)).collect();
        let dropped: Vec<u64> = receipts
            .iter()
            .filter_map(|receipt| match receipt.fate {
                Fate::Buffered { dropped } => dropped,
                Fate::Sent { .. } => None,
            })
            .collect();
        let expected: Vec<u64> =
            receipts[..missed as usize - 100.min(missed as usize)].iter().map(|r| r.uuid).collect();
        assert_eq!(dropped, expected);
        let conn = bench.open(Some(&wsc));
        let frames = bench.frames(conn);
        assert_eq!(frames[0][1]["recoveryState"], "Successful");
        assert_eq!(numbers(&frames), (missed.saturating_sub(100)..missed).collect::<Vec<_>>());
    }
}

#[test]
fn without_a_subscription_there_is_nothing_to_recover() {
    let mut bench = Bench::new(|_| {});
    let conn = bench.open(None);
    let wsc = wsc_of(&bench.frames(conn)[0]);
    bench.g.ws_closed(conn, 0);
    let conn = bench.open(Some(&wsc));
    assert_eq!(state(&bench.frames(conn)), (Some("Failed"), Some("WSG-1005")));
}

#[test]
fn another_oauth_session_cannot_recover_but_a_refreshed_one_can() {
    let mut bench = Bench::new(|_| {});
    let login = bench.g.login(0, 0).unwrap();
    bench.access = login.access_token;
    let (conn, wsc, _) = bench.subscribed(&[SMS]);
    bench.g.ws_closed(conn, 0);
    let refresh = login.refresh_token.unwrap();
    let answer = bench.token(&format!("grant_type=refresh_token&refresh_token={refresh}"));
    bench.access = support::json(&answer)["access_token"].as_str().unwrap().to_owned();
    let conn = bench.open(Some(&wsc));
    assert_eq!(state(&bench.frames(conn)), (Some("Successful"), None));
    bench.g.ws_closed(conn, 0);
    bench.access = bench.g.login(0, 0).unwrap().access_token;
    let conn = bench.open(Some(&wsc));
    assert_eq!(state(&bench.frames(conn)), (Some("Failed"), Some("WSG-1003")));
}

#[test]
fn an_invented_wsc_is_an_error_and_a_close() {
    let mut bench = Bench::new(|_| {});
    let conn = bench.open(Some("made-up"));
    let outputs = bench.outputs();
    let GatewayOutput::Send { text, .. } = &outputs[0] else { panic!("{outputs:?}") };
    let frame: Value = serde_json::from_str(text).unwrap();
    assert_eq!(frame[0]["type"], "Error");
    assert_eq!(frame[1]["errorCode"], "WSG-400");
    assert_eq!(frame[1]["message"], "Malformed WebSocket session context token");
    assert_eq!(close_of(&outputs, conn).unwrap().0, 1000);
    assert_eq!(bench.g.observations().malformed_wsc, 1);
}

#[test]
fn undelivered_notifications_go_back_before_the_buffered_ones() {
    let mut bench = Bench::new(|_| {});
    let (conn, wsc, _) = bench.subscribed(&[SMS]);
    let receipts: Vec<_> = (1..=3).flat_map(|n| bench.g.notify(&event(), &format!("{{\"n\":{n}}}"), 0)).collect();
    let report = bench.g.ws_lost(conn, &[receipts[1].uuid, receipts[2].uuid], 0);
    assert_eq!((report.requeued.len(), report.dropped.len()), (2, 0));
    bench.notify(&event(), 4);
    let conn = bench.open(Some(&wsc));
    assert_eq!(numbers(&bench.frames(conn)), [2, 3, 4]);
}

#[test]
fn undelivered_notifications_are_lost_where_the_server_cannot_know() {
    let mut bench = Bench::new(|config| config.half_open_replays = false);
    let (conn, wsc, _) = bench.subscribed(&[SMS]);
    let uuid = bench.g.notify(&event(), "{\"n\":1}", 0)[0].uuid;
    assert_eq!(bench.g.ws_lost(conn, &[uuid], 0).dropped, [uuid]);
    let again = bench.open(Some(&wsc));
    assert_eq!(numbers(&bench.frames(again)), [] as [u64; 0]);
    let cause = LossCause::Undelivered;
    assert!(bench.events().contains(&GatewayEvent::Lost { session: 1, uuids: vec![uuid], cause }));
}

#[test]
fn recovering_a_live_session_takes_it_over() {
    let mut bench = Bench::new(|_| {});
    let (old, wsc, _) = bench.subscribed(&[SMS]);
    let new = bench.open(Some(&wsc));
    let outputs = bench.outputs();
    assert!(close_of(&outputs, old).is_some());
    assert_eq!(bench.g.connection_of(1), Some(new));
    assert_eq!(bench.g.observations().takeovers, 1);
    let uuid = bench.g.notify(&event(), "{\"n\":1}", 0)[0].uuid;
    // The old socket's end is news about the old socket only.
    assert_eq!(bench.g.ws_lost(old, &[uuid], 0).dropped, [uuid]);
    assert_eq!(bench.g.connection_of(1), Some(new));
}

#[test]
fn a_restart_forgets_sessions_but_knows_its_tokens() {
    let mut bench = Bench::new(|_| {});
    let (conn, wsc, _) = bench.subscribed(&[SMS]);
    bench.g.restart(0);
    assert!(bench.outputs().contains(&GatewayOutput::Reset { conn }));
    assert_eq!(bench.g.session_count(), 0);
    let conn = bench.open(Some(&wsc));
    assert_eq!(state(&bench.frames(conn)), (Some("Failed"), Some("WSG-1005")));
}

#[test]
fn forced_timeouts_and_closes_leave_sessions_recoverable() {
    let mut bench = Bench::new(|_| {});
    let (conn, mut wsc, _) = bench.subscribed(&[SMS]);
    let faults: [fn(&mut Bench); 4] = [
        |bench| bench.g.force_timeout(None, ConnectionTimeout::Absolute, 0),
        |bench| bench.g.force_timeout(None, ConnectionTimeout::Idle, 0),
        |bench| bench.g.close_all(1001, "going away", 0),
        |bench| bench.g.reset(None, 0),
    ];
    for fault in faults {
        fault(&mut bench);
        assert_eq!(bench.g.connections().count(), 0);
        bench.outputs();
        let token = bench.g.config_mut();
        token.ws_token.rate_limit = None;
        let conn = bench.open(Some(&wsc));
        let frames = bench.frames(conn);
        assert_eq!(state(&frames).0, Some("Successful"));
        wsc = wsc_of(&frames[0]);
    }
    assert_eq!(bench.g.session_of(conn), None);
}

#[test]
fn wsc_rotates_on_ordinary_messages_where_configured() {
    let mut bench = Bench::new(|config| {
        config.rotate_wsc_every = Some(2);
        config.accept_old_wsc = false;
    });
    let (conn, first, _) = bench.subscribed(&[SMS]);
    bench.notify(&event(), 1);
    let frames = bench.frames(conn);
    assert_eq!(frames[0][0]["wsc"]["sequence"], 2);
    bench.g.ws_closed(conn, 0);
    let newest = wsc_of(&frames[0]);
    let conn = bench.open(Some(&first));
    assert_eq!(state(&bench.frames(conn)), (Some("Failed"), Some("WSG-1005")));
    let conn = bench.open(Some(&newest));
    assert_eq!(state(&bench.frames(conn)), (Some("Successful"), None));
}

#[test]
fn duplicates_and_repeated_tails_are_available_as_faults() {
    let mut bench = Bench::new(|config| config.replay_sent_tail = 1);
    let (conn, wsc, _) = bench.subscribed(&[SMS]);
    bench.g.duplicate_next(1);
    let fate = bench.g.notify(&event(), "{\"n\":1}", 0)[0].fate;
    assert_eq!(fate, Fate::Sent { copies: 2 });
    bench.notify(&event(), 2);
    assert_eq!(numbers(&bench.frames(conn)), [1, 1, 2]);
    bench.g.ws_closed(conn, 0);
    bench.notify(&event(), 3);
    let conn = bench.open(Some(&wsc));
    assert_eq!(numbers(&bench.frames(conn)), [2, 3]);
}

// What fell out of a small buffer leaves the sent ones far behind: no client could be expected to know them again.
#[test]
fn a_repeated_tail_does_not_reach_far_back() {
    let mut bench = Bench::new(|config| (config.replay_sent_tail, config.recovery_buffer_size) = (3, 2));
    let (conn, wsc, _) = bench.subscribed(&[SMS]);
    for n in 1..=2 {
        bench.notify(&event(), n);
    }
    assert_eq!(numbers(&bench.frames(conn)), [1, 2]);
    let lost: Vec<u64> = (3..=7).map(|n| bench.g.notify(&event(), &format!("{{\"n\":{n}}}"), 0)[0].uuid).collect();
    bench.frames(conn);
    bench.g.ws_lost(conn, &lost[1..], 0);
    let conn = bench.open(Some(&wsc));
    assert_eq!(numbers(&bench.frames(conn)), [6, 7]);

    bench.g.ws_closed(conn, 0);
    let conn = bench.open(Some(&wsc));
    assert_eq!(numbers(&bench.frames(conn)), [6, 7]);
}

// What is sent again is one message still: the tail does not consist of its copies.
#[test]
fn a_repeated_tail_holds_each_notification_once() {
    let mut bench = Bench::new(|config| config.replay_sent_tail = 2);
    let (conn, wsc, _) = bench.subscribed(&[SMS]);
    bench.notify(&event(), 1);
    bench.g.duplicate_next(1);
    bench.notify(&event(), 2);
    assert_eq!(numbers(&bench.frames(conn)), [1, 2, 2]);
    let mut conn = conn;
    for _ in 0..3 {
        bench.g.ws_closed(conn, 0);
        conn = bench.open(Some(&wsc));
        assert_eq!(numbers(&bench.frames(conn)), [1, 2]);
    }
}
