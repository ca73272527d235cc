//! Synchronization of messages and calls, the calls that go on, and the rate limits of REST calls.

use crate::support;

use std::time::Duration;

use ringcentral_ws_gateway::{CallPlan, MessageKind, RestLimits};
use serde_json::Value;
use support::{Bench, S, json};

const ME: &str = "/restapi/v1.0/account/~/extension/~";
const ACCOUNT: &str = "/restapi/v1.0/account/~";

fn escaped(token: &str) -> String {
    token.replace('|', "%7C").replace(',', "%2C")
}

fn token(answer: &Value) -> String {
    escaped(answer["syncInfo"]["syncToken"].as_str().unwrap())
}

fn ids(answer: &Value) -> Vec<u64> {
    answer["records"].as_array().unwrap().iter().map(|record| record["id"].as_u64().unwrap()).collect()
}

fn receive(bench: &mut Bench, kind: MessageKind) -> u64 {
    bench.g.receive(0, kind, "+16505550100", "a", bench.now).0
}

#[test]
fn messages_are_synchronized_since_a_token() {
    let mut bench = Bench::new(|_| ());
    let old = receive(&mut bench, MessageKind::Sms);
    bench.at(10 * S);
    let full = json(&bench.get(&format!("{ME}/message-sync?syncType=FSync&messageType=SMS&direction=Inbound")));
    assert_eq!((ids(&full), full["syncInfo"]["olderRecordsExist"].as_bool()), (vec![old], Some(false)));
    assert_eq!(full["syncInfo"]["syncType"], "FSync");
    bench.at(60 * S);
    receive(&mut bench, MessageKind::VoiceMail);
    let new = receive(&mut bench, MessageKind::Sms);
    let path = format!("{ME}/message-sync?syncType=ISync&syncToken={}", token(&full));
    let since = json(&bench.get(&path));
    assert_eq!(ids(&since), [new], "the token holds the filters");
    // What changed comes again, and five seconds overlap.
    bench.at(64 * S);
    let body = bench.g.http(
        &ringcentral_ws_gateway::HttpRequest::new("PUT", &format!("{ME}/message-store/{old}"))
            .bearer(&bench.access)
            .with_body(r#"{"readStatus":"Read"}"#),
        bench.now,
    );
    assert_eq!(body.status, 200);
    let again = json(&bench.get(&format!("{ME}/message-sync?syncType=ISync&syncToken={}", token(&since))));
    assert_eq!(ids(&again), [new, old]);
    bench.at(75 * S);
    let again = json(&bench.get(&format!("{ME}/message-sync?syncType=ISync&syncToken={}", token(&again))));
    let nothing = json(&bench.get(&format!("{ME}/message-sync?syncType=ISync&syncToken={}", token(&again))));
    assert!(ids(&nothing).is_empty());
    // No token of another kind, and none that has expired.
    let calls = json(&bench.get(&format!("{ME}/call-log-sync?recordCount=1")));
    let answer = bench.get(&format!("{ME}/message-sync?syncType=ISync&syncToken={}", token(&calls)));
    assert_eq!((answer.status, json(&answer)["errorCode"].as_str()), (400, Some("MSG-333")));
    bench.g.expire_sync_tokens();
    assert_eq!(bench.get(&path).status, 400);
    for (query, code) in [("syncType=ISync", "CMN-101"), ("syncType=X", "CMN-101"), ("recordCount=0", "CMN-101")] {
        let answer = bench.get(&format!("{ME}/message-sync?{query}"));
        assert_eq!((answer.status, json(&answer)["errorCode"].as_str()), (400, Some(code)), "{query}");
    }
}

#[test]
fn an_incremental_sync_says_what_was_deleted() {
    let mut bench = Bench::new(|_| ());
    let (deleted, purged) = (receive(&mut bench, MessageKind::Sms), receive(&mut bench, MessageKind::Sms));
    bench.at(10 * S);
    let full = json(&bench.get(&format!("{ME}/message-sync?syncType=FSync")));
    assert_eq!(ids(&full), [purged, deleted]);
    bench.at(60 * S);
    for (id, query) in [(deleted, ""), (purged, "?purge=true")] {
        let target = format!("{ME}/message-store/{id}{query}");
        let call = ringcentral_ws_gateway::HttpRequest::new("DELETE", &target).bearer(&bench.access);
        assert_eq!(bench.g.http(&call, bench.now).status, 204);
    }
    let since = json(&bench.get(&format!("{ME}/message-sync?syncType=ISync&syncToken={}", token(&full))));
    let availability: Vec<&Value> =
        since["records"].as_array().unwrap().iter().map(|record| &record["availability"]).collect();
    assert_eq!((ids(&since), availability), (vec![purged, deleted], vec![&"Purged".into(), &"Deleted".into()]));
    assert!(ids(&json(&bench.get(&format!("{ME}/message-sync?syncType=FSync")))).is_empty());
}

#[test]
fn older_messages_are_asked_for_by_their_time() {
    let mut bench = Bench::new(|_| ());
    let all: Vec<u64> = (0..5)
        .map(|n| {
            bench.at(n * 10 * S);
            receive(&mut bench, MessageKind::Sms)
        })
        .collect();
    let first = json(&bench.get(&format!("{ME}/message-sync?syncType=FSync&recordCount=2")));
    assert_eq!((ids(&first), &first["syncInfo"]["olderRecordsExist"]), (vec![all[4], all[3]], &Value::Bool(true)));
    let oldest = first["records"][1]["creationTime"].as_str().unwrap().to_owned();
    let rest = json(&bench.get(&format!("{ME}/message-sync?syncType=FSync&dateTo={oldest}")));
    assert_eq!((ids(&rest).len(), &rest["syncInfo"]["olderRecordsExist"]), (4, &Value::Bool(false)));
    let from = rest["records"][1]["creationTime"].as_str().unwrap();
    let some = json(&bench.get(&format!("{ME}/message-sync?syncType=FSync&dateFrom={from}&dateTo={oldest}")));
    assert_eq!(ids(&some), [all[3], all[2]]);
}

#[test]
fn an_answer_holds_no_more_than_the_setting() {
    let mut bench = Bench::new(|config| config.sync_records = 2);
    let mut receive = || bench.g.receive(0, MessageKind::Sms, "+16505550100", "a", bench.now).0;
    let all = [receive(), receive(), receive()];
    let full = json(&bench.get(&format!("{ME}/message-sync?syncType=FSync&recordCount=250")));
    assert_eq!(ids(&full), [all[2], all[1]]);
    assert_eq!(full["syncInfo"]["olderRecordsExist"], true);
    let query = format!("syncType=ISync&recordCount=250&syncToken={}", token(&full));
    assert_eq!(ids(&json(&bench.get(&format!("{ME}/message-sync?{query}")))), [all[2], all[1]]);
}

#[test]
fn the_call_log_is_synchronized_within_its_limits() {
    let mut bench = Bench::new(|_| ());
    let call = |bench: &mut Bench| bench.g.call(0, &CallPlan::inbound("+16505550100"), bench.now);
    call(&mut bench);
    bench.at(10 * S);
    for query in ["", "?recordCount=251", "?recordCount=1&dateFrom=2020-01-01T00:00:00Z"] {
        assert_eq!(bench.get(&format!("{ME}/call-log-sync{query}")).status, 400, "{query}");
    }
    let full =
        json(&bench.get(&format!("{ME}/call-log-sync?syncType=FSync&recordCount=250&dateFrom=2025-08-01T00:00:00Z")));
    assert_eq!(full["records"].as_array().unwrap().len(), 1);
    bench.at(60 * S);
    (0..250).for_each(|_| drop(call(&mut bench)));
    let path = format!("call-log-sync?syncType=ISync&syncToken={}", token(&full));
    let since = json(&bench.get(&format!("{ME}/{path}")));
    assert_eq!(since["records"].as_array().unwrap().len(), 250);
    assert_eq!(json(&bench.get(&format!("{ACCOUNT}/{path}")))["records"].as_array().unwrap().len(), 250);
    call(&mut bench);
    let answer = bench.get(&format!("{ME}/{path}"));
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("max sync record number limit is exceeded"), "{}", answer.text());
}

