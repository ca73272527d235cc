//! Between the model's words and the session's.

use bytes::Bytes;
use ringcentral_ws_core::*;

use super::World;
use crate::model::{Cost, In, Out, Timer};
use crate::oracle::check_certainty;
use crate::subject::Subject;

impl<S: Subject> World<S> {
    /// Gives it to the session.
    pub(super) fn apply(&mut self, input: &In) {
        let now = Timestamp::from_micros(self.now);
        let session = &mut self.session;
        // Refusals show in what follows: the model expects none.
        match input {
            In::Connect => {
                let _ = session.connect(now);
            }
            In::Subscribe => drop(Filters::new(["/x"]).map(|filters| session.subscribe(filters, now))),
            In::Unsubscribe => drop(session.unsubscribe(now)),
            In::Request => {
                let request = http::Request::post("/restapi/v1.0/a").body(Body::from("{}"));
                if let Ok(request) = request {
                    let _ = session.request(request, now);
                }
            }
            In::Cancel(number) => {
                let _ = session.cancel(RequestId::from(*number), now);
            }
            In::Recover => drop(session.recover(now)),
            In::Close(revoke) => {
                let _ = session.close(if *revoke { Close::Revoke } else { Close::Detach }, now);
            }
            input => self.give_input(input, now),
        }
    }

