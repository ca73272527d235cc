//! Subscriptions: their life, their limits, and which events they receive.

use crate::support;

use ringcentral_ws_gateway::GatewayEvent;
use serde_json::{Value, json};
use support::{Bench, EXT, S, SUBSCRIPTION, numbers, status, subscribe_body};

const SMS: &str = "/restapi/v1.0/account/~/extension/~/message-store/instant?type=SMS";
const PRESENCE: &str = "/restapi/v1.0/account/~/extension/~/presence?detailedTelephonyState=true";

fn code(frame: &Value) -> (u64, &str) {
    (status(frame), frame[1]["errorCode"].as_str().unwrap_or_default())
}

fn bench() -> Bench {
    Bench::new(|config| config.ws_token.rate_limit = None)
}

#[test]
fn the_reply_has_the_stored_filters_and_a_relative_uri() {
    let mut bench = bench();
    let conn = bench.open(None);
    let reply = bench.call(conn, "POST", "/restapi/v1.0/subscription/", Some(subscribe_body(&[SMS])));
    let headers = reply[0]["headers"].as_object().unwrap();
    for name in ["Server", "Date", "Content-Type", "RoutingKey", "RCRequestId"] {
        assert!(headers.contains_key(name), "{name}");
    }
    assert!(!headers.contains_key("WSG-SubscriptionId"));
    let info = &reply[1];
    let id = info["id"].as_str().unwrap();
    assert_eq!(info["uri"], format!("{SUBSCRIPTION}/{id}"));
    assert_eq!(info["eventFilters"], json!([format!("{EXT}/message-store/instant?type=SMS")]));
    assert_eq!(info["creationTime"], "2025-08-20T22:23:55.169Z");
    assert_eq!(info["expirationTime"], "2025-08-21T22:23:55.169Z");
    assert_eq!((&info["expiresIn"], &info["status"]), (&json!(86_399), &json!("Active")));
    assert_eq!(info["deliveryMode"], json!({"transportType": "WebSocket", "encryption": false}));
    assert_eq!(info.get("disabledFilters"), None);
}

#[test]
fn invented_filters_are_refused_where_only_known_ones_are_allowed() {
    for only_known in [false, true] {
        let mut bench = Bench::new(|config| config.known_filters_only = only_known);
        let conn = bench.open(None);
        let reply = bench.call(conn, "POST", SUBSCRIPTION, Some(subscribe_body(&[SMS, "/invented"])));
        assert_eq!(code(&reply), if only_known { (400, "SUB-508") } else { (200, "") });
        if only_known {
            assert_eq!(reply[1]["message"], "Invalid event filters: [/invented]");
        }
        let reply = bench.call(conn, "POST", SUBSCRIPTION, Some(subscribe_body(&[SMS, PRESENCE])));
        assert_eq!(status(&reply), 200);
    }
}

#[test]
fn a_second_subscription_replaces_the_first() {
    let mut bench = bench();
    let (conn, _, first) = bench.subscribed(&[SMS]);
    let reply = bench.call(conn, "POST", SUBSCRIPTION, Some(subscribe_body(&[PRESENCE])));
    assert_ne!(reply[1]["id"], first);
    assert!(bench.events().contains(&GatewayEvent::Unsubscribed { id: first.clone() }));
    assert_eq!(bench.g.subscriptions().count(), 1);
    bench.notify(&format!("{EXT}/message-store/instant?type=SMS"), 1);
    bench.notify(&format!("{EXT}/presence"), 2);
    assert_eq!(numbers(&bench.frames(conn)), [2]);
    let gone = bench.call(conn, "PUT", &format!("{SUBSCRIPTION}/{first}"), Some(subscribe_body(&[SMS])));
    assert_eq!(code(&gone), (404, "SUB-507"));
}

