//! Spans and events from what a Session puts out.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{Method, Request, StatusCode};
use ringcentral_ws_core::{
    Action, AuthFailure, AuthReason, Body, CloseReason, ConnId, Event, ProtocolError, Purpose, RequestId,
    RequestOutcome,
};
use tracing::field::{Empty, display};
use tracing::{Instrument, Level, Span};
use url::Url;

use crate::Target;

mod target {
    pub(super) const SESSION: &str = "ringcentral_ws::session";
    pub(super) const CONNECTION: &str = "ringcentral_ws::connection";
    pub(super) const SUBSCRIPTION: &str = "ringcentral_ws::subscription";
    pub(super) const NOTIFICATION: &str = "ringcentral_ws::notification";
    pub(super) const REQUEST: &str = "ringcentral_ws::request";
    pub(super) const HTTP: &str = "ringcentral_ws::http";
    pub(super) const FRAMES: &str = "ringcentral_ws::frames";
}

/// An event whose name is its message.
macro_rules! emit {
    ($level:ident, $target:ident, $name:literal, in $parent:expr $(, $key:ident = $value:expr)* $(,)?) => {
        tracing::event!(
            name: $name, target: target::$target, parent: $parent, Level::$level, { $($key = $value),* }, $name
        )
    };
    ($level:ident, $target:ident, $name:literal $(, $key:ident = $value:expr)* $(,)?) => {
        tracing::event!(name: $name, target: target::$target, Level::$level, { $($key = $value),* }, $name)
    };
}

/// Whether anybody listens for frames.
#[must_use]
pub fn wants_frames() -> bool {
    tracing::enabled!(target: target::FRAMES, Level::TRACE)
}

/// A masked frame, or a note about the socket.
pub fn frame(line: &str) {
    emit!(TRACE, FRAMES, "frame", line = line);
}

/// An HTTPS call that has ended: its status, or why there is none.
pub fn http(method: &Method, to: &Target, path: &str, result: Result<StatusCode, &str>) {
    let (method, host, port) = (method.as_str(), to.host.as_str(), to.port);
    match result {
        Ok(status) => {
            emit!(DEBUG, HTTP, "http", method = method, host = host, port = port, path = path, status = status.as_u16())
        }
        Err(why) => {
            emit!(DEBUG, HTTP, "http_failed", method = method, host = host, port = port, path = path, detail = why)
        }
    }
}

/// The span of a session, for what runs on its behalf.
#[derive(Clone, Debug)]
pub struct SessionSpan(Span);

impl SessionSpan {
    /// Runs a future within the span.
    pub fn around<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        work.instrument(self.0.clone())
    }

    /// Runs a closure within the span.
    pub fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        self.0.in_scope(work)
    }
}

/// What is shown of a request; nothing when nobody listens.
#[derive(Debug)]
pub struct About(Option<(Method, String)>);

/// Shows what a Session puts out: its driver passes on each action and event.
#[derive(Debug)]
pub struct Tracer {
    session: Span,
    /// The connection that is being made or in use.
    connection: Option<(ConnId, Span)>,
    /// One for each request under way, if anybody listens; the Session bounds their number.
    requests: BTreeMap<RequestId, Span>,
}

impl Tracer {
    /// Opens the span of a session.
    #[must_use]
    pub fn new(server: &Url, restored: bool) -> Self {
        let server = server.host_str().unwrap_or_default();
        let session =
            tracing::span!(target: target::SESSION, Level::INFO, "session", server = server, restored = restored);
        Self { session, connection: None, requests: BTreeMap::new() }
    }

    /// The span of the session.
    #[must_use]
    pub fn session(&self) -> SessionSpan {
        SessionSpan(self.session.clone())
    }

    fn connection(&self, conn: ConnId) -> &Span {
        self.connection.as_ref().filter(|(live, _)| *live == conn).map_or(&self.session, |(_, span)| span)
    }

