//! REST requests: accepted, sent when they can be, ended (REQ).

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};

use super::options::RequestOptions;
use super::routes::{USER_AGENT, own_headers};
use crate::body::Body;
use crate::classify::{ApiError, Cause, Class};
use crate::error::{CommandError, NotDrained};
use crate::ids::{ConnId, HttpId, RequestId};
use crate::input::HttpFailure;
use crate::output::{Action, Event, HttpPurpose, Purpose, RequestOutcome};
use crate::request_line::is_read;
use crate::session::requests::{Entry, Stage};
use crate::session::{Refused, Session};
use crate::time::Timestamp;
use crate::timers::TimerKind;
use crate::wire::{Message, Payload, client_request};

impl Session {
    /// Makes a REST request. It ends in exactly one [`Event::Response`](crate::Event::Response)
    /// ([REQ-3](crate::protocol#req-3)). Without a connection it goes over HTTPS ([REQ-5](crate::protocol#req-5)).
    ///
    /// The URI is a path that begins with `/`, with or without a query. Scheme and host may be given if they are the
    /// configured server's. The headers `Authorization`, `Host`, `Content-Length` and `Transfer-Encoding` are left off.
    /// [`RequestOptions`] are read from the extensions, and over HTTPS all extensions reach [`Action::Http`].
    ///
    /// # Errors
    ///
    /// [`CommandError`] hands the request back; nothing has changed.
    #[expect(clippy::result_large_err, reason = "the request is handed back")]
    pub fn request(
        &mut self,
        request: Request<Body>,
        now: Timestamp,
    ) -> Result<RequestId, CommandError<Request<Body>>> {
        let now = match self.command(now) {
            Ok(now) => now,
            Err(why) => return Err(Refused::with(why, request)),
        };
        let https_only = match self.route(&request) {
            Ok(https_only) => https_only,
            Err(why) => return Err(CommandError::Invalid(request, why)),
        };
        if self.state.requests.queued() >= self.config.limits.queued_requests {
            return Err(CommandError::Full(request));
        }
        let options = RequestOptions::of(&request);
        let safe = is_read(request.method());
        let id = self.state.requests.accept(Entry {
            deadline: now.after(options.timeout.unwrap_or(self.config.request_timeout)),
            repeat: options.repeat_if_safe && safe,
            request: Some(request),
            stage: Stage::Queued,
            left: false,
            reauthorized: false,
            token: 0,
            https_only,
        });
        self.stats.requests += 1;
        self.settle(now);
        Ok(id)
    }

    /// Cancels a request. If it has not ended yet, it ends now as [`RequestOutcome::Cancelled`].
    ///
    /// # Errors
    ///
    /// [`NotDrained`], as [`handle_input`](Self::handle_input).
    pub fn cancel(&mut self, id: RequestId, now: Timestamp) -> Result<(), NotDrained> {
        if self.enter_and_run(now)? {
            self.abandon(id, |sent| RequestOutcome::Cancelled { sent });
            self.settle(self.state.now);
        }
        Ok(())
    }

    /// REQ-2: room for one more on the socket.
    pub(crate) fn has_free_slot(&self) -> bool {
        let stated = self.state.recovery.limits.max_active_requests.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        let own = self.config.limits.active_requests;
        let limit = stated.unwrap_or(own).min(own).max(1);
        self.state.requests.active() + usize::from(self.state.subscription.is_calling()) < limit
    }

    /// Sends what can be sent, first come first served on each way.
    pub(crate) fn dispatch(&mut self, now: Timestamp) {
        let (mut socket_held, mut place) = (false, 0);
        while let Some(id) = self.state.requests.waiting_at(place) {
            let https_only = self.state.requests.get(id).is_some_and(|entry| entry.https_only);
            match self.ready().filter(|_| !https_only && !self.state.connection.is_renewing()) {
                Some(conn) if !socket_held && self.has_free_slot() && !self.state.requests.blocked => {
                    self.send_on_socket(conn, id);
                }
                Some(_) => socket_held = true,
                None => self.send_by_https(id, now),
            }
            // One that did not leave keeps its place.
            place += usize::from(self.state.requests.waiting_at(place) == Some(id));
        }
        self.plan_deadline(now);
    }

