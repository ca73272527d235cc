//! The requests that people write: GET, POST, PUT and DELETE with paths and values, options, answers as JSON or as errors.

use crate::common;

use std::time::Duration;

use common::*;
use ringcentral_ws_blocking::{
    Client, Close, Config, Filter, Gap, GapCause, RequestErrorKind, RequestOptions, UnixMillis, Via, http, with_query,
};
use serde_json::{Value, json};

use ringcentral_ws_gateway::{Server, ServerConfig};

const ACCOUNT: &str = "/restapi/v1.0/account/~";

fn server() -> Server {
    Server::start(ServerConfig::default()).unwrap()
}

// CLAUSE REQ-1 REQ-5
#[test]
fn requests_are_one_call_each_on_both_ways() {
    let server = server();
    for (rest_over_websocket, via) in [(true, Via::WebSocket), (false, Via::Https)] {
        let config = Config { rest_over_websocket, ..Config::default() };
        let (client, mut events) = builder(&server).config(config).start().unwrap();
        subscribed(&mut events);
        let account = client.get(ACCOUNT).unwrap().error_for_status().unwrap();
        assert_eq!((account.status(), account.via()), (http::StatusCode::OK, via));
        assert_ne!(account.json::<Value>().unwrap()["id"], Value::Null);
        let path = with_query("/restapi/v1.0/_echo", [("a", "b c")]);
        let echo: Value = client.get(&path).unwrap().json().unwrap();
        assert_eq!((&echo["method"], &echo["query"][0][1]), (&json!("GET"), &json!("b c")));
        let value = json!({ "text": "héllo" });
        let sent = |echo: &Value| {
            assert!(echo["headers"].to_string().contains("application/json"), "{echo}");
            assert_eq!(serde_json::from_str::<Value>(echo["body"].as_str().unwrap()).unwrap(), value);
        };
        let echo: Value = client.post("/restapi/v1.0/_echo", &value).unwrap().json().unwrap();
        assert_eq!(echo["method"], "POST");
        sent(&echo);
        let echo: Value = client.put("/restapi/v1.0/_echo", &value).unwrap().json().unwrap();
        assert_eq!(echo["method"], "PUT");
        sent(&echo);
        assert_eq!(client.delete("/restapi/v1.0/_empty").unwrap().status(), 204);
        client.close(Close::Revoke);
    }
}

// CLAUSE REQ-9
#[test]
fn an_error_status_is_an_answer_and_an_error_if_asked() {
    let server = server();
    let (client, _events) = builder(&server).start().unwrap();
    let refused = client.get("/restapi/v1.0/_error/429/CMN-301").unwrap();
    assert_eq!(refused.status(), 429);
    let error = refused.error_for_status().unwrap_err();
    assert_eq!((error.status, error.error_code()), (429, Some("CMN-301")));
    client.close(Close::Revoke);
}

// CLAUSE REQ-4 REQ-5
#[test]
fn options_are_given_beside_the_request() {
    let server = server();
    let config = Config { rest_over_websocket: true, ..Config::default() };
    let (client, mut events) = builder(&server).config(config).start().unwrap();
    subscribed(&mut events);
    let over_https = client.request_with(get(ACCOUNT), RequestOptions::new().over_https()).unwrap();
    assert_eq!(over_https.via(), Via::Https);
    assert_eq!(client.request_with(get(ACCOUNT), RequestOptions::new()).unwrap().via(), Via::WebSocket);
    // The answer takes an hour.
    let slow = get("/restapi/v1.0/_delay/3600000");
    let late = client.request_with(slow, RequestOptions::new().deadline(Duration::from_millis(50))).unwrap_err();
    assert!(late.to_string().starts_with("GET /restapi/v1.0/_delay/3600000: "), "{late}");
    assert!(matches!(late.kind(), RequestErrorKind::TimedOut { .. }), "{late:?}");
    client.close(Close::Revoke);
}

#[test]
fn a_request_that_cannot_be_made_says_why() {
    let server = server();
    let (client, _events) = builder(&server).start().unwrap();
    for (path, why) in [
        ("restapi/v1.0/account/~", "must begin with `/`, such as /restapi/v1.0/account/~"),
        ("/restapi/v1.0/a b", "' ' must be percent-encoded"),
        ("https://elsewhere.example/restapi", "give only the path"),
    ] {
        let error = client.get(path).unwrap_err();
        assert!(error.to_string().contains(why) && !error.may_have_run(), "{error}");
    }
    let keys = std::collections::BTreeMap::from([(["a"], 1)]);
    let error = client.post(ACCOUNT, &keys).unwrap_err();
    assert!(matches!(error.kind(), RequestErrorKind::InvalidBody(_)), "{error:?}");
    client.close(Close::Revoke);
    let ended = client.get(ACCOUNT).unwrap_err();
    assert!(ended.is_closing(), "{ended:?}");
    assert!(ended.to_string().starts_with(&format!("GET {ACCOUNT}: ")), "{ended}");
}

// CLAUSE REC-5
#[test]
fn what_a_gap_may_have_lost_is_asked_for_with_its_query() {
    let server = server();
    let (client, mut events) = Client::from_vars(server.env()).unwrap().filters([Filter::sms()]).start().unwrap();
    subscribed(&mut events);
    server.receive_sms(0, "+16505550199", "lost");
    let (cause, now) = (GapCause::WindowPassed, std::time::SystemTime::now());
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let until = UnixMillis(u64::try_from(now).unwrap());
    let gap = Gap { certainty: cause.certainty(), cause, after: None, since: until, until };
    let listed: Value = client.get(&gap.missed_sms_query()).unwrap().error_for_status().unwrap().json().unwrap();
    assert!(listed["records"].to_string().contains("lost"), "{listed}");
    client.close(Close::Revoke);
}
