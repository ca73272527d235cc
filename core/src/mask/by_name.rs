//! What has the name of a secret ([SEC-1](crate::protocol#sec-1)).

use serde_json::Value;

/// In place of a secret.
pub(super) const MASK: &str = "***";
/// Longest line given, in bytes.
const MAX_LINE: usize = 16 << 10;

/// A frame for a debug log: secrets replaced by `***`, cut after 16 KiB ([SEC-1](crate::protocol#sec-1)). What is no
/// JSON is only measured, because the places of its secrets are unknown.
#[must_use]
pub fn mask(text: &str) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(text) else {
        return format!("(not JSON, {} bytes)", text.len());
    };
    hide(&mut value, &mut |_| ());
    cut(value.to_string())
}

/// Cut after 16 KiB, and said so.
pub(super) fn cut(mut line: String) -> String {
    if line.len() > MAX_LINE {
        let cut = (0..=MAX_LINE).rev().find(|&i| line.is_char_boundary(i)).unwrap_or(0);
        let whole = line.len();
        line.truncate(cut);
        line.push_str(&format!("… ({whole} bytes)"));
    }
    line
}

/// Replaces what has the name of a secret; `seen` is shown each text that goes.
pub(crate) fn hide(value: &mut Value, seen: &mut dyn FnMut(&str)) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| hide(item, seen)),
        Value::Object(fields) => {
            for (key, field) in fields.iter_mut() {
                match field {
                    Value::Object(inner) if is_secret(key) => {
                        inner.values_mut().for_each(|value| hide_all(value, seen));
                    }
                    field if is_secret(key) => {
                        hide_all(field, seen);
                        *field = Value::from(MASK);
                    }
                    field => hide(field, seen),
                }
            }
        }
        Value::String(text) if names_a_secret(text) => *text = MASK.to_owned(),
        _ => {}
    }
}

/// All text in what has a secret's name; numbers and the like say nothing.
fn hide_all(value: &mut Value, seen: &mut dyn FnMut(&str)) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| hide_all(item, seen)),
        Value::Object(fields) => fields.values_mut().for_each(|field| hide_all(field, seen)),
        Value::String(text) => {
            seen(text);
            *text = MASK.to_owned();
        }
        _ => {}
    }
}

/// Whether it is what a secret is called.
pub(super) fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["token", "authorization", "secret", "password", "assertion", "jwt", "wsc", "cookie"]
        .iter()
        .any(|word| key.contains(word))
}

/// A query, a form, or JSON within the JSON.
fn names_a_secret(text: &str) -> bool {
    ["access_token", "wsc=", "assertion=", "refresh_token"].iter().any(|key| text.contains(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    // CLAUSE SEC-1
    #[test]
    fn secrets_are_masked() {
        let frame = r#"[{"type":"ClientRequest","messageId":"m","wsc":{"token":"hunter2","sequence":1},
            "headers":{"Authorization":"Bearer hunter2","RCRequestId":"r"}},
            {"ws_access_token":"hunter2","uri":"wss://h/ws?access_token=hunter2","client_secret":"hunter2",
             "items":[{"refresh_token":["hunter2"]}],"subject":"text"}]"#;
        let shown = mask(frame);
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("\"messageId\":\"m\"") && shown.contains("\"sequence\":1") && shown.contains("text"));
        let wrapped = r#"[{"headers":{"authorization":{"scheme":["hunter2"],"n":{"value":"hunter2"}}}},
            "{\"ws_access_token\":\"hunter2\"}"]"#;
        assert!(!mask(wrapped).contains("hunter2"), "{}", mask(wrapped));
        assert_eq!(mask("[{},--Boundary hunter2]"), "(not JSON, 23 bytes)");
    }

    #[test]
    fn long_lines_are_cut() {
        let long = mask(&format!(r#"["{}"]"#, "é".repeat(MAX_LINE)));
        assert!(long.len() < MAX_LINE + 40 && long.ends_with("bytes)"));
        for (over, cut) in [(0, false), (1, true)] {
            let line = mask(&format!(r#"["{}"]"#, "e".repeat(MAX_LINE - 4 + over)));
            assert_eq!(line.ends_with("bytes)"), cut, "{}", line.len());
        }
    }
}
