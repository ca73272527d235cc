//! The text on the wire: reading frames, writing requests.

mod body;
mod encode;
mod frame;
mod message;
mod scan;

pub use body::{ConnectionDetails, RecoveryState, ServerLimits};
pub(crate) use body::{SubscriptionReply, WsTokenReply, subscription_reply, ws_token};
pub(crate) use encode::{client_request, path_segment, subscription_body};
pub(crate) use frame::parse;
pub use message::Wsc;
pub(crate) use message::{Kind, MAX_TOKEN, Message, NotificationFields, Payload};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::Masker;
    use crate::notification::Notification;

    macro_rules! samples {
        ($($name:literal),* $(,)?) => {
            &[$(($name, include_str!(concat!("../../tests/fixtures/", $name)))),*]
        };
    }

    // core/tests/session/frames.rs checks that no fixture is missing here.
    const SAMPLES: &[(&str, &str)] = samples![
        "connection-details-bare.json",
        "connection-details-recovery-failed.json",
        "connection-details.json",
        "error-wsg-808.json",
        "event-dnd.json",
        "event-fax.json",
        "event-instant-sms-2025.json",
        "event-post-added.json",
        "event-post-changed.json",
        "event-post-removed.json",
        "event-presence-detailed-sip.json",
        "event-presence.json",
        "event-telephony-account-apns.json",
        "event-telephony-extension-apns.json",
        "event-voicemail.json",
        "heartbeat-escaped-id.json",
        "heartbeat.json",
        "notification-message-store.json",
        "notification-presence-sip.json",
        "response-204.json",
        "response-multipart.txt",
        "subscribe-request.json",
        "subscribe-response-2021.json",
        "subscribe-response-2025.json",
        "wstoken.json",
    ];

    /// A sample as a frame: events are wrapped, and the answer of the token call is no frame.
    fn frames() -> impl Iterator<Item = (&'static str, String)> {
        SAMPLES.iter().filter(|(name, _)| *name != "wstoken.json").map(|(name, text)| {
            let wrap = name.starts_with("event-");
            (*name, if wrap { notification(text) } else { (*text).to_owned() })
        })
    }

    fn notification(second: &str) -> String {
        format!(r#"[{{"type":"ServerNotification","messageId":"m-1","status":200}},{second}]"#)
    }

    fn frame(name: &str) -> String {
        frames().find(|(n, _)| *n == name).unwrap().1
    }

    fn fields(text: &str) -> NotificationFields<'_> {
        match parse(text).unwrap().payload {
            Payload::Notification(fields) => fields,
            other => panic!("{other:?}"),
        }
    }

    // CLAUSE FRM-2
    #[test]
    fn every_sample_parses() {
        for (name, text) in frames() {
            let message = parse(&text).unwrap_or_else(|_| panic!("{name}"));
            assert!(message.meta.message_id.is_some(), "{name}");
            let kind = match name {
                n if n.starts_with("connection-details") => Kind::ConnectionDetails,
                n if n.starts_with("event-") || n.starts_with("notification-") => Kind::ServerNotification,
                n if n.starts_with("heartbeat") => Kind::Heartbeat,
                n if n.starts_with("error-") => Kind::Error,
                _ => Kind::ClientRequest,
            };
            assert_eq!(message.meta.kind, kind, "{name}");
            if let Payload::Notification(fields) = &message.payload {
                let n = Notification::new(message.meta.message_id.as_deref(), fields);
                assert!(n.uuid() != "m-1" && n.event().starts_with('/'), "{name}");
                assert!(n.timestamp().is_some() && n.owner_id().is_some(), "{name}");
                assert!(n.parse::<serde_json::Value>().unwrap().is_object(), "{name}");
            } else {
                assert_ne!(kind, Kind::ServerNotification, "{name}");
            }
        }
    }

    #[test]
    fn connection_details_are_read() {
        let text = frame("connection-details.json");
        let message = parse(&text).unwrap();
        assert_eq!(message.meta.wsc.as_ref().unwrap().sequence, 1);
        let details = ConnectionDetails::from_message(&message, &Masker::new());
        assert_eq!(details.recovery_state, None);
        assert_eq!(details.max_connections_per_session, Some(50));
        assert_eq!((details.recovery_timeout, details.max_active_requests), (Some(180), Some(10)));
        assert_eq!(details.request_id.as_deref(), Some("156eec30-xxxx-xxxx-xxxx-005056bf7145"));

        let text = frame("connection-details-recovery-failed.json");
        let details = ConnectionDetails::from_message(&parse(&text).unwrap(), &Masker::new());
        assert_eq!(details.recovery_state, Some(RecoveryState::Failed));
        assert_eq!(details.recovery_error_code.as_deref(), Some("WSG-1005"));

        let text = frame("connection-details-bare.json");
        let details = ConnectionDetails::from_message(&parse(&text).unwrap(), &Masker::new());
        assert_eq!((details.limits(), &*details.other), (ServerLimits::default(), "null"));
    }

    // CLAUSE REQ-1
    #[test]
    fn ids_are_compared_after_decoding() {
        let text = frame("heartbeat-escaped-id.json");
        let meta = parse(&text).unwrap().meta;
        // The recording holds two backslashes: one of them, and the slash, remain once decoded.
        assert_eq!(meta.message_id.as_deref(), Some("Z4DQwqDcQciBSI3r5bcmxQ\\/151"));
        let escaped = parse(r#"[{"type":"Heartbeat","messageId":"a\/\u0031"}]"#).unwrap().meta;
        assert_eq!(escaped.message_id.as_deref(), Some("a/1"));
        let number = parse(r#"[{"type":"Heartbeat","messageId":7}]"#).unwrap().meta;
        assert_eq!(number.message_id.as_deref(), Some("7"));
    }

    // CLAUSE REQ-7
    #[test]
    fn replies_without_content_have_no_body() {
        let text = frame("response-204.json");
        let message = parse(&text).unwrap();
        assert_eq!(message.meta.status, Some(204));
        assert_eq!(message.meta.headers_map(100).len(), 9);
        assert_eq!(message.meta.headers_map(3).len(), 3);
        for kind in ["ClientRequest", "ServerNotification"] {
            for second in ["", ",null", r#","""#, r#",null,1,{"a":2}"#] {
                let text = format!(r#"[{{"type":"{kind}"}}{second}]"#);
                assert!(matches!(parse(&text).unwrap().payload, Payload::None), "{text}");
            }
        }
    }

    // CLAUSE REQ-7 FRM-2
    #[test]
    fn multipart_is_strict() {
        let text = frame("response-multipart.txt");
        let message = parse(&text).unwrap();
        let Payload::Multipart(body) = message.payload else { panic!() };
        assert!(body.starts_with("--Boundary_20") && body.trim_end().ends_with("--"));
        assert_eq!(message.meta.status, Some(207));
        for bad in [
            text.strip_suffix(']').unwrap(),
            r#"[{"type":"ClientRequest"},--]"#,
            r#"[{"type":"ClientRequest"} ,--B]x"#,
            r#"[{"type":"ClientRequest"},-B]"#,
            r#"[{"type":"ClientRequest"}--B]"#,
            r#"["ClientRequest",--B]"#,
            "[--B]",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    // CLAUSE FRM-2
    #[test]
    fn boundary_in_a_string_is_text() {
        let text = notification(r#"{"uuid":"1","event":"/e","body":{"subject":"a,--Boundary b"}}"#);
        assert_eq!(fields(&text).body.unwrap(), r#"{"subject":"a,--Boundary b"}"#);
        let text = r#"[{"type":"ClientRequest","x":"},--B"},{"s":",--Boundary]"}]"#;
        assert!(matches!(parse(text).unwrap().payload, Payload::Json(_)));
    }

    // CLAUSE FRM-3
    #[test]
    fn wrong_types_cost_only_their_field() {
        for odd in [r#""200""#, "null", "-1", "70000", "1e999", "[1]", "{\"a\":{}}", "true", r#""\ud800""#, "200.5"] {
            let text = format!(
                r#"[{{"new":{odd},"messageId":"m","status":{odd},"wsc":{odd},"headers":{odd},"type":"ServerNotification"}},
                {{"event":"/e","uuid":{odd},"ownerId":5,"pn_apns":{odd},"\ud800":1,"body":{{"k":1e999}}}}]"#
            );
            let message = parse(&text).unwrap_or_else(|_| panic!("{odd}"));
            assert_eq!(message.meta.message_id.as_deref(), Some("m"));
            assert_eq!((message.meta.status, &message.meta.wsc), (None, &None), "{odd}");
            assert!(message.meta.headers_map(9).values().all(|value| value.is_empty()) || odd.starts_with('{'));
            let fields = fields(&text);
            assert_eq!((fields.event.as_deref(), fields.owner_id.as_deref()), (Some("/e"), Some("5")));
            assert_eq!(fields.body.unwrap(), r#"{"k":1e999}"#);
        }
        assert_eq!(parse(r#"[{"type":"Future"},{}]"#).unwrap().meta.kind, Kind::Unknown);
        assert_eq!(parse(r#"[{"type":7}]"#).unwrap().meta.kind, Kind::Unknown);
        assert!(parse(r#"[{"wsc":{"token":"t","sequence":"2"}}]"#).unwrap().meta.wsc.is_some());
        assert!(parse(r#"[{"wsc":{"token":"t"}}]"#).unwrap().meta.wsc.is_none());
        assert!(matches!(parse(&notification("[1]")).unwrap().payload, Payload::Json(_)));
    }

    #[test]
    fn ill_formed_headers_are_left_out() {
        let text = r#"[{"headers":{"ok":"1","n":2,"bad name":"x","bad":"a\nb","list":["x","y"],"o":{},"":"e"}}]"#;
        let headers = parse(text).unwrap().meta.headers_map(100);
        assert_eq!((headers.len(), &headers["n"]), (4, &http::HeaderValue::from_static("2")));
        assert_eq!(headers.get_all("list").iter().count(), 2);
    }

    #[test]
    fn push_envelopes_are_opened() {
        for name in ["event-telephony-account-apns.json", "event-telephony-extension-apns.json"] {
            let text = frame(name);
            let fields = fields(&text);
            assert!(fields.event.unwrap().ends_with("/telephony/sessions"));
            assert!(fields.body.unwrap().contains("\"sequence\""));
        }
        // The tolerant reader opens them too, and prefers the outer fields.
        let text = notification(r#"{"uuid":"o","timestamp":[],"pn_apns":{"uuid":"i","event":"/e","body":{}}}"#);
        let fields = fields(&text);
        assert_eq!((fields.uuid.as_deref(), fields.event.as_deref()), (Some("o"), Some("/e")));
    }

    // CLAUSE FRM-1
    #[test]
    fn garbage_is_malformed() {
        for bad in
            ["", " ", "null", "{}", "[]", "7", "\"x\"", "[", "[{", "[1]", "[null,{}]", "[{}]x", "[{},]", "\u{feff}[{}]"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    // CLAUSE FRM-1
    #[test]
    fn deep_nesting_overflows_nothing() {
        const DEPTH: usize = 100_000;
        let (open, close) = ("[".repeat(DEPTH), "]".repeat(DEPTH));
        let deep = format!("{open}{close}");
        assert!(parse(&deep).is_err() && parse(&open).is_err());
        assert!(parse(&format!("[{{\"x\":{deep},\"messageId\":{deep}}},{deep},{deep}]")).is_ok());
        let objects = format!("{}1{}", r#"{"pn_apns":"#.repeat(DEPTH), "}".repeat(DEPTH));
        assert!(parse(&notification(&objects)).is_ok());
        let text = notification(&format!(r#"{{"uuid":"u","x":{deep},"body":{deep}}}"#));
        let n = Notification::new(None, &fields(&text));
        assert_eq!(n.body().len(), 2 * DEPTH);
        assert!(n.parse::<serde_json::Value>().is_err());
    }

    // CLAUSE FRM-1
    #[test]
    fn truncation_is_noticed() {
        for (name, text) in frames() {
            let whole = text.trim_end().len();
            for cut in (0..whole).filter(|cut| text.is_char_boundary(*cut)) {
                let result = parse(&text[..cut]);
                // Multipart text may hold a `]` of its own; it must only not panic.
                assert!(result.is_err() || name == "response-multipart.txt", "{name} at {cut}");
            }
        }
    }

    #[test]
    fn subscription_replies_are_read() {
        for (name, count) in [("subscribe-response-2021.json", 5), ("subscribe-response-2025.json", 1)] {
            let text = frame(name);
            let Payload::Json(raw) = parse(&text).unwrap().payload else { panic!() };
            let reply = subscription_reply(raw.get(), &Masker::new()).unwrap();
            assert_eq!((reply.filters.len(), reply.expires_in), (count, Some(86399)));
            assert!(reply.disabled.is_empty() && reply.id.len() == 36);
        }
    }

    #[test]
    fn what_is_written_can_be_read() {
        let filters = crate::filters::Filters::new(["/restapi/v1.0/account/~/extension/~/presence"]).unwrap();
        let body = subscription_body(&filters);
        let none = http::HeaderMap::new();
        let text = client_request("a/1", "POST", "/restapi/v1.0/subscription", None, &none, Some(&body));
        let message = parse(&text).unwrap();
        assert_eq!(message.meta.message_id.as_deref(), Some("a/1"));
        assert!(matches!(message.payload, Payload::Json(raw) if raw.get() == body));
        let beat = crate::message_id::MessageTag::new(0x0102_abcd).heartbeat(7);
        assert_eq!(parse(&beat).unwrap().meta.message_id.as_deref(), Some("0102abcd-7"));
    }

    /// Each field of the first element and of a notification, and a `pn_apns` that is one too deep.
    fn all_fields(odd: &str) -> String {
        format!(
            r#"[{{"type":"ServerNotification","messageId":"m","wsc":{{"token":"t","sequence":2}},"headers":{{"a":"b"}}{odd}}},
                {{"event":"/e","timestamp":"now","subscriptionId":"s","ownerId":"o"{odd},
                "pn_apns":{{"uuid":"u","body":{{}},"pn_apns":{{"uuid":"x","body":[]}}}}}}]"#
        )
    }

    // CLAUSE FRM-1 FRM-2
    #[test]
    fn every_reader_reads_every_field() {
        // What has the wrong type sends a frame from one reader to the next, and changes nothing else.
        for odd in ["", r#","status":[],"ownerId":{}"#] {
            let text = all_fields(odd);
            for message in [parse(&text).unwrap(), frame::parse_slowly(&text).unwrap()] {
                let meta = &message.meta;
                assert_eq!((meta.kind, meta.message_id.as_deref()), (Kind::ServerNotification, Some("m")));
                assert_eq!(meta.wsc.as_ref().map(|wsc| wsc.sequence), Some(2));
                assert_eq!(meta.headers_map(9)["a"], "b");
                let Payload::Notification(fields) = &message.payload else { panic!("{message:?}") };
                let n = Notification::new(None, fields);
                assert_eq!((n.uuid(), n.event(), n.body()), ("u", "/e", "{}"));
                assert_eq!((n.timestamp(), n.subscription_id()), (Some("now"), Some("s")));
                assert_eq!(n.owner_id(), if odd.is_empty() { Some("o") } else { None });
            }
        }
        let deep = r#"[{"type":"ServerNotification"},{"pn_apns":{"pn_apns":{"uuid":"x"}}}]"#;
        let deep_and_odd = r#"[{"type":"ServerNotification"},{"ownerId":[],"pn_apns":{"pn_apns":{"uuid":"x"}}}]"#;
        for text in [deep, deep_and_odd] {
            for message in [parse(text).unwrap(), frame::parse_slowly(text).unwrap()] {
                let Payload::Notification(fields) = &message.payload else { panic!("{message:?}") };
                assert!(fields.uuid.is_none(), "{text}");
            }
        }
    }

    // CLAUSE FRM-2
    #[test]
    fn a_control_character_is_no_text_wherever_it_stands() {
        for byte in 0..=0x20u8 {
            for at in 0..20 {
                let id = format!("{}{}{}", "a".repeat(at), char::from(byte), "a".repeat(20 - at));
                let readable = parse(&format!(r#"[{{"type":"Heartbeat","messageId":"{id}"}}]"#)).is_ok();
                assert_eq!(readable, byte == 0x20, "{byte} at {at}");
            }
        }
    }
}
