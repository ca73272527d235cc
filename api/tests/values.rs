//! The plain values of the API: how they compare, what they say, what they are made of.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use ringcentral_ws_api::payloads::Id;
use ringcentral_ws_api::{Pkce, TokenSet};
use ringcentral_ws_core::Secret;

#[test]
fn ids_compare_with_text_and_print_as_it() {
    let id = Id::from("7");
    let (same, other): (&str, &str) = ("7", "8");
    assert!(id == *same && id == same && id != *other && id != other);
    assert_eq!(id.to_string(), "7");
    assert!(serde_json::from_str::<Id>("[]").unwrap_err().to_string().contains("a string or a whole number"));
}

#[test]
fn a_token_answer_is_read_whole() {
    let body = r#"{"access_token":"a","expires_in":60,"refresh_token":"r","refresh_token_expires_in":"90",
        "scope":"s t","owner_id":"7"}"#;
    let set = TokenSet::parse(&Response::new(Bytes::from(body))).unwrap();
    assert_eq!((set.access_token.expose(), set.expires_in), ("a", Duration::from_secs(60)));
    assert_eq!(set.refresh_token.unwrap().expose(), "r");
    assert_eq!(set.refresh_expires_in, Some(Duration::from_secs(90)));
    assert_eq!((set.scope.as_deref(), set.owner_id.as_deref()), (Some("s t"), Some("7")));
}

// CLAUSE SEC-1
#[test]
fn a_verifier_is_not_printed() {
    let pkce = Pkce::from_verifier(Secret::from("v".repeat(43)));
    let shown = format!("{pkce:?}");
    assert!(shown.starts_with("Pkce {") && !shown.contains("vvv"), "{shown}");
}
