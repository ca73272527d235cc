//! Numbers in what the stand-in writes: programs in many languages read them as doubles, exact up to 2^53 - 1.

use crate::net;

use net::{connect, end, frame, http, log_in, send, subscribe};
use ringcentral_ws_gateway::{Server, ServerConfig};
use serde_json::{Value, json};

const EXT: &str = "/restapi/v1.0/account/~/extension/~";

fn is_exact(json: &Value) -> bool {
    match json {
        Value::Number(number) => number.as_f64().is_some_and(|number| number.abs() < (1u64 << 53) as f64),
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(fields) => fields.values().all(is_exact),
        _ => true,
    }
}

fn assert_exact(what: &str, json: &Value) {
    assert!(is_exact(json), "{what}: {json}");
}

#[test]
fn the_check_sees_what_it_is_for() {
    assert!(is_exact(&json!([{ "a": 9_007_199_254_740_991u64, "b": -1.5 }])));
    for bad in [json!(9_007_199_254_740_992u64), json!({ "a": [1e300] }), json!([i64::MIN]), json!(u64::MAX)] {
        assert!(!is_exact(&bad), "{bad}");
    }
}

#[tokio::test]
async fn no_number_is_too_large_for_a_double() {
    let server = Server::start(ServerConfig::default()).unwrap();
    let authorization = log_in(&server);
    let mut socket = connect(&server, &authorization, None).await.unwrap();
    let details = frame(&mut socket).await;
    let wsc = details[0]["wsc"]["token"].as_str().unwrap().to_owned();
    let mut frames = vec![details, subscribe(&mut socket, &[&format!("{EXT}/message-store/instant?type=SMS")]).await];
    // Uuids look random: several are made, sent, kept, put back and lost.
    for n in 0..4 {
        server.receive_sms(0, "+16505550100", &n.to_string());
        frames.push(frame(&mut socket).await);
    }
    send(&mut socket, &json!([{"type": "Heartbeat", "messageId": "h"}])).await;
    frames.push(frame(&mut socket).await);
    server.with_gateway(|gateway, _| gateway.config_mut().recovery_buffer_size = 2);
    server.drop_connections();
    assert!(matches!(end(&mut socket).await, Some(Err(_))));
    for n in 4..9 {
        server.receive_sms(0, "+16505550100", &n.to_string());
    }
    let mut socket = connect(&server, &authorization, Some(&wsc)).await.unwrap();
    for _ in 0..3 {
        frames.push(frame(&mut socket).await);
    }
    frames.iter().for_each(|frame| assert_exact("a frame", frame));

    let get = |target: &str, headers: &[(&str, &str)]| http(server.address(), "GET", target, headers, "").json();
    for name in
        ["observations", "connections", "subscriptions", "credentials", "events", "events?since=99999999999999999"]
    {
        let answer = get(&format!("/_gateway/{name}"), &[]);
        assert!(answer.is_object() || answer.is_array(), "{name}: {answer}");
        assert_exact(name, &answer);
    }
    let events = get("/_gateway/events", &[])["events"].to_string();
    for kind in [r#""event":"sent""#, r#""event":"buffered""#, r#""event":"lost""#] {
        assert!(events.contains(kind), "{kind}: {events}");
    }
    let uuid = frames[2][1]["uuid"].to_string();
    assert!(uuid.starts_with('"') && events.contains(&format!(r#""uuid":{uuid}"#)), "{uuid}: {events}");
    let posted = http(server.address(), "POST", "/_gateway/sms", &[], "{}").json();
    assert_exact("receipts", &posted);
    for path in ["", "/message-store", "/~"] {
        assert_exact(path, &get(&format!("{EXT}{path}"), &[("Authorization", &authorization)]));
    }
    assert_exact(
        "the token",
        &http(server.address(), "POST", "/restapi/oauth/wstoken", &[("Authorization", &authorization)], "").json(),
    );
}
