//! The bodies a Session reads itself: ConnectionDetails, a subscription, a WebSocket token.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use url::Url;

use super::message::{MAX_TOKEN, Message, Payload};
use crate::filters::{DisabledFilter, MAX_FILTER_BYTES, MAX_FILTERS};
use crate::json::{Text, beginning, each_field, each_item, number};
use crate::mask::Masker;
use crate::secret::Secret;
use crate::serde_forms::MAX_EXACT;

/// `expires_in` of a token that does not state it: the shortest life ever seen.
const SHORTEST_TOKEN_LIFE: u64 = 30;
/// Longest id of a subscription believed, in bytes: it is part of a path.
const MAX_ID: usize = 1024;
/// Longest code kept, in characters.
const MAX_CODE: usize = 100;
/// Longest line kept, in characters.
const MAX_LINE: usize = 300;
/// Most bytes kept of a filter as the server reports it: it has ids in place of what it was asked for.
const MAX_FILTER_TEXT: usize = 2 * MAX_FILTER_BYTES;
/// How many headers of a ConnectionDetails are looked at.
const MAX_HEADERS: usize = 64;

/// Whether the session continues on this connection, as the server says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecoveryState {
    /// It continues, and the missed notifications follow.
    Successful,
    /// It does not continue. Unknown words count as this one.
    Failed,
}

/// ConnectionDetails, the message with which the server makes a connection ready.
///
/// Durations are in seconds. A field is `None` if the server did not send it, or if its type makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionDetails {
    /// When the session began, as the server writes it (not always RFC 3339): at most 100 characters.
    pub creation_time: Option<Box<str>>,
    /// How many connections a session may have.
    pub max_connections_per_session: Option<u64>,
    /// How many notifications the server keeps for a lost session.
    pub recovery_buffer_size: Option<u64>,
    /// How long the server keeps a lost session.
    pub recovery_timeout: Option<u64>,
    /// The time without a message of the client after which the server closes the connection.
    pub idle_timeout: Option<u64>,
    /// The age at which the server closes the connection.
    pub absolute_timeout: Option<u64>,
    /// How many requests may be in flight.
    pub max_active_requests: Option<u64>,
    /// Whether the session continues. Only present if a recovery token was presented.
    pub recovery_state: Option<RecoveryState>,
    /// Why the session does not continue: at most 100 characters.
    pub recovery_error_code: Option<Box<str>>,
    /// `RCRequestId`, which RingCentral's support asks for: at most 100 characters.
    pub request_id: Option<Box<str>>,
    /// The whole body as JSON, with unknown fields; `null` if there was none. Known secrets are masked here and in the
    /// texts above.
    pub other: Box<str>,
}

impl ConnectionDetails {
    /// Reads the message; what is missing or has an unusable type is `None`.
    pub(crate) fn from_message(message: &Message<'_>, masker: &Masker) -> Self {
        let json = match message.payload {
            Payload::Json(raw) => raw.get(),
            _ => "null",
        };
        let headers = message.meta.headers_map(MAX_HEADERS);
        let request_id = headers.get("rcrequestid");
        let request_id = request_id.map(|id| masked(&String::from_utf8_lossy(id.as_bytes()), MAX_CODE, masker));
        let mut details = Self {
            creation_time: None,
            max_connections_per_session: None,
            recovery_buffer_size: None,
            recovery_timeout: None,
            idle_timeout: None,
            absolute_timeout: None,
            max_active_requests: None,
            recovery_state: None,
            recovery_error_code: None,
            request_id,
            other: masker.mask(json).into(),
        };
        each_field(json, |key, value| match key {
            "creationTime" => details.creation_time = masked_text(value, MAX_CODE, masker),
            "maxConnectionsPerSession" => details.max_connections_per_session = number(value),
            "recoveryBufferSize" => details.recovery_buffer_size = number(value),
            "recoveryTimeout" => details.recovery_timeout = number(value),
            "idleTimeout" => details.idle_timeout = number(value),
            "absoluteTimeout" => details.absolute_timeout = number(value),
            "maxActiveRequests" => details.max_active_requests = number(value),
            "recoveryState" if value.get() != "null" => {
                let good = Text::from_raw(value).is_some_and(|word| word.eq_ignore_ascii_case("Successful"));
                details.recovery_state = Some(if good { RecoveryState::Successful } else { RecoveryState::Failed });
            }
            "recoveryErrorCode" => details.recovery_error_code = masked_text(value, MAX_CODE, masker),
            _ => {}
        });
        details
    }