#[test]
fn calls_that_go_on_are_listed() {
    let mut bench = Bench::new(|_| ());
    let plan = CallPlan::inbound("+16505550100").talking(Duration::from_secs(60));
    bench.g.call(0, &plan, 0);
    for path in [ME, ACCOUNT] {
        let active = json(&bench.get(&format!("{path}/active-calls?view=Simple")));
        assert_eq!(
            (&active["records"][0]["result"], &active["paging"]["totalPages"]),
            (&"In Progress".into(), &1.into())
        );
    }
    bench.at(61 * S);
    assert_eq!(json(&bench.get(&format!("{ME}/active-calls")))["records"], Value::Array(Vec::new()));
    assert_eq!(bench.post(&format!("{ME}/active-calls"), "{}").status, 405);
}

#[test]
fn each_group_has_its_limit() {
    let mut bench = Bench::new(|config| config.rest_limits = Some(RestLimits { heavy: 2, ..RestLimits::default() }));
    for left in ["1", "0"] {
        let answer = bench.get(&format!("{ME}/call-log"));
        assert_eq!((answer.status, answer.get("X-Rate-Limit-Remaining")), (200, Some(left)));
        assert_eq!((answer.get("X-Rate-Limit-Group"), answer.get("X-Rate-Limit-Limit")), (Some("heavy"), Some("2")));
    }
    let refused = bench.get(&format!("{ME}/active-calls"));
    assert_eq!((refused.status, refused.get("Retry-After")), (429, Some("60")));
    let light = bench.get(&format!("{ME}/message-sync"));
    assert_eq!((light.status, light.get("X-Rate-Limit-Remaining")), (200, Some("49")));
    bench.at(60 * S);
    assert_eq!(bench.get(&format!("{ME}/call-log")).status, 200);
}
