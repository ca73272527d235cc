//! The messages this side writes.

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::HeaderMap;
use url::form_urlencoded;

use crate::filters::Filters;

/// JSON under construction.
struct Json(String);

impl Json {
    fn with_capacity(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    /// Text as it stands.
    fn raw(&mut self, text: &str) -> &mut Self {
        self.0.push_str(text);
        self
    }

    /// A JSON string, escaped.
    fn text(&mut self, text: &str) -> &mut Self {
        if text.bytes().any(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f)) {
            // Writing a str to memory cannot fail.
            self.raw(&serde_json::to_string(text).unwrap_or_default())
        } else {
            self.raw("\"").raw(text).raw("\"")
        }
    }

    fn comma_unless(&mut self, first: bool) -> &mut Self {
        if first { self } else { self.raw(",") }
    }

    fn finish(self) -> String {
        self.0
    }
}

/// A REST request. `query` is a raw query string and becomes an object; `body` is raw JSON.
pub(crate) fn client_request(
    message_id: &str,
    method: &str,
    path: &str,
    query: Option<&str>,
    headers: &HeaderMap,
    body: Option<&str>,
) -> String {
    let size = message_id.len() + method.len() + path.len() + query.map_or(0, |q| 2 * q.len());
    let header_size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 6).sum();
    let mut json = Json::with_capacity(112 + size + header_size + body.map_or(0, str::len));
    json.raw(r#"[{"type":"ClientRequest","messageId":"#).text(message_id);
    json.raw(r#","method":"#).text(method).raw(r#","path":"#).text(path);
    write_query(&mut json, query.unwrap_or_default());
    write_headers(&mut json, headers);
    json.raw("}");
    if let Some(body) = body {
        json.raw(",").raw(body);
    }
    json.raw("]");
    json.finish()
}

fn write_query(json: &mut Json, query: &str) {
    let mut pairs: BTreeMap<Cow<'_, str>, Vec<Cow<'_, str>>> = BTreeMap::new();
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        pairs.entry(key).or_default().push(value);
    }
    if pairs.is_empty() {
        return;
    }
    json.raw(r#","query":{"#);
    for (i, (key, values)) in pairs.iter().enumerate() {
        json.comma_unless(i == 0).text(key).raw(":");
        if let [value] = &values[..] {
            json.text(value);
            continue;
        }
        json.raw("[");
        for (j, value) in values.iter().enumerate() {
            json.comma_unless(j == 0).text(value);
        }
        json.raw("]");
    }
    json.raw("}");
}

fn write_headers(json: &mut Json, headers: &HeaderMap) {
    if headers.is_empty() {
        return;
    }
    json.raw(r#","headers":{"#);
    for (i, name) in headers.keys().enumerate() {
        json.comma_unless(i == 0).text(name.as_str()).raw(":");
        let mut values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        let mut all = values.next().unwrap_or_default();
        for value in values {
            // Repeated fields are one list by RFC 9110; the protocol has one string per name.
            all.to_mut().push_str(", ");
            all.to_mut().push_str(&value);
        }
        json.text(&all);
    }
    json.raw("}");
}

/// One segment of a path, whatever the server put into it.
pub(crate) fn path_segment(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// The body that creates or changes a subscription.
pub(crate) fn subscription_body(filters: &Filters) -> String {
    let size: usize = filters.iter().map(|filter| filter.len() + 3).sum();
    let mut json = Json::with_capacity(72 + size);
    json.raw(r#"{"eventFilters":["#);
    for (i, filter) in filters.iter().enumerate() {
        json.comma_unless(i == 0).text(filter);
    }
    json.raw(r#"],"deliveryMode":{"transportType":"WebSocket"}}"#);
    json.finish()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    // CLAUSE REQ-1
    #[test]
    fn request_has_only_what_it_needs() {
        let none = HeaderMap::new();
        assert_eq!(
            client_request("a\"/1", "GET", "/restapi/v1.0/x", None, &none, None),
            r#"[{"type":"ClientRequest","messageId":"a\"/1","method":"GET","path":"/restapi/v1.0/x"}]"#
        );
        assert_eq!(client_request("1", "GET", "/x", Some(""), &none, None).matches("query").count(), 0);
    }

    // CLAUSE REQ-1
    #[test]
    fn query_is_decoded_and_repeats_are_arrays() {
        let mut headers = HeaderMap::new();
        headers.insert("x-user-agent", HeaderValue::from_static("a \"b\""));
        headers.append("x-list", HeaderValue::from_static("1"));
        headers.append("x-list", HeaderValue::from_static("2"));
        let text = client_request("1", "POST", "/x", Some("b=%7E+%22&a=1&a=2&c"), &headers, Some(r#"{"k":1}"#));
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json[0]["query"], serde_json::json!({"a": ["1", "2"], "b": "~ \"", "c": ""}));
        assert_eq!(json[0]["headers"], serde_json::json!({"x-user-agent": "a \"b\"", "x-list": "1, 2"}));
        assert_eq!(json[1], serde_json::json!({"k": 1}));
    }

    // CLAUSE SUB-2
    #[test]
    fn subscription_body_is_exact() {
        let filters = Filters::new(["/a?x=\"1\"", "/b"]).unwrap();
        assert_eq!(
            subscription_body(&filters),
            r#"{"eventFilters":["/a?x=\"1\"","/b"],"deliveryMode":{"transportType":"WebSocket"}}"#
        );
    }
}
