//! Tokens, connections, heartbeats, timeouts and frames that are not understood.

use crate::support;

use std::time::Duration;

use ringcentral_ws_gateway::{FrameKind, GatewayOutput, HttpRequest, Upgrade};
use serde_json::{Value, json};
use support::{Bench, S, close_of, json, status};

fn unlimited() -> Bench {
    Bench::new(|config| config.ws_token.rate_limit = None)
}

#[test]
fn the_token_response_has_three_members() {
    let mut bench = Bench::new(|_| {});
    let response = bench.post("/restapi/oauth/wstoken", "{}");
    let body = json(&response);
    assert_eq!(body["uri"], "wss://platform.ringcentral.com/ws");
    assert_eq!(body["expires_in"], 600);
    assert!(body["ws_access_token"].as_str().unwrap().bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)));
    assert_eq!(response.get("X-Rate-Limit-Remaining"), Some("4"));
}

#[test]
fn the_sixth_token_in_a_minute_is_refused_and_every_call_prolongs_the_penalty() {
    let mut bench = Bench::new(|_| {});
    for _ in 0..5 {
        bench.ws_token();
    }
    let refused = bench.post("/restapi/oauth/wstoken", "");
    assert_eq!((refused.status, refused.get("Retry-After")), (429, Some("60")));
    assert_eq!(json(&refused)["errorCode"], "CMN-301");
    bench.at(60 * S - 1);
    assert_eq!(bench.post("/restapi/oauth/wstoken", "").status, 429);
    bench.at(120 * S - 2);
    assert_eq!(bench.post("/restapi/oauth/wstoken", "").status, 429, "still in the restarted penalty");
    bench.at(180 * S - 2);
    assert_eq!(bench.post("/restapi/oauth/wstoken", "").status, 200);
    let seen = bench.g.observations();
    assert_eq!((seen.ws_tokens_requested, seen.rate_limited, seen.penalties_restarted), (9, 3, 2));
}

#[test]
fn a_token_opens_one_connection() {
    let mut bench = Bench::new(|_| {});
    let token = bench.ws_token();
    let first = bench.open_with(&token, None);
    assert_eq!(bench.frames(first).len(), 1);
    let second = bench.open_with(&token, None);
    let outputs = bench.outputs();
    let expected = (4400, "server did not receive authorization".to_owned());
    assert_eq!(close_of(&outputs, second), Some(expected));
    assert_eq!(bench.g.observations().ws_tokens_presented_again, 1);
    assert_eq!(bench.g.connections().collect::<Vec<_>>(), [first]);
}

#[test]
fn a_reusable_token_cuts_the_connection_that_used_it() {
    let mut bench = Bench::new(|config| config.ws_token.single_use = false);
    let token = bench.ws_token();
    let first = bench.open_with(&token, None);
    bench.outputs();
    let second = bench.open_with(&token, None);
    assert_eq!(close_of(&bench.outputs(), first).unwrap().0, 1000);
    assert_eq!(bench.g.connections().collect::<Vec<_>>(), [second]);
}

#[test]
fn a_token_is_good_until_just_before_it_expires() {
    for (at, good) in [(600 * S - 1, true), (600 * S, false)] {
        let mut bench = Bench::new(|_| {});
        let token = bench.ws_token();
        bench.at(at);
        let conn = bench.open_with(&token, None);
        assert_eq!(close_of(&bench.outputs(), conn).is_none(), good);
    }
}

#[test]
fn a_token_is_taken_from_the_header_too() {
    let mut bench = Bench::new(|_| {});
    let token = bench.ws_token();
    assert_eq!(bench.g.ws_open(7, "/ws", Some(&format!("Bearer {token}")), 0), Upgrade::Accepted);
    assert_eq!(bench.frames(7).len(), 1);
}

#[test]
fn unauthorized_upgrades_can_be_refused_with_401() {
    let mut bench = Bench::new(|config| config.refuse_unauthorized_upgrade = true);
    let Upgrade::Refused(response) = bench.g.ws_open(1, "/ws?access_token=x", None, 0) else { panic!("accepted") };
    assert_eq!(response.status, 401);
    assert_eq!(bench.g.observations().upgrades_refused, 1);
}

#[test]
fn heartbeats_come_back_as_they_were() {
    let mut bench = Bench::new(|_| {});
    let conn = bench.open(None);
    bench.outputs();
    for (sent, echo) in [
        ("[{\"type\":\"Heartbeat\",\"messageId\":\"a/1\"}]", "[{\"type\":\"Heartbeat\",\"messageId\":\"a/1\"}]"),
        (
            "[ {\"messageId\": \"a\\/1\", \"type\": \"Heartbeat\"} ]",
            "[{\"type\":\"Heartbeat\",\"messageId\":\"a\\/1\"}]",
        ),
        ("[{\"type\":\"Heartbeat\"}]", "[{\"type\":\"Heartbeat\"}]"),
    ] {
        bench.g.ws_text(conn, sent, 0);
        assert_eq!(bench.texts(conn), [echo]);
    }
    bench.g.config_mut().escape_slashes_in_echo = true;
    bench.g.ws_text(conn, "[{\"type\":\"Heartbeat\",\"messageId\":\"a/1\"}]", 0);
    assert_eq!(bench.texts(conn), ["[{\"type\":\"Heartbeat\",\"messageId\":\"a\\/1\"}]"]);
    assert_eq!(bench.g.observations().heartbeats, 4);
}

