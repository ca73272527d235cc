//! What the handles of a client ask for, and the requests under way.

use http::request::Request as HttpRequest;
use ringcentral_ws_core::{Body, Close, CommandError, Filters, Input, SubscriptionId};

use super::io::Abandoned;
use super::{Completion, Io, Phase, Pump};
use crate::content::Streamed;
use crate::listen::{LaneReceiver, ListenError, ListenOptions};
use crate::request::Answer;

/// Commands that are taken in one turn.
const COMMANDS: usize = 32;
/// Completions that are taken in one turn.
const COMPLETIONS: usize = 32;

/// The ways back from a driver to the callers of its handles.
pub trait Replies: Sized {
    /// Carries one answer back.
    type Reply<T>;
    /// Says whether the caller of a request still waits.
    type Ticket;
    /// The body of a streamed answer.
    type Body;

    /// Answers.
    fn reply<T>(to: Self::Reply<T>, answer: T);

    /// Whether nobody waits for this answer any more.
    fn is_cancelled(ticket: &Self::Ticket, reply: &Self::Reply<Answered<Self::Body>>) -> bool;
}

/// What a handle asks for.
pub enum Command<R: Replies> {
    /// [`Session::subscribe`](ringcentral_ws_core::Session::subscribe).
    Subscribe(Filters, R::Reply<Result<SubscriptionId, CommandError<Filters>>>),
    /// A listener comes.
    Listen(Filters, ListenOptions, R::Reply<Result<LaneReceiver, ListenError>>),
    /// [`Session::server_subscription`](ringcentral_ws_core::Session::server_subscription).
    ServerSubscription(R::Reply<Option<Box<str>>>),
    /// [`Session::unsubscribe`](ringcentral_ws_core::Session::unsubscribe).
    Unsubscribe(R::Reply<Result<(), CommandError<()>>>),
    /// [`Session::recover`](ringcentral_ws_core::Session::recover).
    Recover(R::Reply<Result<(), CommandError<()>>>),
    /// [`Session::request`](ringcentral_ws_core::Session::request).
    Request(Request<R>),
    /// [`Session::close`](ringcentral_ws_core::Session::close). The answer comes with the end.
    Close(Close, R::Reply<()>),
    /// The host gained or lost its network.
    Network(bool),
}

/// A REST call that is asked for.
pub struct Request<R: Replies> {
    /// The call.
    pub request: Box<HttpRequest<Body>>,
    /// The body of its answer is streamed.
    pub streamed: Option<Box<Streamed>>,
    /// Whether somebody waits for it.
    pub ticket: R::Ticket,
    /// Where the answer goes.
    pub reply: R::Reply<Answered<R::Body>>,
}

/// How a request came out.
#[derive(Debug)]
pub struct Answered<B> {
    /// Its outcome, or why it was not accepted.
    pub answer: Answer,
    /// The body of a streamed answer.
    pub body: Option<B>,
}

/// A request under way.
pub(super) struct Pending<R: Replies> {
    ticket: R::Ticket,
    pub(super) reply: R::Reply<Answered<R::Body>>,
    /// Its answer is streamed.
    pub(super) streamed: Option<Streamed>,
    /// The body of the answer, once it has begun.
    pub(super) body: Option<R::Body>,
}

impl<R: Replies> Command<R> {
    /// The session has ended. Callers of all but requests see that by the missing answer.
    pub(super) fn refuse(self) {
        if let Self::Request(Request { request, reply, .. }) = self {
            R::reply(reply, Answered { answer: Err(CommandError::Closed(*request)), body: None });
        }
    }
}

impl<R: Replies> Pump<R> {
    /// `false` when the last handle is gone.
    pub(super) fn take_commands(&mut self, io: &mut impl Io<Replies = R>) -> bool {
        if io.take_cancelled() {
            self.cancel(io);
            self.listeners.sweep(self.now);
        }
        for _ in 0..COMMANDS {
            match io.next_command() {
                Ok(Some(command)) => self.command(command, io),
                Ok(None) => return true,
                Err(Abandoned) => return false,
            }
        }
        self.again = true;
        true
    }

