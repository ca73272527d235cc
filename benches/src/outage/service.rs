//! The service as a client meets it: what it answers to a call, and when.

use std::time::Duration;

use bytes::Bytes;
use ringcentral_ws_core::{
    AccessToken, AuthFailure, AuthFailureKind, AuthReason, CloseInfo, HttpFailure, OpenFailure, Phase, SecretUrl,
    Timestamp,
};

use super::{LATENCY, WINDOW};

/// How long the credential source takes for a new token in place of a refused one.
const REFRESH: Duration = Duration::from_millis(200);
/// Life of an access token.
const TOKEN_LIFE: Duration = Duration::from_secs(3_600);
const RATE_LIMIT: Duration = Duration::from_secs(30);
const WS_TOKEN: &str = r#"{"ws_access_token":"t","uri":"wss://ws.ringcentral.com/ws","expires_in":600}"#;
const UNKNOWN_TOKEN: &str = r#"{"errorCode":"OAU-213","message":"Token not found"}"#;
const TOO_MANY: &str = r#"{"errorCode":"CMN-301","message":"Request rate exceeded"}"#;

/// How an outage looks to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The socket breaks; every dial is refused by TCP at once.
    Refused,
    /// The socket breaks; the name cannot be looked up, which is known at once.
    Name,
    /// The socket falls silent, and a call or dial begun meanwhile is never answered.
    BlackHole,
    /// The socket falls silent; dials are refused by TCP at once.
    Silent,
    /// The socket breaks; a call for a WebSocket token is answered 503.
    Unavailable,
    /// The same with `Retry-After`.
    UnavailableRetryAfter,
    /// The socket breaks; a call for a WebSocket token is answered 429 with `Retry-After: 30`.
    RateLimited,
    /// The socket breaks; WebSocket tokens are given, and the upgrade is answered 503.
    UpgradeRefused,
    /// The socket breaks; WebSocket tokens are given, and the dial of the WebSocket is refused by TCP at once.
    GatewayRefused,
    /// The socket falls silent; WebSocket tokens are given, and the dial of the WebSocket is never answered.
    GatewaySilent,
    /// As `Refused`; the first upgrade after the return is answered 401.
    Upgrade401,
    /// As `Refused`; the first call after the return is answered 401, and the credential source has a new access token
    /// 200 ms after it is asked.
    Refresh401,
    /// The server closes the socket with 1001; every dial is refused by TCP at once.
    Closed1001,
    /// The server closes the socket with 1001; a call for a WebSocket token is answered 503. For the herd only.
    Closed503,
}

impl Kind {
    /// Those of the table of outages.
    pub const TABLE: [Self; 13] = [
        Self::Refused,
        Self::Name,
        Self::BlackHole,
        Self::Silent,
        Self::Unavailable,
        Self::UnavailableRetryAfter,
        Self::RateLimited,
        Self::UpgradeRefused,
        Self::GatewayRefused,
        Self::GatewaySilent,
        Self::Upgrade401,
        Self::Refresh401,
        Self::Closed1001,
    ];

    /// The word for it on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Name => "name",
            Self::BlackHole => "black-hole",
            Self::Silent => "silent",
            Self::Unavailable => "503",
            Self::UnavailableRetryAfter => "503-ra",
            Self::RateLimited => "429",
            Self::UpgradeRefused => "upgrade-refused",
            Self::GatewayRefused => "gateway-refused",
            Self::GatewaySilent => "gateway-silent",
            Self::Upgrade401 => "upgrade-401",
            Self::Refresh401 => "401-refresh",
            Self::Closed1001 => "closed-1001",
            Self::Closed503 => "closed-503",
        }
    }

    /// Whether the client hears at once that its socket is gone, and how.
    pub(super) fn end_of_socket(self) -> Option<CloseInfo> {
        let code = match self {
            Self::BlackHole | Self::Silent | Self::GatewaySilent => return None,
            Self::Closed1001 | Self::Closed503 => Some(1001),
            _ => None,
        };
        Some(CloseInfo { code, reason: "".into() })
    }
}

/// What becomes of a call, and after how long. `None`: nothing ever.
pub(super) type After<T> = Option<(Duration, T)>;

/// An answer to a call for a WebSocket token.
#[derive(Clone)]
pub(super) enum HttpAnswer {
    Response { status: u16, retry_after: Option<Duration>, body: &'static str },
    Failure(HttpFailure),
}

impl HttpAnswer {
    pub(super) fn response(status: u16, retry_after: Option<Duration>, body: &'static str) -> http::Response<Bytes> {
        let mut response = http::Response::new(Bytes::from_static(body.as_bytes()));
        *response.status_mut() = http::StatusCode::from_u16(status).expect("a constant status");
        if let Some(wait) = retry_after {
            response.headers_mut().insert(http::header::RETRY_AFTER, wait.as_secs().into());
        }
        response
    }
}

/// One client's view of the service.
#[derive(Clone)]
pub struct Service {
    kind: Kind,
    loss: Timestamp,
    back: Timestamp,
    retry_after: Duration,
    /// The one refusal after the return is still to come.
    refuses: bool,
}

impl Service {
    /// A service that is there.
    #[must_use]
    pub const fn healthy() -> Self {
        let (loss, back) = (Timestamp::ZERO, Timestamp::ZERO);
        Self { kind: Kind::Refused, loss, back, retry_after: Duration::ZERO, refuses: false }
    }

