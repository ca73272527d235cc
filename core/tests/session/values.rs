//! The plain values of the API: equality, texts, and conversions.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use ringcentral_ws_core::*;

/// Each equals itself and none of the others.
fn all_differ<T: PartialEq + Clone + std::fmt::Debug>(values: &[T]) {
    for (i, a) in values.iter().enumerate() {
        for (j, b) in values.iter().enumerate() {
            assert_eq!(*a == b.clone(), i == j, "{a:?} and {b:?}");
        }
    }
}

#[test]
fn actions_are_equal_when_all_of_them_is() {
    let request = |method: &str, uri: &str, header: &'static str, body: &'static str| {
        let request = Request::builder().method(method).uri(uri).header("a", header);
        Box::new(request.body(Bytes::from(body)).unwrap())
    };
    let http = |id: u64, request| Action::Http { id: id.into(), purpose: HttpPurpose::ConnectionToken, request };
    let url = |text: &str| SecretUrl::new(text.parse().unwrap());
    let text = |text: &str| text.to_owned();
    let (one, two) = (ConnId::from(1), ConnId::from(2));
    all_differ(&[
        Action::Authorize { id: 1.into(), reason: AuthReason::Missing, last: None },
        Action::Authorize { id: 2.into(), reason: AuthReason::Missing, last: None },
        Action::Authorize { id: 1.into(), reason: AuthReason::Refused, last: None },
        Action::Authorize { id: 1.into(), reason: AuthReason::Refused, last: Some("t".into()) },
        http(1, request("GET", "/a", "h", "b")),
        http(2, request("GET", "/a", "h", "b")),
        http(1, request("PUT", "/a", "h", "b")),
        http(1, request("GET", "/b", "h", "b")),
        http(1, request("GET", "/a", "i", "b")),
        http(1, request("GET", "/a", "h", "c")),
        Action::Open { conn: one, url: url("wss://h/") },
        Action::Open { conn: two, url: url("wss://h/") },
        Action::Open { conn: one, url: url("wss://i/") },
        Action::Send { conn: one, text: text("a"), purpose: Purpose::Heartbeat },
        Action::Send { conn: two, text: text("a"), purpose: Purpose::Heartbeat },
        Action::Send { conn: one, text: text("b"), purpose: Purpose::Heartbeat },
        Action::Send { conn: one, text: text("a"), purpose: Purpose::Request(1.into()) },
        Action::Resubscribe { conn: one, text: text("a") },
        Action::Resubscribe { conn: two, text: text("a") },
        Action::Resubscribe { conn: one, text: text("b") },
        Action::Close { conn: one, code: 1000, reason: "a" },
        Action::Close { conn: two, code: 1000, reason: "a" },
        Action::Close { conn: one, code: 1001, reason: "a" },
        Action::Close { conn: one, code: 1000, reason: "b" },
        Action::Drop { conn: one },
        Action::Drop { conn: two },
        Action::AbortHttp { id: 1.into() },
        Action::AbortHttp { id: 2.into() },
    ]);
}

#[test]
fn outcomes_are_equal_when_all_of_them_is() {
    let response = |status: u16, header: &'static str, body: &'static str, via| {
        let response = Response::builder().status(status).header("a", header).body(Bytes::from(body)).unwrap();
        RequestOutcome::Response { response: response.into(), via }
    };
    all_differ(&[
        response(200, "h", "b", Via::Https),
        response(201, "h", "b", Via::Https),
        response(200, "i", "b", Via::Https),
        response(200, "h", "c", Via::Https),
        response(200, "h", "b", Via::WebSocket),
        RequestOutcome::NotSent(Cause::HeartbeatTimeout),
        RequestOutcome::NotSent(Cause::HandshakeTimeout),
        RequestOutcome::Unknown(Cause::HeartbeatTimeout),
        RequestOutcome::Unknown(Cause::HandshakeTimeout),
        RequestOutcome::TimedOut { sent: false },
        RequestOutcome::TimedOut { sent: true },
        RequestOutcome::Cancelled { sent: false },
        RequestOutcome::Cancelled { sent: true },
    ]);
}