#[test]
fn filters_are_changed_listed_and_deleted() {
    let mut bench = bench();
    let (conn, _, id) = bench.subscribed(&[SMS]);
    let path = format!("{SUBSCRIPTION}/{id}");
    let reply = bench.call(conn, "PUT", &path, Some(json!({"eventFilters": [PRESENCE]})));
    assert_eq!((status(&reply), &reply[1]["id"]), (200, &json!(id)));
    bench.notify(&format!("{EXT}/message-store/instant?type=SMS"), 1);
    bench.notify(&format!("{EXT}/presence"), 2);
    assert_eq!(numbers(&bench.frames(conn)), [2]);
    assert_eq!(bench.call(conn, "GET", &path, None)[1]["id"], id);
    assert_eq!(status(&bench.call(conn, "POST", &format!("{path}/renew"), None)), 200);
    let list = bench.call(conn, "GET", SUBSCRIPTION, None);
    assert_eq!((list[1]["records"].as_array().unwrap().len(), &list[1]["records"][0]["id"]), (1, &json!(id)));
    let over_http = support::json(&bench.get(SUBSCRIPTION));
    assert_eq!(over_http["records"][0]["uri"], format!("https://platform.ringcentral.com{path}"));
    let deleted = bench.call(conn, "DELETE", &path, None);
    assert_eq!((status(&deleted), deleted.as_array().unwrap().len()), (204, 1));
    assert_eq!(code(&bench.call(conn, "DELETE", &path, None)), (404, "SUB-507"));
    bench.notify(&format!("{EXT}/presence"), 3);
    assert_eq!(bench.outputs(), []);
}

#[test]
fn http_cannot_create_or_change_a_websocket_subscription() {
    let mut bench = bench();
    let (_, _, id) = bench.subscribed(&[SMS]);
    let body = subscribe_body(&[SMS]).to_string();
    assert_eq!(bench.post(SUBSCRIPTION, &body).status, 400);
    let put = ringcentral_ws_gateway::HttpRequest::new("PUT", &format!("{SUBSCRIPTION}/{id}"));
    assert_eq!(bench.g.http(&put.bearer(&bench.access).with_body(body), 0).status, 400);
}

#[test]
fn bad_requests_are_distinguished() {
    let mut bench = bench();
    let conn = bench.open(None);
    for (body, expected) in [
        (json!({"eventFilters": [SMS]}), (400, "CMN-101")),
        (json!({"eventFilters": [SMS], "deliveryMode": {"transportType": "WebHook"}}), (400, "CMN-101")),
        (subscribe_body(&[]), (400, "CMN-101")),
        (json!({"eventFilters": [1], "deliveryMode": {"transportType": "WebSocket"}}), (400, "CMN-101")),
        (subscribe_body(&["no/slash"]), (400, "SUB-508")),
        (subscribe_body(&[SMS, "/a b"]), (400, "SUB-508")),
        (json!("not an object"), (400, "CMN-103")),
    ] {
        let reply = bench.call(conn, "POST", SUBSCRIPTION, Some(body));
        assert_eq!(code(&reply), expected, "{reply}");
    }
    let reply = bench.call(conn, "POST", SUBSCRIPTION, Some(subscribe_body(&["bad"])));
    assert_eq!(reply[1]["message"], "Invalid event filters: [bad]");
    assert_eq!(reply[1]["errors"][0]["parameterName"], "eventFilters");
}

#[test]
fn permissions_and_limits_refuse_subscriptions() {
    let mut bench = bench();
    bench.g.config_mut().app.subscription_permission = false;
    let conn = bench.open(None);
    let reply = bench.call(conn, "POST", SUBSCRIPTION, Some(subscribe_body(&[SMS])));
    assert_eq!(code(&reply), (403, "SUB-528"));
    bench.g.config_mut().app.subscription_permission = true;
    bench.g.config_mut().app.ws_token_permission = false;
    let refused = bench.post("/restapi/oauth/wstoken", "");
    assert_eq!((refused.status, support::json(&refused)["errorCode"].as_str()), (403, Some("CMN-401")));
}

#[test]
fn the_21st_subscription_of_a_user_is_one_too_many_until_old_ones_expire() {
    let mut bench = bench();
    for _ in 0..20 {
        let (conn, _, _) = bench.subscribed(&[SMS]);
        bench.g.ws_closed(conn, bench.now);
    }
    let conn = bench.open(None);
    let body = || Some(subscribe_body(&[SMS]));
    assert_eq!(code(&bench.call(conn, "POST", SUBSCRIPTION, body())), (403, "SUB-505"));
    // The sessions end after their recovery window, the subscriptions a day later.
    let end = 180 * S + 1 + 86_400 * S;
    for at in (0..end).step_by(1_000_000_000) {
        bench.g.ws_text(conn, "[{\"type\":\"Heartbeat\"}]", at);
    }
    bench.at(end - 1);
    let conn = bench.open(None);
    assert_eq!(code(&bench.call(conn, "POST", SUBSCRIPTION, body())), (403, "SUB-505"));
    bench.at(end);
    assert_eq!(status(&bench.call(conn, "POST", SUBSCRIPTION, body())), 200);
    assert_eq!(status(&bench.call(conn, "POST", SUBSCRIPTION, body())), 200, "a replacement is no addition");
}