#[test]
fn a_connection_without_data_for_1800_seconds_ends_with_wsg_902() {
    let mut bench = unlimited();
    let conn = bench.open(None);
    bench.outputs();
    bench.at(1799 * S);
    bench.g.ws_text(conn, "[{\"type\":\"Heartbeat\",\"messageId\":\"1\"}]", bench.now);
    bench.outputs();
    bench.at(3599 * S - 1);
    assert_eq!(bench.outputs(), []);
    assert_eq!(bench.g.next_deadline(), Some(3599 * S));
    bench.at(3599 * S);
    let outputs = bench.outputs();
    let GatewayOutput::Send { text, kind: FrameKind::Error, .. } = &outputs[0] else { panic!("{outputs:?}") };
    assert_eq!(serde_json::from_str::<Value>(text).unwrap()[1]["errorCode"], "WSG-902");
    assert_eq!(close_of(&outputs, conn).unwrap().0, 1000);
    assert_eq!(bench.g.connections().count(), 0);
}

#[test]
fn neither_what_the_server_sends_nor_a_pong_keeps_a_connection_alive() {
    let mut bench = Bench::new(|config| config.ping_interval = Some(Duration::from_secs(1000)));
    let (conn, _, _) = bench.subscribed(&["/team-messaging/v1/posts"]);
    bench.at(1000 * S);
    bench.notify("/team-messaging/v1/posts", 1);
    bench.g.ws_pong(conn, bench.now);
    bench.outputs();
    bench.at(1800 * S);
    assert!(close_of(&bench.outputs(), conn).is_some());
}

#[test]
fn a_connection_ends_after_a_day_with_wsg_903() {
    let mut bench = unlimited();
    let conn = bench.open(None);
    for at in (0..86_400).step_by(1000) {
        bench.g.ws_text(conn, "[{\"type\":\"Heartbeat\",\"messageId\":\"1\"}]", at * S);
    }
    bench.outputs();
    bench.at(86_400 * S - 1);
    assert_eq!(bench.outputs(), []);
    bench.at(86_400 * S);
    let outputs = bench.outputs();
    let GatewayOutput::Send { text, .. } = &outputs[0] else { panic!("{outputs:?}") };
    assert_eq!(serde_json::from_str::<Value>(text).unwrap()[1]["errorCode"], "WSG-903");
    assert!(close_of(&outputs, conn).is_some());
    assert_eq!(bench.g.session_of(conn), None);
}

#[test]
fn pings_want_pongs_within_ten_seconds() {
    let mut bench = Bench::new(|config| config.ping_interval = Some(Duration::from_secs(30)));
    let conn = bench.open(None);
    bench.outputs();
    bench.at(30 * S);
    assert_eq!(bench.outputs(), [GatewayOutput::Ping { conn }]);
    bench.g.ws_pong(conn, 40 * S - 1);
    bench.at(60 * S - 1);
    assert_eq!(bench.outputs(), []);
    bench.at(60 * S);
    assert_eq!(bench.outputs(), [GatewayOutput::Ping { conn }]);
    bench.at(70 * S - 1);
    assert_eq!(bench.outputs(), []);
    bench.at(70 * S);
    assert!(close_of(&bench.outputs(), conn).is_some());
    assert_eq!(bench.g.observations().pongs_missed, 1);
}

#[test]
fn a_body_that_is_neither_object_nor_string_is_wsg_808() {
    let mut bench = Bench::new(|_| {});
    let conn = bench.open(None);
    bench.outputs();
    let path = "/restapi/v1.0/_echo";
    for body in [Value::Null, json!([]), json!(1), json!(true)] {
        let id = bench.send_request(conn, "POST", path, Some(body));
        let frames = bench.frames(conn);
        assert_eq!(frames[0][0]["type"], "Error");
        assert_eq!((status(&frames[0]), frames[0][0]["messageId"].as_str()), (400, Some(&*id)));
        assert_eq!(frames[0][1]["errorCode"], "WSG-808");
    }
    assert_eq!(bench.call(conn, "POST", path, Some(json!({"a": 1})))[1]["body"], "{\"a\":1}");
    assert_eq!(bench.call(conn, "POST", path, Some(json!("text")))[1]["body"], "text");
    assert_eq!(bench.call(conn, "POST", path, None)[1]["body"], "");
}

