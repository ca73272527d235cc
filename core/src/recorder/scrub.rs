//! Messages and bodies as a recording keeps them: what a Session acts on, and the size of the rest.

use http::HeaderMap;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::json::{Text, each_field, each_item};
use crate::mask::{MAX_WORD, Names, mask_code};
use crate::wire::{Kind, Message, NotificationFields, Payload};

/// What was left out, by its size.
const REST: &str = "...";

/// `(5 bytes)`; what says so already counts as what it stands for.
pub(crate) fn size(text: &str) -> String {
    if is_size(text) { text.to_owned() } else { format!("({} bytes)", text.len()) }
}

fn is_size(text: &str) -> bool {
    let n = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(" bytes)"));
    n.is_some_and(|n| !n.is_empty() && n.len() <= 20 && n.bytes().all(|b| b.is_ascii_digit()))
}

/// The size of a body, whatever it is; nothing for none. A JSON string that is a size is that size.
pub(crate) fn body_size(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(&text);
    match () {
        () if body.is_empty() => String::new(),
        () if is_size(inner) => inner.to_owned(),
        () => format!("({} bytes)", body.len()),
    }
}

/// A line in which a server may have quoted something: long words, and words of many digits, are left out.
pub(crate) fn line(text: &str) -> String {
    let shown = |word: &str| word.len() <= 24 && word.bytes().filter(u8::is_ascii_digit).count() < 4;
    let words = text.split_whitespace().map(|word| if shown(word) { word } else { "***" });
    words.collect::<Vec<_>>().join(" ")
}

/// A JSON string.
pub(crate) fn quoted(text: &str) -> String {
    // A str can always be written.
    serde_json::to_string(text).unwrap_or_default()
}

