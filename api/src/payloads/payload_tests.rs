//! Which payload an event has, and what becomes of a body that does not fit.

use serde_json::{Value, json};

use super::*;

macro_rules! sample {
    ($name:literal) => {
        include_str!(concat!("../../tests/fixtures/", $name))
    };
}

const SAMPLES: [(&str, Kind); 13] = [
    (sample!("event-instant-sms-2025.json"), Kind::InstantMessage),
    (sample!("notification-message-store.json"), Kind::MessageStore),
    (sample!("event-voicemail.json"), Kind::Voicemail),
    (sample!("event-fax.json"), Kind::Fax),
    (sample!("event-presence.json"), Kind::Presence),
    (sample!("event-presence-detailed-sip.json"), Kind::Presence),
    (sample!("notification-presence-sip.json"), Kind::Presence),
    (sample!("event-telephony-account-apns.json"), Kind::TelephonySession),
    (sample!("event-telephony-extension-apns.json"), Kind::TelephonySession),
    (sample!("event-post-added.json"), Kind::TeamPost),
    (sample!("event-post-changed.json"), Kind::TeamPost),
    (sample!("event-post-removed.json"), Kind::TeamPost),
    (sample!("event-dnd.json"), Kind::Dnd),
];

const SMS: &str = "/restapi/v1.0/account/1/extension/2/message-store/instant?type=SMS";