    fn give_input(&mut self, given: &In, now: Timestamp) {
        let (login, call, conn) = (self.login, self.call, self.conn);
        let text = self.frame(given);
        let input = match given {
            In::Authorized => Input::Authorized {
                id: login,
                token: AccessToken { secret: Secret::from("access"), expires_in: None, cached: false },
            },
            In::LoginFailed(cost) => {
                let kind = match cost {
                    Cost::Local => AuthFailureKind::Network { phase: Phase::Dns, not_sent: true },
                    Cost::Call | Cost::Spent => AuthFailureKind::Other,
                };
                Input::AuthorizeFailed { id: login, failure: AuthFailure::new(kind, "no") }
            }
            In::Token(token) => {
                let body =
                    format!(r#"{{"uri":"wss://h.ringcentral.com/ws","ws_access_token":"{token}","expires_in":600}}"#);
                Input::HttpResponse { id: call, response: Box::new(http::Response::new(Bytes::from(body))) }
            }
            In::TokenFailed(Cost::Local) => {
                let failure = HttpFailure { phase: Phase::Tcp, not_sent: true, message: "no".into() };
                Input::HttpFailed { id: call, failure }
            }
            In::TokenFailed(Cost::Call | Cost::Spent) | In::TokenRefused => {
                let refused = *given == In::TokenRefused;
                let mut response = http::Response::new(Bytes::new());
                *response.status_mut() =
                    if refused { http::StatusCode::UNAUTHORIZED } else { http::StatusCode::SERVICE_UNAVAILABLE };
                Input::HttpResponse { id: call, response: Box::new(response) }
            }
            In::Opened => Input::Opened { conn },
            In::OpenFailed(status) => {
                let phase = if status.is_some() { Phase::Response } else { Phase::Tcp };
                let failure = OpenFailure { phase, status: *status, retry_after: None, message: "no".into() };
                Input::OpenFailed { conn, failure }
            }
            In::Gone(code) => Input::Closed { conn, close: CloseInfo { code: *code, ..CloseInfo::default() } },
            _ => match &text {
                Some(text) => Input::Frame { conn, frame: Frame::Text(text) },
                None => Input::Timeout,
            },
        };
        let _ = self.session.handle_input(input, now);
    }

    /// The server's message, if it is one.
    fn frame(&mut self, given: &In) -> Option<String> {
        Some(match given {
            In::Details(state, handle) => {
                let wsc = handle.as_ref().map(|token| format!(r#","wsc":{{"token":"{token}","sequence":1}}"#));
                let state = match state {
                    Some(true) => r#""recoveryState":"Successful""#,
                    Some(false) => r#""recoveryState":"Failed","recoveryErrorCode":"WSG-1005""#,
                    None => "",
                };
                format!(r#"[{{"type":"ConnectionDetails"{}}},{{{state}}}]"#, wsc.unwrap_or_default())
            }
            In::Malformed => r#"[{"type":"Error","status":400},{"errorCode":"WSG-400"}]"#.to_owned(),
            In::Idle => r#"[{"type":"Error","status":400},{"errorCode":"WSG-902"}]"#.to_owned(),
            In::Notification(n, of) => {
                let of = of.as_ref().map(|of| format!(r#","subscriptionId":"{of}""#)).unwrap_or_default();
                format!(r#"[{{"type":"ServerNotification"}},{{"uuid":"{n}"{of},"body":{{}}}}]"#)
            }
            In::Echo(number) => {
                let at = self.heartbeats.iter().position(|(of, _)| of == number)?;
                let (_, id) = self.heartbeats.remove(at)?;
                format!(r#"[{{"type":"Heartbeat","messageId":"{id}"}}]"#)
            }
            In::Answer(answer) => {
                let (status, body) = match answer {
                    Ok(Some(id)) => (200, format!(r#",{{"id":"{id}","eventFilters":["/x"]}}"#)),
                    Ok(None) => (204, String::new()),
                    Err(403) => (403, r#",{"errorCode":"SUB-528"}"#.to_owned()),
                    Err(status) => (*status, String::new()),
                };
                let id = &self.subscription;
                format!(r#"[{{"type":"ClientRequest","messageId":"{id}","status":{status}}}{body}]"#)
            }
            In::Reply(request) => {
                let id = &self.requests.iter().rev().find(|(of, _)| of == request)?.1;
                format!(r#"[{{"type":"ClientRequest","messageId":"{id}","status":200}},{{}}]"#)
            }
            In::Garbage => "[".to_owned(),
            _ => return None,
        })
    }

    /// The session's output in the model's words; `None` for what the model does not look at.
    pub(super) fn read(&mut self, output: Output) -> Result<Option<Out>, String> {
        match output {
            Output::Action(action) => self.read_action(action).map(Some),
            Output::Event(event) => self.read_event(event),
            Output::Wait(_) => Ok(None),
        }
    }

    fn read_action(&mut self, action: Action) -> Result<Out, String> {
        Ok(match action {
            Action::Authorize { id, .. } => {
                self.login = id;
                Out::Login
            }
            Action::Http { id, .. } => {
                self.call = id;
                Out::TokenCall
            }
            Action::AbortHttp { .. } => Out::Abort,
            Action::Open { conn, url } => {
                self.conn = conn;
                self.heartbeats.clear();
                let value = |name: &str| {
                    url.expose().query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
                };
                Out::Open { token: value("access_token").unwrap_or_default(), wsc: value("wsc") }
            }
            Action::Drop { .. } => Out::Drop,
            Action::Close { .. } => Out::Close,
            Action::Resubscribe { text, .. } => {
                self.subscription = id_of(&text);
                Out::Resubscribe
            }
            Action::Send { text, purpose, .. } => self.read_send(&text, purpose)?,
        })
    }

    fn read_send(&mut self, text: &str, purpose: Purpose) -> Result<Out, String> {
        let target = || text.split_once("/subscription/").map_or("", |(_, rest)| rest).split('"').next().unwrap_or("");
        let id = id_of(text);
        Ok(match purpose {
            Purpose::Heartbeat => {
                self.sent_heartbeats += 1;
                self.heartbeats.push_back((self.sent_heartbeats, id));
                Out::Heartbeat
            }
            Purpose::Request(request) => {
                self.requests.push((request.get(), id));
                Out::Request(request.get())
            }
            Purpose::Subscribe => {
                self.subscription = id;
                Out::Post
            }
            Purpose::Update => {
                self.subscription = id;
                Out::Put(target().to_owned())
            }
            Purpose::Unsubscribe => {
                self.subscription = id;
                Out::Delete(target().to_owned())
            }
            other => return Err(self.report(&format!("the model knows no {other:?}"))),
        })
    }

    fn check_gap(&self, gap: &Gap) -> Result<(), String> {
        if gap.since > gap.until {
            return Err(self.report(&format!("a gap from {:?} until {:?}", gap.since, gap.until)));
        }
        check_certainty(gap).map_err(|violation| self.report(&violation.to_string()))
    }

    fn read_event(&mut self, event: Event) -> Result<Option<Out>, String> {
        let number = |text: &str| text.parse::<u8>().unwrap_or(u8::MAX);
        Ok(Some(match event {
            Event::SnapshotChanged => {
                self.snapshot_changed = true;
                return Ok(None);
            }
            Event::Connected { resumption, .. } => Out::Connected(resumption.as_str()),
            Event::Subscribed(info) => Out::Subscribed(info.server_id.into()),
            Event::SubscriptionFailed { retry_at, .. } => {
                if let Some(at) = retry_at {
                    let chosen = self.model.chosen(Timer::Subscribe, at.as_micros(), "backoff");
                    chosen.map_err(|why| self.report(&why))?;
                }
                Out::Refused(retry_at.is_some())
            }
            Event::Unsubscribed { .. } => Out::Unsubscribed,
            Event::Notification(n) => Out::Notification(number(n.uuid())),
            Event::Recovered { .. } => Out::Recovered,
            Event::RecoveryFailed { .. } => Out::RecoveryFailed,
            Event::Waiting { at, delay, .. } => {
                if delay.as_micros() <= 2_000_000 || at.as_micros() != self.now + delay.as_micros() as u64 {
                    return Err(self.report(&format!("it waits for {delay:?} until {at:?}")));
                }
                self.announced.push(at.as_micros());
                return Ok(None);
            }
            Event::Retry { attempt, at, .. } => {
                self.announced.push(at.as_micros());
                if at.as_micros() <= self.now {
                    self.at_once.extend(self.model.retry_at_once());
                }
                Out::Retry(attempt)
            }
            Event::Gap(gap) => {
                self.check_gap(&gap)?;
                Out::Gap(gap.cause.as_str(), gap.after.as_deref().map(number))
            }
            Event::Response { id, outcome } => Out::Ended(
                id.get(),
                match outcome {
                    RequestOutcome::Response { .. } => "response",
                    RequestOutcome::Unknown(_) => "unknown",
                    RequestOutcome::TimedOut { sent: true } => "timed_out",
                    RequestOutcome::Cancelled { sent: true } => "cancelled",
                    _ => "not sent",
                },
            ),
            Event::Disconnected { .. } => Out::Disconnected,
            Event::ProtocolError { .. } => Out::Bad,
            Event::Closed { reason: CloseReason::Revoked } => Out::Closed("revoked"),
            Event::Closed { reason: CloseReason::Detached } => Out::Closed("detached"),
            Event::Closed { reason: CloseReason::Permanent(Cause::Unauthorized) } => Out::Closed("unauthorized"),
            Event::Closed { reason: CloseReason::Permanent(Cause::Evicted) } => Out::Closed("evicted"),
            other => return Err(self.report(&format!("the model knows no {other:?}"))),
        }))
    }
}

fn id_of(text: &str) -> String {
    let rest = text.split_once("\"messageId\":\"").map_or("", |(_, rest)| rest);
    rest.split_once('"').map_or("", |(id, _)| id).to_owned()
}
