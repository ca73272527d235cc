//! What the session asks for.

use ringcentral_ws_core::{
    Action, AuthId, AuthReason, ConnId, Event, HttpId, HttpPurpose, Input, Output, Purpose, Resumption, Secret,
    SubscriptionState, Wait,
};

use super::{Answered, Connection, Io, Phase, Pump, Replies};
use crate::address::source_is_silent;
use crate::limits::MAX_LOGINS;
use crate::recording::Recorded;

/// By a call, so that an output is moved as a whole. Inlined, its parts are, and each part waits until it was written.
#[inline(never)]
fn next_output(session: &mut Recorded) -> Output {
    session.poll_output()
}

impl<R: Replies> Pump<R> {
    /// Gives the session an input, and carries out what it causes. It is always drained before, so it never refuses.
    pub(super) fn input(&mut self, input: Input<'_>, io: &mut impl Io<Replies = R>) {
        let _ = self.session.handle_input(input, self.now);
        self.drain(io);
    }

    /// Carries out everything the session asks for, and notes what it waits for.
    pub(super) fn drain(&mut self, io: &mut impl Io<Replies = R>) {
        loop {
            match next_output(&mut self.session) {
                Output::Event(event) => self.emit(event, io),
                Output::Action(action) => self.act(action, io),
                Output::Wait(wait) => {
                    self.wait = wait;
                    let Some(id) = self.refused_logins.pop() else { break };
                    let failed = Input::AuthorizeFailed { id, failure: source_is_silent() };
                    let _ = self.session.handle_input(failed, self.now);
                }
            }
        }
        if std::mem::take(&mut self.is_turning_point) || self.unpublished >= self.snapshot_every {
            self.publish();
        }
        if self.wait == Wait::Finished
            && let Phase::Running = self.phase
        {
            self.release(io);
        }
    }

    /// Each call of its own and each move of an event costs more than what is done with most of them, so those come first
    /// and go on as they are.
    #[inline(never)]
    fn emit(&mut self, event: Event, io: &mut impl Io<Replies = R>) {
        self.tracer.event(&event);
        self.meter.event(&event, self.now);
        match &event {
            // It comes with the snapshot itself, when the burst is over.
            Event::SnapshotChanged => self.unpublished += 1,
            Event::Notification(_) if self.filling.is_none() && !self.listeners.is_on() => {
                self.events.push(event, None)
            }
            _ => self.emit_other(event, io),
        }
    }

    fn emit_other(&mut self, event: Event, io: &mut impl Io<Replies = R>) {
        if let Event::Connected { .. } = event {
            io.close_kept();
        }
        self.last_cause.note(&event);
        if let Event::Connected { conn, resumption: Resumption::Fresh, .. } = event
            && self.session.session().subscription_as_asked() == SubscriptionState::None
        {
            self.tracer.nothing_subscribed(conn);
        }
        if self.is_for_filling(&event) {
            if let Event::Response { id, .. } = event {
                self.over_socket.remove(&id);
            }
            return;
        }
        match event {
            Event::Response { id, outcome } => {
                self.over_socket.remove(&id);
                if let Some(pending) = self.requests.remove(&id) {
                    R::reply(pending.reply, Answered { answer: Ok(outcome), body: pending.body });
                }
            }
            Event::Closed { .. } => {
                // The last snapshot goes before it; it can be taken, as this is the session's last output. An orderly
                // end is a change by itself.
                self.unpublished += 1;
                self.publish();
                self.last = Some(Box::new(event));
            }
            event => {
                if let Event::Subscribed(info) = &event {
                    self.has_disabled = !info.disabled.is_empty();
                }
                if let Event::Gap(gap) = &event {
                    self.listeners.note_gap(gap, self.now);
                }
                self.is_turning_point |= self.events.acknowledges() && !matches!(event, Event::Notification(_));
                if !self.listeners.is_on() {
                    self.events.push(event, None);
                } else if let Some(event) = self.pass_to_listeners(event) {
                    self.events.push(event, None);
                }
            }
        }
    }

    fn act(&mut self, action: Action, io: &mut impl Io<Replies = R>) {
        self.tracer.action(&action);
        match action {
            Action::Send { conn, text, purpose } => {
                if let Purpose::Request(id) = purpose {
                    self.over_socket.insert(id);
                }
                self.send(conn, text, io);
            }
            Action::Resubscribe { conn, text } => self.send(conn, text, io),
            Action::Authorize { id, reason, last } => self.authorize(id, reason, last, io),
            Action::Http { id, purpose, request } => self.call(id, purpose, *request, io),
            Action::AbortHttp { id } => io.abort_call(id),
            Action::Open { conn, url } => {
                self.debug.opening(conn, &url);
                (self.connection, self.parked) = (Connection::Opening(conn), None);
                self.again = true;
                io.open(conn, url);
            }
            Action::Close { conn, code, reason } => {
                self.debug.note(|| format!("close {conn}: {code} {reason}"));
                if self.connection == Connection::Open(conn) {
                    io.close(code, reason);
                }
            }
            Action::Drop { conn } if self.connection.is(conn) => {
                self.debug.note(|| format!("drop {conn}"));
                self.disconnect(io);
            }
            Action::Drop { .. } => {}
        }
    }

    fn send(&mut self, conn: ConnId, text: String, io: &mut impl Io<Replies = R>) {
        self.debug.frame("->", &text);
        if self.connection == Connection::Open(conn) {
            io.send(text);
        }
    }

    pub(super) fn disconnect(&mut self, io: &mut impl Io<Replies = R>) {
        (self.connection, self.parked) = (Connection::None, None);
        io.disconnect();
    }

    /// No more than [`MAX_LOGINS`] wait for a credential source that may never answer.
    fn authorize(&mut self, id: AuthId, reason: AuthReason, last: Option<Secret>, io: &mut impl Io<Replies = R>) {
        if self.logins >= MAX_LOGINS {
            self.refused_logins.push(id);
            return;
        }
        self.logins += 1;
        // What was started may have ended already.
        self.again = true;
        io.authorize(id, reason, last);
    }

    fn call(
        &mut self,
        id: HttpId,
        purpose: HttpPurpose,
        mut request: http::Request<bytes::Bytes>,
        io: &mut impl Io<Replies = R>,
    ) {
        let mut of = None;
        if let HttpPurpose::Request(asked) = purpose
            && let Some(streamed) = self.requests.get(&asked).and_then(|pending| pending.streamed.as_ref())
        {
            streamed.readdress(&mut request);
            of = Some(asked);
        }
        self.again = true;
        io.call(id, request, of);
    }
}