#[test]
fn garbage_is_answered_and_does_no_harm() {
    let mut bench = Bench::new(|_| {});
    let conn = bench.open(None);
    bench.outputs();
    let garbage = ["", "null", "[]", "{", "[{\"type\":\"Unheard\",\"messageId\":\"x\"}]"];
    for text in garbage {
        bench.g.ws_text(conn, text, 0);
        let frames = bench.frames(conn);
        assert_eq!((frames.len(), &frames[0][0]["type"]), (1, &json!("Error")), "{text}");
    }
    assert_eq!(bench.g.observations().malformed_frames, garbage.len() as u64);
    bench.g.ws_text(99, "nobody there", 0);
    bench.g.ws_closed(99, 0);
    bench.g.ws_lost(99, &[1], 0);
    assert_eq!(bench.g.connections().count(), 1);
}

#[test]
fn frames_before_connection_details_wait_for_it() {
    let mut bench = Bench::new(|config| config.details_delay = Duration::from_secs(1));
    let conn = bench.open(None);
    bench.g.ws_text(conn, "[{\"type\":\"Heartbeat\",\"messageId\":\"early\"}]", 0);
    bench.at(S - 1);
    assert_eq!(bench.outputs(), []);
    bench.at(S);
    let frames = bench.frames(conn);
    assert_eq!((&frames[0][0]["type"], &frames[1][0]["messageId"]), (&json!("ConnectionDetails"), &json!("early")));
    assert_eq!(bench.g.observations().frames_before_details, 1);
}

#[test]
fn more_active_requests_than_allowed_are_refused_and_counted() {
    let mut bench = Bench::new(|config| config.reply_delay = Duration::from_secs(1));
    let conn = bench.open(None);
    bench.outputs();
    for _ in 0..10 {
        bench.send_request(conn, "GET", "/restapi/v1.0/_empty", None);
    }
    assert_eq!(bench.outputs(), []);
    assert_eq!(bench.g.observations().max_active_requests, 10);
    let eleventh = bench.call(conn, "GET", "/restapi/v1.0/_empty", None);
    assert_eq!((status(&eleventh), &eleventh[1]["errorCode"]), (429, &json!("CMN-301")));
    let seen = bench.g.observations();
    assert_eq!((seen.max_active_requests, seen.active_requests_exceeded), (11, 1));
    bench.at(S - 1);
    assert_eq!(bench.outputs(), []);
    bench.at(S);
    let frames = bench.frames(conn);
    assert_eq!(frames.len(), 10);
    assert!(frames.iter().all(|frame| status(frame) == 204 && frame.as_array().unwrap().len() == 1));
}

#[test]
fn overload_answers_every_call_until_it_is_over() {
    let mut bench = unlimited();
    let conn = bench.open(None);
    let token = bench.ws_token();
    bench.outputs();
    bench.g.overload(503, Duration::from_secs(10), true, 0);
    bench.at(9 * S + 1);
    let refused = bench.post("/restapi/oauth/wstoken", "");
    assert_eq!((refused.status, refused.get("Retry-After")), (503, Some("1")));
    let frame = bench.call(conn, "GET", "/restapi/v1.0/_empty", None);
    assert_eq!((status(&frame), &frame[0]["headers"]["Retry-After"]), (503, &json!("1")));
    let upgrade = bench.g.ws_open(50, &format!("/ws?access_token={token}"), None, bench.now);
    assert!(matches!(upgrade, Upgrade::Refused(response) if response.status == 503));
    bench.at(10 * S);
    assert_eq!(bench.post("/restapi/oauth/wstoken", "").status, 200);
}

#[test]
fn the_same_seed_and_calls_give_the_same_outputs() {
    let run = |seed: u64| {
        let mut bench = Bench::new(|config| config.seed = seed);
        let (conn, wsc, _) = bench.subscribed(&["/team-messaging/v1/posts"]);
        bench.notify("/team-messaging/v1/posts", 1);
        bench.g.ws_closed(conn, 0);
        bench.notify("/team-messaging/v1/posts", 2);
        bench.open(Some(&wsc));
        (bench.outputs(), bench.access)
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn requests_without_a_usable_bearer_token_say_why() {
    let mut bench = Bench::new(|_| {});
    let request = HttpRequest::new("POST", "/restapi/oauth/wstoken");
    for (request, code) in [
        (request.clone(), "AGW-401"),
        (request.clone().header("Authorization", "Basic eDp5"), "AGW-402"),
        (request.clone().bearer("nonsense"), "OAU-149"),
        (request.clone().bearer("U0pDMDFQMDFQQVMwMHww"), "OAU-213"),
    ] {
        let response = bench.g.http(&request, 0);
        assert_eq!((response.status, json(&response)["errorCode"].as_str()), (401, Some(code)));
    }
}