    /// The numbers that govern this connection and the recovery after it.
    #[must_use]
    pub const fn limits(&self) -> ServerLimits {
        ServerLimits {
            recovery_buffer_size: exact(self.recovery_buffer_size),
            recovery_timeout: exact(self.recovery_timeout),
            idle_timeout: exact(self.idle_timeout),
            absolute_timeout: exact(self.absolute_timeout),
            max_active_requests: exact(self.max_active_requests),
        }
    }
}

/// The part of [`ConnectionDetails`] that a snapshot keeps. Durations are in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerLimits {
    /// How many notifications the server keeps for a session that is away.
    pub recovery_buffer_size: Option<u64>,
    /// How long after a loss the session can be recovered.
    pub recovery_timeout: Option<u64>,
    /// The server closes after this long without a data message.
    pub idle_timeout: Option<u64>,
    /// The server closes at this age.
    pub absolute_timeout: Option<u64>,
    /// How many requests may be in flight.
    pub max_active_requests: Option<u64>,
}

/// So many characters of what the server says, masked before it is cut (SEC-6).
fn masked(text: &str, most: usize, masker: &Masker) -> Box<str> {
    masker.mask(text).chars().take(most).collect::<String>().into()
}

fn masked_text(raw: &RawValue, most: usize, masker: &Masker) -> Option<Box<str>> {
    Text::from_raw(raw).map(|text| masked(&text, most, masker))
}

fn filter_text(raw: &RawValue, masker: &Masker) -> Option<Box<str>> {
    Text::from_raw(raw).map(|text| beginning(&masker.mask(&text), MAX_FILTER_TEXT).into())
}

/// Every reader of a snapshot sees it as it was written, and more means nothing else.
const fn exact(number: Option<u64>) -> Option<u64> {
    match number {
        Some(number) if number > MAX_EXACT => Some(MAX_EXACT),
        other => other,
    }
}

/// What is used and so neither masked nor cut.
fn boxed(raw: &RawValue) -> Option<Box<str>> {
    Text::from_raw(raw).map(|text| text.boxed())
}

/// A confirmed subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SubscriptionReply {
    pub(crate) id: Box<str>,
    pub(crate) filters: Vec<Box<str>>,
    pub(crate) disabled: Vec<DisabledFilter>,
    pub(crate) expires_in: Option<u64>,
    pub(crate) status: Option<Box<str>>,
    pub(crate) transport: Option<Box<str>>,
}

/// Reads the answer to a POST or PUT; nothing when it names no subscription. Of filters, which are reported and not
/// kept, no more are read than can have been asked for (SEC-3).
pub(crate) fn subscription_reply(json: &str, masker: &Masker) -> Option<SubscriptionReply> {
    let mut id = None;
    let mut filters = Vec::new();
    let mut disabled = Vec::new();
    let mut expires_in = None;
    let (mut status, mut transport) = (None, None);
    each_field(json, |key, value| match key {
        "id" => id = boxed(value).filter(|id| (1..=MAX_ID).contains(&id.len())),
        "eventFilters" => drop(each_item(value.get(), |item| {
            if filters.len() < MAX_FILTERS {
                filters.extend(filter_text(item, masker));
            }
        })),
        "disabledFilters" => drop(each_item(value.get(), |item| {
            if disabled.len() < MAX_FILTERS {
                disabled.extend(disabled_filter(item, masker));
            }
        })),
        "expiresIn" => expires_in = number(value),
        "status" => status = masked_text(value, MAX_CODE, masker),
        "deliveryMode" => drop(each_field(value.get(), |key, value| {
            if key == "transportType" {
                transport = masked_text(value, MAX_CODE, masker);
            }
        })),
        _ => {}
    });
    Some(SubscriptionReply { id: id?, filters, disabled, expires_in, status, transport })
}

/// A bare string is taken for the filter's name, so that no refusal is lost.
fn disabled_filter(raw: &RawValue, masker: &Masker) -> Option<DisabledFilter> {
    let mut filter = filter_text(raw, masker);
    let (mut reason, mut message) = (None, None);
    each_field(raw.get(), |key, value| match key {
        "filter" => filter = filter_text(value, masker),
        "reason" => reason = masked_text(value, MAX_CODE, masker),
        "message" => message = masked_text(value, MAX_LINE, masker),
        _ => {}
    });
    Some(DisabledFilter { filter: filter?, reason: reason.unwrap_or_default(), message: message.unwrap_or_default() })
}

/// The answer of the token call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WsTokenReply {
    pub(crate) token: Secret,
    pub(crate) uri: Url,
    pub(crate) expires_in: u64,
}

