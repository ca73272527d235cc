//! The module's side of the port without a browser: a page made of plain code, a gateway and a clock that obeys.

mod page;

use page::{Network, Page};
use serde_json::{Value, json};

#[test]
fn it_subscribes_and_receives() {
    let mut page = Page::new();
    page.load();
    page.call(json!({ "do": "subscribe", "filters": [page::SMS] }));
    page.sms("one");
    page.sms("a, ,--Boundary b]");
    assert_eq!(page.received, ["connected fresh", "subscribed", "one", "a, ,--Boundary b]"]);
    // Secrets are in actions only.
    assert!(page.events.iter().all(|event| !event.to_string().contains("token")), "{:?}", page.events);
}

#[test]
fn a_cut_connection_recovers() {
    let mut page = Page::subscribed();
    page.cut();
    page.sms("two");
    page.wait(3_000.0);
    assert_eq!(page.received, ["disconnected socket_lost", "connected recovered", "recovered", "two"]);
}

#[test]
fn the_next_page_continues() {
    let mut page = Page::subscribed();
    page.unload();
    page.sms("two");
    page.wait(20_000.0);
    page.load();
    assert_eq!(page.restored, json!(true));
    page.sms("three");
    page.received.retain(|event| event != "subscribed");
    assert_eq!(page.received, ["connected recovered", "recovered", "gap restored", "two", "three"]);
}

/// A browser discards what comes after `close()`, so even a page that detaches in order cannot promise completeness.
#[test]
fn what_a_closing_socket_discards_is_a_gap() {
    let mut page = Page::subscribed();
    page.call(json!({ "do": "close", "mode": "detach" }));
    assert_eq!(page.received, ["disconnected closed", "closed detached"]);
    page.received.clear();
    page.unload();
    page.sms("two");
    page.load();
    page.received.retain(|event| event != "subscribed");
    assert_eq!(page.received, ["connected recovered", "recovered", "gap unreadable_frame", "two"]);
}

#[test]
fn a_page_that_comes_back_too_late_gets_a_gap_first() {
    let mut page = Page::subscribed();
    page.unload();
    page.sms("two");
    // The server decides whether it is too late; after twice its window it is not asked.
    for (wait, cause) in [(181_000.0, "recovery_failed"), (361_000.0, "window_passed")] {
        page.wait(wait);
        page.load();
        page.sms("three");
        let gap = format!("gap {cause}");
        assert_eq!(page.received, ["connected lost", "recovery_failed", &gap, "subscribed", "three"]);
        page.received.clear();
        page.unload();
    }
}

#[test]
fn revoking_leaves_nothing() {
    let mut page = Page::subscribed();
    page.call(json!({ "do": "close", "mode": "revoke" }));
    assert_eq!(page.received, ["disconnected closed", "closed revoked"]);
    assert_eq!(page.answer["wait"], "finished");
    assert_eq!(page.gateway.subscriptions().count(), 0);
}

#[test]
fn requests_go_over_the_socket_or_by_fetch() {
    let mut page = Page::subscribed();
    let path = "/restapi/v1.0/account/~";
    page.call(json!({ "do": "request", "method": "GET", "path": path }));
    page.call(json!({ "do": "request", "method": "POST", "path": "/restapi/oauth/wstoken" }));
    assert_eq!(page.received, ["200 websocket", "200 https"]);
    let ids: Vec<&Value> = page.events.iter().filter(|e| e["event"] == "response").map(|e| &e["id"]).collect();
    assert_eq!(ids, [&json!(1), &json!(2)]);
}

#[test]
fn a_browser_that_is_offline_waits_for_the_network() {
    let mut page = Page::subscribed();
    page.network = Network::Offline;
    page.cut();
    page.sms("two");
    page.wait(20_000.0);
    assert_eq!(page.received, ["disconnected socket_lost"]);
    page.come_online();
    assert_eq!(page.received[1..], ["connected recovered", "recovered", "two"]);
}

#[test]
fn a_network_that_fails_is_tried_again() {
    let mut page = Page::subscribed();
    page.network = Network::Broken;
    page.cut();
    page.wait(2_000.0);
    assert_eq!(page.received[..2], ["disconnected socket_lost", "retry network"]);
    page.network = Network::Up;
    page.wait(60_000.0);
    assert_eq!(page.received[page.received.len() - 2..], ["connected recovered", "recovered"]);
}