    /// A service that loses its clients at `loss` and answers again from `back` on. `retry_after` is what
    /// [`Kind::UnavailableRetryAfter`] says.
    #[must_use]
    pub fn with_outage(kind: Kind, loss: Timestamp, back: Timestamp, retry_after: Duration) -> Self {
        Self { kind, loss, back, retry_after, refuses: matches!(kind, Kind::Upgrade401 | Kind::Refresh401) }
    }

    /// When it answers again.
    #[must_use]
    pub const fn back(&self) -> Timestamp {
        self.back
    }

    /// Whether a call of the Auth group that starts now may be seen by the server. One that nobody answers may be.
    pub(super) fn may_see_calls(&self, now: Timestamp) -> bool {
        now >= self.back
            || match self.kind {
                Kind::BlackHole
                | Kind::Unavailable
                | Kind::UnavailableRetryAfter
                | Kind::RateLimited
                | Kind::UpgradeRefused
                | Kind::GatewayRefused
                | Kind::GatewaySilent
                | Kind::Closed503 => true,
                Kind::Refused | Kind::Name | Kind::Silent | Kind::Upgrade401 | Kind::Refresh401 | Kind::Closed1001 => {
                    false
                }
            }
    }

    /// Whether only the WebSocket is away.
    const fn gives_tokens(&self) -> bool {
        matches!(self.kind, Kind::UpgradeRefused | Kind::GatewayRefused | Kind::GatewaySilent)
    }

    const fn failing_phase(&self) -> Phase {
        if let Kind::Name = self.kind { Phase::Dns } else { Phase::Tcp }
    }

    /// A call for a WebSocket token.
    pub(super) fn token_call(&mut self, now: Timestamp) -> After<HttpAnswer> {
        let answer = |status, retry_after, body| Some((LATENCY, HttpAnswer::Response { status, retry_after, body }));
        if now >= self.back {
            return match self.kind {
                Kind::Refresh401 if std::mem::take(&mut self.refuses) => answer(401, None, UNKNOWN_TOKEN),
                _ => answer(200, None, WS_TOKEN),
            };
        }
        match self.kind {
            Kind::BlackHole => None,
            Kind::Unavailable | Kind::Closed503 => answer(503, None, ""),
            Kind::UnavailableRetryAfter => answer(503, Some(self.retry_after), ""),
            Kind::RateLimited => answer(429, Some(RATE_LIMIT), TOO_MANY),
            _ if self.gives_tokens() => answer(200, None, WS_TOKEN),
            _ => {
                let message = "the service cannot be reached".into();
                let failure = HttpFailure { phase: self.failing_phase(), not_sent: true, message };
                Some((Duration::ZERO, HttpAnswer::Failure(failure)))
            }
        }
    }

    /// A question to the credential source, whose server shares the fate of the service.
    pub(super) fn login(&self, now: Timestamp, reason: AuthReason) -> After<Result<AccessToken, AuthFailure>> {
        if now >= self.back || self.gives_tokens() {
            let after = if reason == AuthReason::Refused { REFRESH } else { LATENCY };
            return Some((after, Ok(AccessToken { secret: "a".into(), expires_in: Some(TOKEN_LIFE), cached: false })));
        }
        let (after, kind) = match self.kind {
            Kind::BlackHole => return None,
            Kind::RateLimited => (LATENCY, AuthFailureKind::RateLimited),
            _ if self.may_see_calls(now) => (LATENCY, AuthFailureKind::Unavailable),
            _ => (Duration::ZERO, AuthFailureKind::Network { phase: self.failing_phase(), not_sent: true }),
        };
        let retry_after = match self.kind {
            Kind::UnavailableRetryAfter => Some(self.retry_after),
            Kind::RateLimited => Some(RATE_LIMIT),
            _ => None,
        };
        let message = "the login server cannot be reached".into();
        Some((after, Err(AuthFailure { kind, code: None, message, retry_after })))
    }

    /// The opening of a WebSocket: the ConnectionDetails, or how it fails.
    pub(super) fn upgrade(&mut self, now: Timestamp, url: &SecretUrl) -> After<Result<String, OpenFailure>> {
        let failure = |phase, status| {
            Err(OpenFailure { phase, status, retry_after: None, message: "the service refuses".into() })
        };
        if now >= self.back {
            if self.kind == Kind::Upgrade401 && std::mem::take(&mut self.refuses) {
                return Some((LATENCY, failure(Phase::Response, Some(401))));
            }
            let wsc = url.expose().query_pairs().any(|(key, _)| key == "wsc");
            return Some((LATENCY, Ok(self.details(wsc, now.after(LATENCY)))));
        }
        match self.kind {
            Kind::BlackHole | Kind::GatewaySilent => None,
            Kind::UpgradeRefused | Kind::Unavailable | Kind::UnavailableRetryAfter | Kind::Closed503 => {
                Some((LATENCY, failure(Phase::Response, Some(503))))
            }
            Kind::RateLimited => Some((LATENCY, failure(Phase::Response, Some(429)))),
            _ => Some((Duration::ZERO, failure(self.failing_phase(), None))),
        }
    }

    /// The first message of a connection. The window is the server's own: it knows when the socket really broke.
    fn details(&self, wsc: bool, now: Timestamp) -> String {
        let state = match wsc {
            false => "",
            true if now.since(self.loss) <= WINDOW => r#""recoveryState":"Successful","#,
            true => r#""recoveryState":"Failed","#,
        };
        let limits = r#""recoveryTimeout":180,"recoveryBufferSize":100,"idleTimeout":1800,"absoluteTimeout":86400,"maxActiveRequests":10"#;
        format!(r#"[{{"type":"ConnectionDetails","wsc":{{"token":"w","sequence":1}}}},{{{state}{limits}}}]"#)
    }
}