/// A frame that a Session understands in the same way.
pub(crate) fn frame(message: &Message<'_>, names: &mut Names, max_headers: usize) -> String {
    let meta = &message.meta;
    let mut out = format!(r#"[{{"type":"{}""#, kind(meta.kind));
    if let Some(id) = &meta.message_id {
        out += &format!(r#","messageId":{}"#, quoted(id));
    }
    if let Some(status) = meta.status {
        out += &format!(r#","status":{status}"#);
    }
    if let Some(wsc) = &meta.wsc {
        let token = quoted(&names.secret(wsc.token.expose()));
        out += &format!(r#","wsc":{{"token":{token},"sequence":{}}}"#, wsc.sequence);
    }
    if meta.headers.is_some() {
        let headers = headers(&meta.headers_map(max_headers));
        if headers != "{}" {
            out += &format!(r#","headers":{headers}"#);
        }
    }
    out += "}";
    match &message.payload {
        Payload::None => {}
        Payload::Notification(fields) => out += &format!(",{}", notification(fields, names)),
        Payload::Json(raw) => out += &format!(",{}", json(raw.get(), names)),
        Payload::Multipart(text) => out += &format!(",{}", multipart(text)),
    }
    out + "]"
}

fn multipart(text: &str) -> String {
    match text.strip_prefix("--") {
        Some(rest) if is_size(rest) => text.to_owned(),
        _ => format!("--({} bytes)", text.len()),
    }
}

const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::ConnectionDetails => "ConnectionDetails",
        Kind::ServerNotification => "ServerNotification",
        Kind::ClientRequest => "ClientRequest",
        Kind::Heartbeat => "Heartbeat",
        Kind::Error => "Error",
        Kind::Unknown => "Unknown",
    }
}

fn notification(fields: &NotificationFields<'_>, names: &mut Names) -> String {
    let mut out = String::from("{");
    let mut add = |key: &str, json: Option<String>| {
        if let Some(json) = json {
            out += &format!(r#"{}"{key}":{json}"#, if out.len() > 1 { "," } else { "" });
        }
    };
    add("uuid", fields.uuid.as_deref().map(quoted));
    add("event", fields.event.as_deref().map(|event| quoted(&names.path(event))));
    add("timestamp", fields.timestamp.as_deref().map(word));
    add("subscriptionId", fields.subscription_id.as_deref().map(|id| quoted(&names.secret(id))));
    add("ownerId", fields.owner_id.as_deref().map(|id| quoted(&names.id(id))));
    add("body", fields.body.map(|body| notification_body(body, names)));
    out + "}"
}

/// The size of a notification's content, or what is kept of it.
pub(crate) fn notification_body(body: &str, names: &Names) -> String {
    let kept = if names.keep_bodies { serde_json::from_str::<Value>(body).ok() } else { None };
    match kept {
        Some(mut value) => {
            crate::mask::hide(&mut value, &mut |_| ());
            value.to_string()
        }
        None => quoted(&body_size(body.as_bytes())),
    }
}

/// The headers that say something about limits, types and the request.
pub(crate) fn headers(headers: &HeaderMap) -> String {
    let mut out = String::from("{");
    let mut all: Vec<_> = headers.keys().collect();
    all.sort_unstable_by_key(|name| name.as_str());
    for name in all {
        let kept = matches!(name.as_str(), "retry-after" | "rcrequestid" | "content-type" | "accept")
            || name.as_str().starts_with("x-rate-limit-");
        if let (true, Some(Ok(value))) = (kept, headers.get(name).map(|value| std::str::from_utf8(value.as_bytes()))) {
            let value: String = value.chars().take(MAX_WORD).collect();
            out += &format!(r#"{}"{name}":{}"#, if out.len() > 1 { "," } else { "" }, quoted(&value));
        }
    }
    out + "}"
}

/// The body of an HTTPS answer.
pub(crate) fn body(body: &[u8], names: &mut Names) -> String {
    if body.is_empty() {
        return String::new();
    }
    let text = String::from_utf8_lossy(body);
    if text.starts_with("--") {
        // A multipart reply is the same whichever way it came.
        return multipart(&text);
    }
    let mut masked = json(&text, names);
    if std::str::from_utf8(body).is_err() && masked.ends_with('}') {
        // It is read as far as it goes, but is no whole.
        masked.pop();
        masked.push(',');
    }
    masked
}

/// JSON, or what begins like it, reduced to the fields a Session reads. An object that breaks off does so here too.
pub(crate) fn json(text: &str, names: &mut Names) -> String {
    let mut out = String::from("{");
    let mut rest = 0;
    // A Session keeps the id of a subscription.
    let subscription = text.contains("\"eventFilters\"");
    let whole = each_field(text, |key, value| match field(key, value, subscription, names) {
        Some(json) => {
            let comma = if out.len() > 1 { "," } else { "" };
            out += &format!("{comma}{}:{json}", quoted(key));
        }
        None => rest += key.len() + value.get().len(),
    });
    if !whole && out.len() == 1 && !text.trim_start().starts_with('{') {
        return quoted(&body_size(text.as_bytes()));
    }
    if rest > 0 {
        out += &format!(r#"{}"{REST}":"({rest} bytes)""#, if out.len() > 1 { "," } else { "" });
    }
    if whole { out + "}" } else { out + "," }
}

/// What is kept of one field; nothing if it is not.
fn field(key: &str, value: &RawValue, subscription: bool, names: &mut Names) -> Option<String> {
    let text = Text::from_raw(value);
    let text = text.as_deref();
    Some(match key {
        "errorCode" | "error" | "reason" | "recoveryState" | "recoveryErrorCode" | "creationTime" => {
            text.map_or_else(|| "null".to_owned(), word)
        }
        "status"
        | "expires_in"
        | "expiresIn"
        | "idleTimeout"
        | "absoluteTimeout"
        | "recoveryTimeout"
        | "recoveryBufferSize"
        | "maxActiveRequests"
        | "maxConnectionsPerSession" => {
            if value.get().len() <= MAX_WORD && text.is_some() {
                number(value.get(), text)
            } else {
                "null".to_owned()
            }
        }
        "message" | "error_description" | "parameterName" => match text.map(str::trim) {
            None => "null".to_owned(),
            Some("") => r#""""#.to_owned(),
            Some(text) => quoted(&size(text)),
        },
        "id" if !subscription => text.map_or_else(|| "null".to_owned(), |text| quoted(&names.id(text))),
        "ws_access_token" | "id" => text.map_or_else(|| "null".to_owned(), |text| quoted(&names.secret(text))),
        "uri" => text.and_then(|text| names.url(text)).map_or_else(|| "null".to_owned(), |url| quoted(&url)),
        "filter" => text.map_or_else(|| "null".to_owned(), |text| quoted(&names.path(text))),
        "eventFilters" => items(value, |item| Text::from_raw(item).map(|text| quoted(&names.path(&text)))),
        "errors" => items(value, |item| Some(json(item.get(), names))),
        "disabledFilters" => items(value, |item| {
            Some(match Text::from_raw(item) {
                Some(text) => quoted(&names.path(&text)),
                None => json(item.get(), names),
            })
        }),
        REST => quoted(&size(text?)),
        _ => return None,
    })
}

/// A number as it was written, or the text that may be one.
fn number(raw: &str, text: Option<&str>) -> String {
    let plain = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E' | b' '));
    if text.is_some_and(plain) { raw.to_owned() } else { "null".to_owned() }
}

/// A word of the protocol, or a mask for what is none.
fn word(text: &str) -> String {
    quoted(&mask_code(text))
}

fn items(value: &RawValue, mut item: impl FnMut(&RawValue) -> Option<String>) -> String {
    let mut out = Vec::new();
    if !each_item(value.get(), |raw| out.extend(item(raw))) {
        return "null".to_owned();
    }
    format!("[{}]", out.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::parse;

    fn frames() -> Vec<String> {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        let files =
            std::fs::read_dir(dir).unwrap().map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
        files.filter(|text| parse(text).is_ok()).collect()
    }

    // CLAUSE SEC-1
    #[test]
    fn a_masked_frame_is_read_and_stays_as_it_is() {
        let mut names = Names::default();
        let frames = frames();
        assert!(frames.len() > 10);
        for text in frames {
            let (before, once) = (parse(&text).unwrap(), frame(&parse(&text).unwrap(), &mut names, 64));
            let after = parse(&once).unwrap_or_else(|_| panic!("{once}"));
            assert_eq!((after.meta.kind, after.meta.status), (before.meta.kind, before.meta.status));
            assert_eq!(after.meta.message_id, before.meta.message_id);
            assert_eq!(std::mem::discriminant(&after.payload), std::mem::discriminant(&before.payload), "{once}");
            assert_eq!(frame(&after, &mut names, 64), once);
            assert!(!once.contains("+1") && !once.contains('\n'), "{once}");
        }
    }

    #[test]
    fn a_broken_body_stays_broken_and_nothing_private_is_kept() {
        let mut names = Names::default();
        for (text, expected) in [
            (r#"{"errorCode":"CMN-101","message":"to +1650"}"#, r#"{"errorCode":"CMN-101","message":"(8 bytes)"}"#),
            (r#"{"subject":"hello","id":7}"#, r#"{"id":"***1","...":"(14 bytes)"}"#),
            (r#"{"errorCode":"A-1","x"#, r#"{"errorCode":"A-1","#),
            ("<html>", r#""(6 bytes)""#),
            ("[1]", r#""(3 bytes)""#),
            (r#"{"expires_in":"60","idleTimeout":[1]}"#, r#"{"expires_in":"60","idleTimeout":null}"#),
        ] {
            let once = json(text, &mut names);
            assert_eq!(once, expected);
            assert_eq!(json(&once, &mut names), once);
        }
        assert_eq!(body(b"--(5 bytes)", &mut names), "--(5 bytes)");
        assert_eq!(body(b"--Boundary--", &mut names), "--(12 bytes)");
        assert_eq!(body_size(br#""(5 bytes)""#), "(5 bytes)");
    }

    /// The id of a subscription is kept by a Session, so its name outlasts those of other ids.
    #[test]
    fn the_id_of_a_subscription_keeps_its_name() {
        let mut names = Names::default();
        let read =
            |names: &mut Names| [r#"{"id":"s","eventFilters":[]}"#, r#"{"id":"i"}"#].map(|text| json(text, names));
        let before = read(&mut names);
        (0..crate::mask::MAX_NAMES).for_each(|i| drop(names.id(&format!("id {i}"))));
        let after = read(&mut names);
        assert!(after[0] == before[0] && after[1] != before[1], "{before:?} {after:?}");
    }

    #[test]
    fn a_body_that_is_no_text_stays_none() {
        let once = body(b"{\"errorCode\":\"A-1\",\"x\":\"\xff\"}", &mut Names::default());
        assert_eq!(once, r#"{"errorCode":"A-1","...":"(6 bytes)","#);
    }

    // CLAUSE SEC-1
    #[test]
    fn a_size_is_one_only_as_it_is_written_here() {
        for (text, is) in [
            ("(5 bytes)", true),
            ("(12345678901234567890 bytes)", true),
            ("(123456789012345678901 bytes)", false),
            ("( bytes)", false),
            ("(x bytes)", false),
            ("5 bytes", false),
        ] {
            assert_eq!(size(text) == text, is, "{text}");
            assert_eq!(body_size(text.as_bytes()) == text, is, "{text}");
        }
        assert_eq!(body_size(b""), "");
    }

    // CLAUSE SEC-1
    #[test]
    fn long_words_and_numbers_of_a_line_are_left_out() {
        for (text, shown) in [
            ("going away", "going away"),
            ("code 123 of 1234", "code 123 of ***"),
            ("a1b2c3 a1b2c3d4", "a1b2c3 ***"),
            ("abcdefghijklmnopqrstuvwx abcdefghijklmnopqrstuvwxy", "abcdefghijklmnopqrstuvwx ***"),
        ] {
            assert_eq!(line(text), shown);
        }
    }

    #[test]
    fn only_headers_that_say_something_are_kept() {
        let mut map = HeaderMap::new();
        assert_eq!(headers(&map), "{}");
        for name in ["x-rate-limit-window", "retry-after", "rcrequestid", "content-type", "accept", "set-cookie", "x-a"]
        {
            map.insert(name, http::HeaderValue::from_static("v"));
        }
        let kept = r#"{"accept":"v","content-type":"v","rcrequestid":"v","retry-after":"v","x-rate-limit-window":"v"}"#;
        assert_eq!(headers(&map), kept);
        let text = |headers: &str| format!(r#"[{{"type":"Heartbeat","headers":{{{headers}}}}}]"#);
        for (given, left) in [(r#""x-a":"v""#, ""), (r#""Retry-After":"9""#, r#","headers":{"retry-after":"9"}"#)] {
            let masked = frame(&parse(&text(given)).unwrap(), &mut Names::default(), 64);
            assert_eq!(masked, format!(r#"[{{"type":"Heartbeat"{left}}}]"#));
        }
    }

    // CLAUSE SEC-1
    #[test]
    fn of_a_body_the_fields_are_kept_that_a_session_reads() {
        let long = "9".repeat(MAX_WORD);
        for (text, expected) in [
            (r#"{"id":"a","eventFilters":["/x/4711",5]}"#, r#"{"id":"***1","eventFilters":["/x/***2","***3"]}"#),
            (
                r#"{"disabledFilters":["/y/1",{"filter":"/y/2","reason":"R","note":"n"}]}"#,
                r#"{"disabledFilters":["/y/***1",{"filter":"/y/***2","reason":"R","...":"(7 bytes)"}]}"#,
            ),
            (
                r#"{"errors":[{"errorCode":"A-1","message":""}],"x":1}"#,
                r#"{"errors":[{"errorCode":"A-1","message":""}],"...":"(2 bytes)"}"#,
            ),
            (&format!(r#"{{"expiresIn":{long}}}"#), &format!(r#"{{"expiresIn":{long}}}"#)),
            (&format!(r#"{{"expiresIn":{long}0}}"#), r#"{"expiresIn":null}"#),
            (r#"{"status":"4 0"}"#, r#"{"status":"4 0"}"#),
            (r#"{"status":"hunter"}"#, r#"{"status":null}"#),
            (r#"{"errorCode":"two words"}"#, r#"{"errorCode":"***"}"#),
            (r#"{"errorCode":" A-1 "}"#, r#"{"errorCode":"A-1"}"#),
            (r#"{"message":null,"errors":7}"#, r#"{"message":null,"errors":null}"#),
            ("null", r#""(4 bytes)""#),
            (" {", "{,"),
        ] {
            assert_eq!(json(text, &mut Names::default()), expected, "{text}");
        }
    }
}