/// Reads the answer of the token call; nothing when the token or the address is missing, unusable, or longer than 64
/// KiB.
pub(crate) fn ws_token(body: &[u8]) -> Option<WsTokenReply> {
    let json = std::str::from_utf8(body).ok()?;
    let (mut token, mut uri, mut expires_in) = (None, None, None);
    let whole = each_field(json, |key, value| match key {
        "ws_access_token" => token = boxed(value).filter(|token| (1..=MAX_TOKEN).contains(&token.len())),
        "uri" => {
            let short = Text::from_raw(value).filter(|text| text.len() <= MAX_TOKEN);
            uri = short.and_then(|text| Url::parse(&text).ok());
        }
        "expires_in" => expires_in = number(value),
        _ => {}
    });
    let expires_in = expires_in.unwrap_or(SHORTEST_TOKEN_LIFE);
    whole.then_some(WsTokenReply { token: Secret::new(token?), uri: uri?, expires_in })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::parse;

    #[test]
    fn details_tolerate_wrong_types() {
        let text = r#"[{"type":"ConnectionDetails"},
            {"creationTime":"now","idleTimeout":"1800","absoluteTimeout":[1],"recoveryTimeout":null,"recoveryState":"Perhaps","x":1}]"#;
        let details = ConnectionDetails::from_message(&parse(text).unwrap(), &Masker::new());
        assert_eq!(details.idle_timeout, Some(1800));
        assert_eq!((details.absolute_timeout, details.recovery_timeout), (None, None));
        assert_eq!(details.recovery_state, Some(RecoveryState::Failed));
        assert!(details.other.contains(r#""x":1"#));
        assert_eq!(details.creation_time.as_deref(), Some("now"));
        let none = parse(r#"[{"type":"ConnectionDetails"},{"recoveryState":null}]"#).unwrap();
        assert_eq!(ConnectionDetails::from_message(&none, &Masker::new()).recovery_state, None);
        assert_eq!(details.limits().idle_timeout, Some(1800));
    }

    // CLAUSE SUB-6
    #[test]
    fn disabled_filters_are_kept() {
        let reply = subscription_reply(
            r#"{"id":"s","eventFilters":["/a",3],"expiresIn":"9",
                "disabledFilters":[{"filter":"/b","reason":"SUB-405","message":"no"},"/c",{}]}"#,
            &Masker::new(),
        )
        .unwrap();
        assert_eq!(reply.filters, ["/a".into(), "3".into()]);
        assert_eq!(reply.expires_in, Some(9));
        assert_eq!(reply.disabled.len(), 2);
        assert_eq!((&*reply.disabled[0].reason, &*reply.disabled[0].message), ("SUB-405", "no"));
        assert_eq!(&*reply.disabled[1].filter, "/c");
        assert_eq!((reply.status, reply.transport), (None, None));
        assert_eq!(subscription_reply(r#"{"eventFilters":[]}"#, &Masker::new()), None);
        assert_eq!(subscription_reply("null", &Masker::new()), None);
    }

    #[test]
    fn status_and_transport_are_masked_and_cut() {
        let json = format!(
            r#"{{"id":"s","status":"a hunter2 {}","deliveryMode":{{"transportType":7,"x":[]}}}}"#,
            "x".repeat(999)
        );
        let mut masker = Masker::new();
        masker.learn("hunter2");
        let reply = subscription_reply(&json, &masker).unwrap();
        let status = reply.status.unwrap();
        assert!(status.starts_with("a *** x") && status.len() == MAX_CODE, "{status}");
        assert_eq!(reply.transport.as_deref(), Some("7"));
        let odd = subscription_reply(r#"{"id":"s","status":{},"deliveryMode":"WebSocket"}"#, &masker).unwrap();
        assert_eq!((odd.status, odd.transport), (None, None));
    }

    // CLAUSE TOK-6 TOK-7
    #[test]
    fn token_reply_needs_token_and_address() {
        let reply = ws_token(include_bytes!("../../tests/fixtures/wstoken.json")).unwrap();
        assert_eq!(reply.uri.as_str(), "wss://platform.devtest.ringcentral.com/ws");
        assert_eq!(reply.expires_in, 60);
        assert_eq!(ws_token(br#"{"uri":"wss://h/ws","ws_access_token":"t"}"#).unwrap().expires_in, 30);
        for bad in [&b"\xff"[..], b"", b"[]", br#"{"uri":"wss://h"}"#, br#"{"uri":"x","ws_access_token":"t"}"#] {
            assert!(ws_token(bad).is_none());
        }
    }
}