    /// Ends the requests whose callers do not wait any more.
    fn cancel(&mut self, io: &mut impl Io<Replies = R>) {
        let requests = self.requests.iter();
        let gone = requests.filter(|(_, one)| R::is_cancelled(&one.ticket, &one.reply)).map(|(id, _)| *id);
        for id in gone.collect::<Vec<_>>() {
            // What the ones before caused may have ended it.
            if self.requests.remove(&id).is_none() {
                continue;
            }
            self.report_unread_when_due(io);
            let _ = self.session.cancel(id, self.now);
            self.drain(io);
        }
    }

    pub(super) fn command(&mut self, command: Command<R>, io: &mut impl Io<Replies = R>) {
        self.report_unread_when_due(io);
        let (session, now) = (&mut self.session, self.now);
        match command {
            Command::Listen(filters, options, reply) => return R::reply(reply, self.listen(filters, &options)),
            Command::ServerSubscription(reply) => {
                return R::reply(reply, session.session().server_subscription().map(Box::from));
            }
            Command::Subscribe(filters, reply) => {
                let answer = self.subscribe_plain(filters);
                // After the answer `health` must not show the subscription as it was before the call.
                self.events.show(self.pulse());
                R::reply(reply, answer);
            }
            Command::Unsubscribe(reply) => {
                let answer = self.unsubscribe_plain();
                self.events.show(self.pulse());
                R::reply(reply, answer);
            }
            Command::Recover(reply) => R::reply(reply, session.recover(now)),
            Command::Network(online) => return self.input(Input::NetworkChanged { online }, io),
            Command::Close(mode, reply) => {
                self.closers.push(reply);
                self.closing_since.get_or_insert(now);
                let _ = session.close(mode, now);
            }
            Command::Request(request) => self.request(request),
        }
        self.drain(io);
    }

    fn request(&mut self, request: Request<R>) {
        let Request { request, streamed, ticket, reply } = request;
        if R::is_cancelled(&ticket, &reply) {
            // Nobody waits for it any more, so it is never sent.
            return;
        }
        let about = self.tracer.about(&request);
        match self.session.request(*request, self.now) {
            Ok(id) => {
                self.tracer.requested(id, about);
                self.meter.requested(id, self.now);
                let streamed = streamed.map(|streamed| *streamed);
                self.requests.insert(id, Pending { ticket, reply, streamed, body: None });
            }
            Err(refused) => R::reply(reply, Answered { answer: Err(refused), body: None }),
        }
    }

    pub(super) fn take_completions(&mut self, io: &mut impl Io<Replies = R>) {
        for _ in 0..COMPLETIONS {
            let Some(completion) = io.next_completion() else { return };
            self.complete(completion, io);
        }
        self.again = true;
    }

    fn complete(&mut self, completion: Completion<R::Body>, io: &mut impl Io<Replies = R>) {
        if let Phase::Ending { .. } = self.phase {
            if let Completion::Authorized(_, result) = completion {
                self.logins = self.logins.saturating_sub(1);
                self.tracer.authorized(result.as_ref().map(|token| token.expires_in));
            }
            return;
        }
        self.report_unread_when_due(io);
        match completion {
            Completion::Authorized(id, result) => {
                self.logins = self.logins.saturating_sub(1);
                let result = self.debug.authorized(result);
                self.tracer.authorized(result.as_ref().map(|token| token.expires_in));
                match result {
                    Ok(token) => self.input(Input::Authorized { id, token }, io),
                    Err(failure) => self.input(Input::AuthorizeFailed { id, failure }, io),
                }
            }
            Completion::Answered(id, Ok(response)) => self.input(Input::HttpResponse { id, response }, io),
            Completion::Answered(id, Err(failure)) => {
                let failure = self.debug.unanswered(failure);
                self.input(Input::HttpFailed { id, failure }, io);
            }
            Completion::Streamed { id, request, response, body } => {
                if let Some(pending) = self.requests.get_mut(&request) {
                    pending.body = body;
                }
                self.input(Input::HttpResponse { id, response }, io);
            }
            Completion::Opened(conn, result) => self.opened(conn, result, io),
        }
    }
}