#[test]
fn a_socket_that_does_not_open_is_tried_again() {
    let mut page = Page::subscribed();
    page.shut = true;
    page.cut();
    page.wait(2_000.0);
    assert_eq!(page.received[..2], ["disconnected socket_lost", "retry connect_failed"]);
    page.shut = false;
    page.wait(60_000.0);
    assert_eq!(page.received[page.received.len() - 2..], ["connected recovered", "recovered"]);
}

#[test]
fn a_backend_that_has_no_token_is_asked_again_or_not() {
    for (permanent, expected) in [(false, "retry credentials"), (true, "closed credentials")] {
        let mut page = Page::new();
        page.no_token = Some(permanent);
        page.load();
        assert_eq!(page.received, [expected]);
    }
}

#[test]
fn the_snapshot_is_text_and_a_bad_one_is_no_end() {
    let mut page = Page::subscribed();
    let text = page.stored.clone().unwrap();
    assert!(text.starts_with("{\"version\":"), "{text}");
    page.unload();
    page.stored = Some(text[..text.len() / 2].to_owned());
    page.load();
    assert!(page.restored.as_str().unwrap().contains("start without it"), "{}", page.restored);
    // What the session before had missed is not known.
    assert_eq!(page.received, ["connected fresh", "gap restored"]);
}

// CLAUSE TOK-10
#[test]
fn the_snapshot_of_another_user_is_not_used() {
    let mut page = Page::new();
    page.user = Some("62219004");
    page.load();
    page.unload();
    page.load();
    assert_eq!(page.restored, json!(true));
    page.unload();
    page.user = Some("62220004");
    page.received.clear();
    page.load();
    assert!(page.restored.as_str().unwrap().contains("another user"), "{}", page.restored);
    assert_eq!(page.received, ["connected fresh", "gap restored"]);
}

#[test]
fn a_call_that_is_none_changes_nothing() {
    let mut page = Page::subscribed();
    let before = page.snapshot();
    for (call, error) in [
        ("", "not a call, line 1 column 0"),
        ("{\"now\":1,\"do\":\"dance\"}", "not a call, line 1 column"),
        ("{\"now\":1,\"do\":\"authorized\",\"id\":1,\"token\":[\"hunter2\"]}", "not a call"),
        ("{\"now\":1,\"do\":\"start\",\"server\":\"x\",\"seed\":1,\"unix\":1}", "started before"),
        ("{\"now\":1,\"do\":\"subscribe\",\"filters\":[]}", "filter"),
        ("{\"now\":1,\"do\":\"request\",\"method\":\"GET\",\"path\":\"x\"}", "path"),
        ("{\"now\":1,\"do\":\"request\",\"method\":\"G T\",\"path\":\"/\"}", "cannot be written"),
        ("{\"now\":1,\"do\":\"http_response\",\"id\":1,\"status\":0,\"headers\":[],\"body\":\"\"}", "not an HTTP"),
    ] {
        let answer: Value = serde_json::from_str(&page.port.call(call)).unwrap();
        let error_text = answer["error"].as_str().unwrap_or_else(|| panic!("{call}: {answer}"));
        assert!(error_text.contains(error) && !error_text.contains("hunter2"), "{call}: {error_text}");
    }
    assert_eq!(page.snapshot(), before);
}

#[test]
fn a_clock_that_is_no_number_does_no_harm() {
    let mut page = Page::subscribed();
    for now in ["-1", "1e300", "0"] {
        let answer: Value =
            serde_json::from_str(&page.port.call(&format!("{{\"now\":{now},\"do\":\"timeout\"}}"))).unwrap();
        assert!(answer["wait"].is_string(), "{answer}");
    }
}

// CLAUSE SEC-1
#[test]
fn the_page_s_half_writes_nothing_to_the_console() {
    let script = include_str!("../web/ringcentral-ws.js");
    assert!(!script.contains("console"), "it would show what it is given");
    // The browser's own words for an address that it does not take quote the address.
    let open = script.split("new WebSocket(url)").nth(1).unwrap().split("return").nth(1).unwrap();
    assert!(open.contains("message: error.name") && !open.contains("error.message"), "{open}");
}