#[test]
fn a_body_is_what_it_was_made_of() {
    let bodies = [Body::from(Bytes::from("b")), Body::from(vec![b'b']), Body::from(&b"b"[..]), Body::from("b")];
    for body in bodies {
        assert!(body.as_ref() == b"b" && !body.is_empty());
    }
    assert!(Body::empty().is_empty());
}

#[test]
fn errors_say_what_to_do() {
    assert!(NotDrained.to_string().contains("poll_output"));
    assert!(CommandError::Full(()).to_string().contains("queue is full"));
    assert!(CommandError::Closed(()).to_string().contains("ended"));
    assert_eq!(CommandError::NotDrained(()).to_string(), NotDrained.to_string());
    for (error, word) in [
        (RestoreError::Corrupt("cut off".into()), "cut off"),
        (RestoreError::Newer { found: 9, known: 1 }, "version 9"),
        (RestoreError::OtherServer, "another server"),
    ] {
        assert!(error.to_string().contains(word), "{error}");
    }
    for (reason, word) in [
        (InvalidReason::RelativePath, "begin with `/`"),
        (InvalidReason::ForeignHost, "another host"),
        (InvalidReason::Body, "JSON object"),
        (InvalidReason::NoSubscription, "no subscription"),
        (InvalidReason::TooManyFilters, "split them"),
    ] {
        assert!(CommandError::Invalid((), reason).to_string().contains(word), "{reason}");
    }
}

#[test]
fn remedies_go_by_the_status_where_no_code_is_known() {
    for (status, word) in [
        (401, "another access token"),
        (429, "after Retry-After"),
        (503, "repeat the call later"),
        (403, "WebSocket Subscriptions"),
        (400, "as the message says"),
    ] {
        let error = ApiError::from_reply(status, &HeaderMap::new(), b"");
        assert!(error.remedy().contains(word), "{status}: {}", error.remedy());
    }
}