    fn send_on_socket(&mut self, conn: ConnId, id: RequestId) {
        let message = self.fresh_id();
        let message_id = self.message_id(message);
        let Some(entry) = self.state.requests.get_mut(id) else { return };
        let keep = entry.repeat;
        let Some(request) = entry.request.take() else { return };
        let mut headers = own_headers(&request);
        let body = std::str::from_utf8(request.body().as_bytes()).ok().filter(|body| !body.is_empty());
        let uri = request.uri();
        let method = request.method().as_str();
        if !headers.contains_key(USER_AGENT)
            && let Ok(value) = HeaderValue::from_str(&self.config.user_agent)
        {
            headers.insert(USER_AGENT, value);
        }
        let text = client_request(&message_id, method, uri.path(), uri.query(), &headers, body);
        entry.request = keep.then_some(request);
        self.state.requests.sent_on_socket(id, message);
        self.state.liveness.sent(self.state.now);
        self.out.act(Action::Send { conn, text, purpose: Purpose::Request(id) });
    }

    fn send_by_https(&mut self, id: RequestId, now: Timestamp) {
        if self.state.requests.active_https() >= self.config.limits.active_requests.max(1) {
            return;
        }
        let Some(bearer) = self.state.tokens.bearer(now) else {
            if let Err(planned) = self.ask(now)
                && let Some(entry) = self.end_request(id)
            {
                let outcome = entry.unsent(planned.as_cause(now));
                self.out.emit(Event::Response { id, outcome });
            }
            return;
        };
        let Some(request) = self.state.requests.get(id).and_then(|entry| entry.request.as_ref()) else { return };
        let path = request.uri().path_and_query().map_or("/", |p| p.as_str());
        let mut call = Request::new(request.body().as_bytes().clone());
        *call.method_mut() = request.method().clone();
        *call.uri_mut() = self.rest_uri(path);
        *call.headers_mut() = own_headers(request);
        *call.extensions_mut() = request.extensions().clone();
        call.headers_mut().insert(header::AUTHORIZATION, bearer);
        self.add_user_agent(call.headers_mut());
        let call_id = HttpId(self.fresh_id());
        self.state.requests.sent_by_https(id, call_id, self.state.tokens.number());
        self.out.act(Action::Http { id: call_id, purpose: HttpPurpose::Request(id), request: Box::new(call) });
    }

    /// One that has passed stays, and acts after the input that came with it.
    fn plan_deadline(&mut self, now: Timestamp) {
        if self.state.timers.get(TimerKind::Request).is_some_and(|at| at <= now) {
            return;
        }
        match self.state.requests.deadline() {
            Some(at) => self.arm(TimerKind::Request, at),
            None => self.state.timers.stop(TimerKind::Request),
        }
    }

    pub(crate) fn deadlines_due(&mut self, now: Timestamp) {
        for id in self.state.requests.due(now) {
            self.abandon(id, |sent| RequestOutcome::TimedOut { sent });
        }
    }

    /// The server has as long again to answer what is no longer waited for.
    fn end_request(&mut self, id: RequestId) -> Option<Entry> {
        self.state.requests.end(id, self.state.now.after(self.config.request_timeout))
    }

    /// Ends a request from this side.
    fn abandon(&mut self, id: RequestId, outcome: impl FnOnce(bool) -> RequestOutcome) {
        if let Some(entry) = self.end_request(id) {
            if let Stage::Https(call) = entry.stage {
                self.out.act(Action::AbortHttp { id: call });
            }
            self.out.emit(Event::Response { id, outcome: outcome(entry.is_sent()) });
        }
    }

    /// An answer on the socket that is no subscription call's.
    pub(crate) fn socket_answer(&mut self, number: u64, message: &Message<'_>) {
        match self.state.requests.answered_on_socket(number) {
            None => self.stats.unmatched += 1,
            Some(id) => {
                let response = Box::new(self.response_of(message));
                self.end_with_response(id, response);
            }
        }
    }

    /// REQ-7.
    fn response_of(&self, message: &Message<'_>) -> Response<Bytes> {
        let mut response = Response::new(match &message.payload {
            Payload::Json(raw) => Bytes::copy_from_slice(raw.get().as_bytes()),
            Payload::Multipart(text) => Bytes::copy_from_slice(text.as_bytes()),
            Payload::None | Payload::Notification(_) => Bytes::new(),
        });
        let status = message.meta.status.and_then(|status| http::StatusCode::from_u16(status).ok());
        *response.status_mut() = status.unwrap_or(http::StatusCode::BAD_GATEWAY);
        *response.headers_mut() = message.meta.headers_map(self.config.limits.headers);
        response
    }