fn payload(event: &str, body: &str) -> Payload {
    Notification::from_json(&format!(r#"{{"event":"{event}","body":{body}}}"#)).unwrap().payload()
}

fn kind(payload: &Payload) -> Option<Kind> {
    Some(match payload {
        Payload::InstantMessage(_) => Kind::InstantMessage,
        Payload::MessageStore(_) => Kind::MessageStore,
        Payload::Voicemail(_) => Kind::Voicemail,
        Payload::Fax(_) => Kind::Fax,
        Payload::Presence(_) => Kind::Presence,
        Payload::TelephonySession(_) => Kind::TelephonySession,
        Payload::TeamPost(_) => Kind::TeamPost,
        Payload::Dnd(_) => Kind::Dnd,
        Payload::Subscription(_) => Kind::Subscription,
        Payload::Other { .. } => return None,
    })
}

fn why(event: &str, body: &str) -> String {
    match payload(event, body) {
        Payload::Other { why: Some(why), raw } => {
            assert_eq!(&*raw, body);
            why.into()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_recorded_event_has_its_type() {
    for (text, expected) in SAMPLES {
        let n = Notification::from_json(text).unwrap();
        assert_eq!(kind(&n.payload()), Some(expected), "{}", n.event());
    }
    let Payload::TelephonySession(session) = Notification::from_json(SAMPLES[7].0).unwrap().payload() else { panic!() };
    assert_eq!(session.parties[0].status.as_ref().unwrap().code.as_deref(), Some("Proceeding"));
}

#[test]
fn the_path_decides_and_parameters_do_not() {
    let of = |path: &str| Kind::of(path);
    let extension = "/restapi/v1.0/account/1/extension/2";
    for (path, expected) in [
        ("message-store", Some(Kind::MessageStore)),
        ("message-store?type=SMS&direction=Inbound", Some(Kind::MessageStore)),
        ("message-store/", Some(Kind::MessageStore)),
        ("message-store/instant", Some(Kind::InstantMessage)),
        ("presence?detailedTelephonyState=true&sipData=true", Some(Kind::Presence)),
        ("presence/dnd", Some(Kind::Dnd)),
        ("presence/line", None),
        ("presence/line/presence", None),
        ("telephony/sessions?direction=Inbound", Some(Kind::TelephonySession)),
        ("telephony", None),
        ("favorite", None),
        ("", None),
    ] {
        assert_eq!(of(&format!("{extension}/{path}")), expected, "{path}");
    }
    for (path, expected) in [
        ("/restapi/v1.0/account/~/telephony/sessions?statusCode=Setup", Some(Kind::TelephonySession)),
        ("/restapi/v1.0/account/~/presence", Some(Kind::Presence)),
        ("/restapi/v1.0/subscription/~?threshold=60&interval=15", Some(Kind::Subscription)),
        ("/restapi/v1.0/subscription/1b2a2e6b", Some(Kind::Subscription)),
        ("/restapi/v1.0/glip/posts", Some(Kind::TeamPost)),
        ("/team-messaging/v1/chats", None),
        ("/restapi/v1.0/account/~/directory/contacts", None),
        ("/", None),
        ("", None),
    ] {
        assert_eq!(of(path), expected, "{path}");
    }
}

#[test]
fn a_subscription_has_its_status() {
    let event = "/restapi/v1.0/subscription/~?threshold=60&interval=15";
    let Payload::Subscription(info) = payload(event, r#"{"id":"s","status":"Active","eventFilters":["/a\ud83d",7]}"#)
    else {
        panic!()
    };
    assert_eq!(info.status.as_deref(), Some("Active"));
    assert_eq!(info.event_filters, ["/a\u{fffd}", "7"]);
    assert!(info.is_active() && info.problems().is_empty());
    let hook = r#"{"id":"s","status":"Blacklisted","deliveryMode":{"transportType":"WebHook"}}"#;
    let Payload::Subscription(info) = payload(event, hook) else { panic!() };
    let problems: Vec<_> = info.problems().iter().map(|problem| problem.as_str()).collect();
    assert!(!info.is_active() && problems == ["not_active", "no_filters", "other_transport"], "{problems:?}");
}

#[test]
fn unknown_events_and_bodies_that_do_not_fit_are_kept_whole() {
    assert_eq!(payload("/new", "{\"a\": 1}"), Payload::Other { raw: "{\"a\": 1}".into(), why: None });
    assert_eq!(why(SMS, "null"), "there is no body, which a message needs");
    assert_eq!(why(SMS, "[7]"), "the body is no JSON object, which a message needs");
    let why = why(SMS, r#"{"subject":"hunter2","attachments":"hunter2, expected me"}"#);
    assert!(why.starts_with("the body does not fit a message: expected a sequence"), "{why}");
}

#[test]
fn why_it_does_not_fit_quotes_nothing_of_the_body() {
    for body in [
        r#"{"to":"hunter2"}"#,
        r#"{"to":[{"target":"hunter2"}]}"#,
        r#"{"subject":["hunter2"]}"#,
        r#"{"subject":{"hunter2":1}}"#,
        r#"{"from":"hunter2"}"#,
        r#"{"id":["hunter2"]}"#,
        r#"{"conversation":"hunter2"}"#,
    ] {
        let why = why(SMS, body);
        assert!(!why.contains("hunter2") && why.contains("expected"), "{why}");
    }
}

#[test]
fn numbers_and_halves_of_emoji_are_text() {
    let body = r#"{"subject":7,"direction":-1.50,"type":"\ud83d","new":[1],"to":[null,{"name":1e3}],"from":null}"#;
    let Payload::InstantMessage(sms) = payload(SMS, body) else { panic!() };
    assert_eq!((sms.subject.as_deref(), sms.direction.as_deref()), (Some("7"), Some("-1.50")));
    assert_eq!((sms.kind.as_deref(), sms.to[0].name.as_deref()), (Some("\u{fffd}"), Some("1e3")));
    assert_eq!((sms.to.len(), sms.from, sms.id), (1, None, None));
}

/// A generator of numbers, the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit.max(1)
    }

    fn value(&mut self) -> Value {
        match self.below(9) {
            0 => Value::Null,
            1 => json!(true),
            2 => json!(self.below(1 << 30)),
            3 => json!(-1.5e300),
            4 => json!("text"),
            5 => json!([null, [], {}, 7]),
            6 => json!({ "id": [], "to": 7 }),
            7 => json!(u64::MAX),
            _ => json!(""),
        }
    }

    /// Puts odd values here and there.
    fn spoil(&mut self, value: &mut Value) {
        match value {
            Value::Object(fields) => fields.values_mut().for_each(|value| self.spoil(value)),
            Value::Array(items) => items.iter_mut().for_each(|value| self.spoil(value)),
            _ => {}
        }
        if self.below(20) == 0 {
            *value = self.value();
        }
    }
}

#[test]
fn nothing_a_server_writes_makes_it_panic() {
    let mut numbers = Numbers(1);
    let (mut typed, mut other) = (0, 0);
    for round in 0..400 {
        for (text, expected) in SAMPLES {
            let mut whole: Value = serde_json::from_str(text).unwrap();
            let event = if whole.is_array() { &mut whole[1] } else { &mut whole };
            let event = if event["body"].is_null() { &mut event["pn_apns"] } else { event };
            numbers.spoil(&mut event["body"]);
            let n = Notification::from_json(&whole.to_string()).unwrap();
            let payload = n.payload();
            assert!(kind(&payload).is_none_or(|kind| kind == expected), "{round}");
            *if kind(&payload).is_some() { &mut typed } else { &mut other } += 1;
            // Bytes changed anywhere: most are no JSON any more.
            let mut bytes = text.as_bytes().to_vec();
            for _ in 0..3 {
                let (at, byte) = (numbers.below(bytes.len()), numbers.below(128));
                bytes[at] = u8::try_from(byte).unwrap();
            }
            if let Ok(n) = Notification::from_json(&String::from_utf8_lossy(&bytes)) {
                drop(n.payload());
            }
        }
    }
    assert!(typed > 500 && other > 500, "{typed} and {other}");
}