#[test]
fn disabled_filters_are_a_partial_success() {
    let mut bench = Bench::new(|config| config.disabled_filters = vec!["/presence".to_owned()]);
    let conn = bench.open(None);
    let reply = bench.call(conn, "POST", SUBSCRIPTION, Some(subscribe_body(&[SMS, PRESENCE])));
    assert_eq!(status(&reply), 200);
    assert_eq!(reply[1]["eventFilters"].as_array().unwrap().len(), 1);
    let disabled = &reply[1]["disabledFilters"][0];
    assert_eq!(disabled["filter"], format!("{EXT}/presence?detailedTelephonyState=true"));
    assert!(disabled["reason"].is_string() && disabled["message"].is_string());
    bench.notify(&format!("{EXT}/presence"), 1);
    assert_eq!(bench.outputs(), []);
}

#[test]
fn an_orphan_is_on_record_but_cannot_be_changed() {
    let mut bench = bench();
    let (conn, _, id) = bench.subscribed(&[SMS]);
    bench.g.ws_closed(conn, 0);
    bench.g.restart(0);
    let conn = bench.open(None);
    bench.outputs();
    let path = format!("{SUBSCRIPTION}/{id}");
    assert_eq!(status(&bench.call(conn, "GET", &path, None)), 200);
    assert_eq!(code(&bench.call(conn, "PUT", &path, Some(subscribe_body(&[SMS])))), (404, "SUB-507"));
    bench.notify(&format!("{EXT}/message-store/instant?type=SMS"), 1);
    assert_eq!(bench.outputs(), []);
    assert_eq!(status(&bench.call(conn, "DELETE", &path, None)), 204);
}

#[test]
fn a_notification_has_all_members_and_an_id_of_its_own() {
    let mut bench = bench();
    let (conn, _, id) = bench.subscribed(&[PRESENCE]);
    bench.now = 1000;
    bench.notify(&format!("{EXT}/presence"), 1);
    bench.notify("/restapi/v1.0/account/~/extension/~/presence", 2);
    let frames = bench.frames(conn);
    let (meta, body) = (&frames[0][0], &frames[0][1]);
    assert_eq!((&meta["type"], &meta["status"]), (&json!("ServerNotification"), &json!(200)));
    assert!(meta["headers"]["RCRequestId"].is_string());
    assert_eq!(meta["messageId"], body["uuid"]);
    assert!(body["uuid"].as_str().unwrap().parse::<u64>().is_ok());
    assert_eq!(body["event"], format!("{EXT}/presence?detailedTelephonyState=true"));
    assert_eq!(body["timestamp"], "2025-08-20T22:23:55.170Z");
    assert_eq!((&body["subscriptionId"], &body["ownerId"]), (&json!(id), &json!("62264425016")));
    assert_eq!(numbers(&frames), [1, 2]);
    assert_ne!(frames[0][1]["uuid"], frames[1][1]["uuid"]);
}

#[test]
fn a_notification_can_come_before_the_reply() {
    let mut bench = Bench::new(|config| config.reply_delay = std::time::Duration::from_secs(1));
    let conn = bench.open(None);
    bench.outputs();
    bench.send_request(conn, "POST", SUBSCRIPTION, Some(subscribe_body(&[SMS])));
    bench.notify(&format!("{EXT}/message-store/instant?type=SMS"), 1);
    bench.at(S);
    let frames = bench.frames(conn);
    assert_eq!(numbers(&frames[..1]), [1]);
    assert_eq!(frames[0][1]["subscriptionId"], frames[1][1]["id"]);
}

#[test]
fn each_session_receives_its_own_copy() {
    let mut bench = bench();
    let (one, _, _) = bench.subscribed(&["/team-messaging/v1/posts"]);
    let (two, _, _) = bench.subscribed(&["/team-messaging/v1/posts", SMS]);
    let receipts = bench.g.notify("/team-messaging/v1/posts", "{\"n\":1}", 0);
    assert_eq!(receipts.iter().map(|receipt| receipt.conn).collect::<Vec<_>>(), [Some(one), Some(two)]);
    assert_ne!(receipts[0].uuid, receipts[1].uuid);
    assert_eq!(bench.g.observations().notifications, 2);
}