    fn end_with_response(&mut self, id: RequestId, mut response: Box<Response<Bytes>>) {
        if response.status().as_u16() >= 400 {
            // Who reads the error does not know what must not be shown (SEC-6).
            response.extensions_mut().insert(self.masker());
        }
        if let Some(entry) = self.end_request(id) {
            let via = entry.stage.via();
            self.out.emit(Event::Response { id, outcome: RequestOutcome::Response { response, via } });
        }
    }

    pub(crate) fn rest_response(&mut self, call: HttpId, response: Box<Response<Bytes>>, now: Timestamp) {
        let Some(id) = self.state.requests.answered_by_https(call) else {
            self.stats.stale_inputs += 1;
            return;
        };
        let status = response.status().as_u16();
        let expired = status == 401
            && ApiError::from_reply(status, response.headers(), response.body()).class() == Class::RefreshToken;
        let (token, reauthorized) =
            self.state.requests.get(id).map_or((0, true), |entry| (entry.token, entry.reauthorized));
        // A token that has been replaced since was refused: that is not yet the one repetition.
        let outdated = token != self.state.tokens.number();
        if expired && (outdated || !reauthorized && self.state.tokens.replaces_for_request(token, now)) {
            if let Some(entry) = self.state.requests.get_mut(id) {
                entry.reauthorized |= !outdated;
            }
            self.state.requests.requeue(id);
            self.access_refused(token);
        } else {
            if status != 401 {
                self.state.tokens.accepted(token);
            }
            self.end_with_response(id, response);
        }
    }

    pub(crate) fn rest_failed(&mut self, call: HttpId, failure: HttpFailure) {
        let Some(id) = self.state.requests.answered_by_https(call) else {
            self.stats.stale_inputs += 1;
            return;
        };
        if let Some(entry) = self.end_request(id) {
            let cause = Cause::Network { phase: failure.phase, message: self.words(&failure.message) };
            let outcome = if failure.not_sent { entry.unsent(cause) } else { RequestOutcome::Unknown(cause) };
            self.out.emit(Event::Response { id, outcome });
        }
    }

    /// No access token is to be had: what waits for one cannot be sent.
    pub(crate) fn requests_without_token(&mut self, cause: &Cause, now: Timestamp) {
        if self.state.tokens.bearer(now).is_some() {
            return;
        }
        for id in self.state.requests.waiting() {
            let by_socket =
                self.ready().is_some() && self.state.requests.get(id).is_some_and(|entry| !entry.https_only);
            if !by_socket && let Some(entry) = self.end_request(id) {
                self.out.emit(Event::Response { id, outcome: entry.unsent(cause.clone()) });
            }
        }
    }

    /// REQ-3, REQ-8: what was in flight ends at once, unless it may be repeated.
    pub(crate) fn requests_disconnected(&mut self, cause: &Cause, now: Timestamp) {
        let mut lost = self.state.requests.socket_lost();
        lost.sort_unstable();
        for id in lost {
            let entry = self.state.requests.get_mut(id).filter(|entry| entry.repeat && now < entry.deadline);
            if let Some(entry) = entry {
                entry.left = true;
                self.state.requests.requeue(id);
            } else if self.end_request(id).is_some() {
                self.out.emit(Event::Response { id, outcome: RequestOutcome::Unknown(cause.clone()) });
            }
        }
    }

    /// `close`: what has not left will not.
    pub(crate) fn end_queued_requests(&mut self) {
        for id in self.state.requests.waiting() {
            self.abandon(id, ended_by_close);
        }
    }

    pub(crate) fn end_all_requests(&mut self) {
        for id in self.state.requests.all() {
            self.abandon(id, ended_by_close);
        }
    }

    pub(crate) fn send_blocked(&mut self, conn: ConnId, blocked: bool) {
        if self.live() != Some(conn) {
            self.stats.stale_inputs += 1;
            return;
        }
        self.state.requests.blocked = blocked;
    }
}

fn ended_by_close(sent: bool) -> RequestOutcome {
    if sent { RequestOutcome::Unknown(Cause::Closed) } else { RequestOutcome::NotSent(Cause::Closed) }
}