    /// Shows what the Session asks for.
    pub fn action(&mut self, action: &Action) {
        match action {
            Action::Authorize { reason, .. } => {
                let reason = match reason {
                    AuthReason::Missing => "missing",
                    AuthReason::Expiring => "expiring",
                    AuthReason::Refused => "refused",
                    _ => "other",
                };
                emit!(DEBUG, SESSION, "authorize", in &self.session, reason = reason);
            }
            Action::Open { conn, url } => {
                let (number, session) = (conn.get(), &self.session);
                let span = tracing::span!(
                    target: target::CONNECTION, parent: session, Level::INFO, "connection", conn = number, resumption = Empty
                );
                let host = url.expose().host_str();
                emit!(DEBUG, CONNECTION, "opening", in &span, conn = number, host = host);
                self.connection = Some((*conn, span));
            }
            Action::Send { conn, purpose: Purpose::Heartbeat, .. } => {
                emit!(TRACE, CONNECTION, "heartbeat", in self.connection(*conn), conn = conn.get());
            }
            Action::Resubscribe { conn, .. } => {
                emit!(INFO, SUBSCRIPTION, "resubscribe", in self.connection(*conn), conn = conn.get());
            }
            _ => {}
        }
    }

    /// Shows what the Session reports.
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::Subscribed(_)
            | Event::SubscriptionFailed { .. }
            | Event::Unsubscribed { .. }
            | Event::Notification(_)
            | Event::Gap(_) => self.delivery(event),
            Event::Connected { conn, resumption, .. } => {
                let (span, resumption) = (self.connection(*conn), resumption.as_str());
                span.record("resumption", resumption);
                emit!(INFO, CONNECTION, "connected", in span, conn = conn.get(), resumption = resumption);
            }
            Event::Recovered { conn } => {
                emit!(INFO, CONNECTION, "recovered", in self.connection(*conn), conn = conn.get());
            }
            Event::RecoveryFailed { conn, code } => {
                let (span, code) = (self.connection(*conn), code.as_deref());
                emit!(WARN, CONNECTION, "recovery_failed", in span, conn = conn.get(), code = code);
            }
            Event::ProtocolError { conn, error } => {
                let (span, shown) = (self.connection(*conn), tracing::field::debug(error));
                let kind = if let ProtocolError::Transport(what) = error { Some(what.as_str()) } else { None };
                emit!(WARN, CONNECTION, "protocol_error", in span, conn = conn.get(), error = shown, kind = kind);
            }
            Event::Disconnected { conn, cause, reason } => {
                let (span, word, detail) = (self.connection(*conn), cause.as_str(), display(cause));
                let (conn, reason) = (conn.get(), reason.as_deref());
                emit!(
                    INFO, CONNECTION, "disconnected", in span,
                    conn = conn, cause = word, detail = detail, reason = reason
                );
                self.connection = None;
            }
            Event::Retry { attempt, cause, delay, .. } => {
                let delay = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
                let (session, word, detail) = (&self.session, cause.as_str(), display(cause));
                emit!(
                    WARN, CONNECTION, "retry", in session,
                    attempt = *attempt, cause = word, delay_ms = delay, detail = detail
                );
            }
            Event::Waiting { reason, delay, .. } => {
                let delay = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
                let session = &self.session;
                emit!(INFO, CONNECTION, "waiting", in session, waits_for = reason.as_str(), delay_ms = delay);
            }
            Event::Response { id, outcome } => self.request_ended(*id, outcome),
            Event::Backfill(fetched) => {
                let (session, records, complete) = (&self.session, fetched.records.len(), fetched.complete);
                emit!(INFO, NOTIFICATION, "backfill", in session, records = records, complete = complete);
            }
            Event::Closed { reason } => self.closed(reason),
            _ => {}
        }
    }

    /// A new session is connected, and the application has asked for nothing.
    pub fn nothing_subscribed(&self, conn: ConnId) {
        emit!(WARN, SUBSCRIPTION, "nothing_subscribed", in self.connection(conn), conn = conn.get());
    }

    fn delivery(&self, event: &Event) {
        let span = self.connection.as_ref().map_or(&self.session, |(_, span)| span);
        match event {
            Event::Subscribed(info) => {
                emit!(
                    INFO, SUBSCRIPTION, "subscribed", in span,
                    subscription = &*info.server_id, filters = info.filters.len(), disabled = info.disabled.len()
                );
                for problem in info.problems() {
                    emit!(
                        WARN, SUBSCRIPTION, "not_delivered", in span,
                        subscription = &*info.server_id, problem = problem.as_str(), detail = display(&problem)
                    );
                }
            }
            Event::SubscriptionFailed { error, retry_at, .. } => emit!(
                WARN, SUBSCRIPTION, "subscription_failed", in span,
                status = error.status, code = error.code.as_deref(),
                permanent = retry_at.is_none(), detail = display(error)
            ),
            Event::Unsubscribed { .. } => emit!(INFO, SUBSCRIPTION, "unsubscribed", in span),
            Event::Notification(n) => {
                emit!(DEBUG, NOTIFICATION, "notification", in span, uuid = n.uuid(), bytes = n.body().len());
            }
            Event::Gap(gap) => emit!(
                WARN, NOTIFICATION, "gap", in span,
                cause = gap.cause.as_str(), since_ms = gap.since.0, until_ms = gap.until.0
            ),
            _ => {}
        }
    }

    fn closed(&self, reason: &CloseReason) {
        let session = &self.session;
        match reason {
            CloseReason::Revoked => emit!(INFO, SESSION, "closed", in session, reason = "revoked"),
            CloseReason::Permanent(cause) => {
                emit!(ERROR, SESSION, "failed", in session, cause = cause.as_str(), detail = display(cause));
            }
            CloseReason::Detached => emit!(INFO, SESSION, "closed", in session, reason = "detached"),
            _ => emit!(INFO, SESSION, "closed", in session, reason = "other"),
        }
    }

    /// Shows how a question to the credential source came out: the token's life, or why there is none.
    pub fn authorized(&self, result: Result<Option<Duration>, &AuthFailure>) {
        let session = &self.session;
        match result {
            Ok(life) => emit!(DEBUG, SESSION, "authorized", in session, expires_in_s = life.map(|life| life.as_secs())),
            Err(failure @ AuthFailure { code, message, .. }) => emit!(
                WARN, SESSION, "authorize_failed", in session,
                permanent = failure.is_permanent(), code = code.as_deref(), detail = &**message
            ),
        }
    }

    /// What is shown of a request, before the Session takes it.
    #[must_use]
    pub fn about(&self, request: &Request<Body>) -> About {
        let wanted = tracing::enabled!(target: target::REQUEST, Level::DEBUG);
        About(wanted.then(|| (request.method().clone(), request.uri().path().to_owned())))
    }

    /// The Session took the request.
    pub fn requested(&mut self, id: RequestId, about: About) {
        let Some((method, path)) = about.0 else { return };
        let (session, number, method, path) = (&self.session, id.get(), method.as_str(), path.as_str());
        let span = tracing::span!(
            target: target::REQUEST, parent: session, Level::DEBUG, "request",
            request = number, method = method, path = path, outcome = Empty, status = Empty, via = Empty
        );
        self.requests.insert(id, span);
    }

    fn request_ended(&mut self, id: RequestId, outcome: &RequestOutcome) {
        let Some(span) = self.requests.remove(&id) else { return };
        let (word, answer) = match outcome {
            RequestOutcome::Response { response, via } => ("response", Some((response.status(), *via))),
            RequestOutcome::NotSent(_) => ("not_sent", None),
            RequestOutcome::TimedOut { .. } => ("timed_out", None),
            RequestOutcome::Cancelled { .. } => ("cancelled", None),
            _ => ("unknown", None),
        };
        let (status, via) = (answer.map(|(status, _)| status.as_u16()), answer.map(|(_, via)| via.as_str()));
        span.record("outcome", word).record("status", status).record("via", via);
        emit!(DEBUG, REQUEST, "request_ended", in &span, request = id.get(), outcome = word, status = status, via = via);
    }
}