// CLAUSE REQ-9
#[test]
fn an_error_body_is_read_to_a_depth_and_a_number() {
    let read = |body: &str| ApiError::from_reply(400, &HeaderMap::new(), body.as_bytes());
    let deep = r#"{"errors":[{"errorCode":"A","errors":[{"errorCode":"B","parameterName":"p"}]},{},{"message":"m"}]}"#;
    let error = read(deep);
    assert_eq!(error.parameter, None);
    assert_eq!(error.errors, [("A".into(), "".into()), ("".into(), "m".into())]);
    for (sent, kept) in [(15, 15), (16, 16), (17, 16)] {
        let many = vec![r#"{"errorCode":"A"}"#; sent].join(",");
        assert_eq!(read(&format!(r#"{{"errors":[{many}]}}"#)).errors.len(), kept);
    }
    assert_eq!(&*read(r#"{"message":" a  b\u0001c\nd "}"#).message, "a b c d");
}

// CLAUSE REQ-9
#[test]
fn one_header_is_enough_for_a_rate_limit() {
    let read = |name: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert(name, http::HeaderValue::from_static("7"));
        RateLimit::from_headers(&headers)
    };
    let seven = Some(Duration::from_secs(7));
    assert_eq!(read("x-rate-limit-group").unwrap().group.as_deref(), Some("7"));
    assert_eq!(read("x-rate-limit-limit").unwrap().limit, Some(7));
    assert_eq!(read("x-rate-limit-remaining").unwrap().remaining, Some(7));
    assert_eq!(read("x-rate-limit-window").unwrap().window, seven);
    assert_eq!(read("x-rate-limit-other"), None);
}

#[test]
fn a_cause_has_the_remedy_of_its_error() {
    let error = || Box::new(ApiError::from_reply(403, &HeaderMap::new(), b""));
    for cause in [Cause::TokenCall(error()), Cause::Forbidden(error())] {
        assert_eq!(cause.remedy(), Some(error().remedy()));
    }
    assert_eq!(Cause::SocketLost.remedy(), None);
}

#[test]
fn causes_have_a_word_and_a_line_each() {
    let (phase, message) = (Phase::Tcp, || Box::<str>::from("m"));
    let info = || Box::new(ApiError::from_reply(400, &HeaderMap::new(), b"no"));
    let wait = Duration::from_secs(7);
    let causes = [
        (Cause::SocketLost, "lost"),
        (Cause::ServerClosed { code: Some(1001) }, "1001"),
        (Cause::ServerClosed { code: None }, "closed the connection"),
        (Cause::HandshakeTimeout, "not ready in time"),
        (Cause::HeartbeatTimeout, "heartbeat"),
        (Cause::MalformedWsc, "WSG-400"),
        (Cause::IdleTimeout, "WSG-902"),
        (Cause::AbsoluteTimeout, "WSG-903"),
        (Cause::Renewal, "renewed"),
        (Cause::TooManyBadFrames, "frames in a row"),
        (Cause::ConnectFailed { phase, message: message() }, "the TCP connection failed: m"),
        (Cause::UpgradeRefused { status: 502 }, "HTTP 502"),
        (Cause::NoAuthorization, "4400"),
        (Cause::TokenCall(info()), "HTTP 400: no"),
        (Cause::TokenUnreadable, "could not be read"),
        (Cause::InsecureUri, "without TLS"),
        (Cause::ForeignUri { host: "h.example".into() }, "h.example, which is neither"),
        (Cause::Network { phase, message: message() }, "the TCP connection failed: m"),
        (Cause::Credentials { code: Some("OAU-1".into()), message: message() }, "(OAU-1): m"),
        (Cause::Credentials { code: None, message: message() }, "the login failed: m"),
        (Cause::Unauthorized, "refused too"),
        (Cause::Forbidden(info()), "no"),
        (Cause::RateLimited { retry_after: wait }, "for 7 s"),
        (Cause::Unavailable { retry_after: Some(wait) }, "for 7 s"),
        (Cause::Unavailable { retry_after: None }, "unavailable"),
        (Cause::ConnectionError { code: Some("WSG-1".into()) }, "WSG-1"),
        (Cause::ConnectionError { code: None }, "reported an error"),
        (Cause::Closed, "session was closed"),
        (Cause::SocketTimeout, "no answer"),
    ];
    let mut words: Vec<&str> = Vec::new();
    for (cause, part) in &causes {
        assert!(cause.to_string().contains(part), "{cause}");
        let word = cause.as_str();
        assert!(word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{word}");
        words.push(word);
    }
    // Four causes are listed twice.
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), causes.len() - 4);
}

#[test]
fn a_login_that_did_not_leave_is_named_so() {
    let network = |not_sent| AuthFailureKind::Network { phase: Phase::Tcp, not_sent };
    for (kind, not_sent) in [
        (network(true), true),
        (network(false), false),
        (AuthFailureKind::Limited, true),
        (AuthFailureKind::RateLimited, false),
        (AuthFailureKind::Permanent, false),
        (AuthFailureKind::Other, false),
    ] {
        assert_eq!(AuthFailure::new(kind, "m").not_sent(), not_sent, "{kind:?}");
    }
}

/// A log line that says nothing, or the same of two causes, helps nobody.
#[test]
fn each_reason_has_words_of_its_own() {
    let gaps = [
        GapCause::RecoveryFailed(Some("WSG-1".into())),
        GapCause::RecoveryFailed(None),
        GapCause::WindowPassed,
        GapCause::RecoveryAbandoned,
        GapCause::ReplayOverflow,
        GapCause::ReplayInterrupted,
        GapCause::Restored,
        GapCause::QueueOverflow,
        GapCause::UnreadableFrame,
        GapCause::SubscriptionLost,
        GapCause::InFlight,
        GapCause::Contended,
        GapCause::SlowListener,
    ];
    let waits = [
        WaitReason::Backoff,
        WaitReason::RetryAfter,
        WaitReason::LoginLimit,
        WaitReason::AuthBudget,
        WaitReason::AttemptBudget,
        WaitReason::LastChance,
        WaitReason::TokenSpread,
        WaitReason::Contended,
        WaitReason::SubscriptionLimit,
    ];
    let words = gaps.iter().map(ToString::to_string).chain(waits.iter().map(ToString::to_string));
    let words = words.chain(Unreadable::ALL.iter().map(ToString::to_string));
    let mut words: Vec<_> = words.chain([NotAnIdentity.to_string()]).collect();
    all_differ(&words);
    words.retain(|text| text.len() < 20);
    assert!(words.is_empty(), "{words:?}");
}
