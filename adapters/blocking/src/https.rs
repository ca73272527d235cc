//! HTTPS calls by ureq, on connections of ours: so the failing step is known and a waiting thread can be woken.

mod download;

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use ringcentral_ws_adapter::{
    Call, IoLimits, Net, StartError, TOO_MANY_PROVISIONAL, Target, body_broke_off, body_is_late, body_is_too_large,
    ended_early, frame, gzip, head_is_late, lost, not_sent,
};
use ringcentral_ws_core::{HttpFailure, Phase};
use rustls::ClientConfig;
use ureq::unversioned::resolver::{ArrayVec, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport};
use ureq::{Agent, Body, Error, Timeout, config::Config};
use url::Url;

use crate::abort::{Abort, WeakAbort};
use crate::dial::dial;
use crate::download::Download;
use crate::tcp::{LONGEST, Stream, deadline};

/// Read and write buffer of a connection, in bytes. A response head must fit.
const BUFFER: usize = 64 << 10;

/// Most bytes of an answer's head together with the provisional answers (1xx) before it, which ureq skips.
const HEADS: usize = 4 * BUFFER;

/// Makes HTTPS calls.
pub trait HttpsSender: Send + Sync {
    /// Sends one request with an absolute URI and returns the whole answer, within the limits of
    /// [`IoLimits`](crate::IoLimits). Every status is `Ok`. Redirects are not followed.
    ///
    /// # Errors
    ///
    /// [`HttpFailure`], which says the step and whether the request may have run.
    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpFailure>;

    /// Sends one request and returns the head of its answer; the body is read later, as it arrives.
    /// [`Client::download`](crate::Client::download) calls it, and follows redirects itself. Make the body with
    /// [`Download::from_reader`]. The default reads the whole body into memory with [`send`](Self::send).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    fn stream(&self, request: Request<Bytes>) -> Result<Response<Download>, HttpFailure> {
        Ok(self.send(request)?.map(Download::whole))
    }
}

/// A client for HTTPS calls outside of a session, such as the exchange of an authorization code or
/// [`Jwt::revoke`](crate::Jwt::revoke). It takes the proxy from the environment, and `tls` in place of
/// [`default_tls`](crate::default_tls).
///
/// Plain http goes to this machine only, because the calls carry credentials; other addresses are refused unsent
/// ([`HttpFailure::not_sent`](ringcentral_ws_core::HttpFailure::not_sent)). On a test network without TLS make the calls
/// with a client, whose [`Config::allow_insecure`](ringcentral_ws_core::Config::allow_insecure) permits it, or implement
/// [`HttpsSender`].
///
/// # Errors
///
/// [`StartError`] when the environment names a proxy that cannot be used, or there are no TLS settings.
pub fn https_client(limits: IoLimits, tls: Option<Arc<ClientConfig>>) -> Result<Arc<dyn HttpsSender>, StartError> {
    Ok(Arc::new(Https::new(Net::outside_session(limits, tls)?)))
}

pub(crate) struct Https {
    pub(crate) net: Net,
    /// The kept connections live and die with it. There is none before a call.
    agent: Mutex<Option<Agent>>,
}

thread_local! {
    /// What ends the call that this thread is making.
    static CURRENT: RefCell<Option<Abort>> = const { RefCell::new(None) };
}

/// Makes `abort` end the calls that this thread makes during `work`.
pub(crate) fn abortable<T>(abort: &Abort, work: impl FnOnce() -> T) -> T {
    CURRENT.set(Some(abort.clone()));
    let done = work();
    CURRENT.set(None);
    done
}

impl Https {
    pub(crate) fn new(net: Net) -> Self {
        Self { agent: Mutex::new(None), net }
    }

    fn agent(&self) -> Agent {
        let mut agent = self.agent.lock().unwrap_or_else(PoisonError::into_inner);
        agent.get_or_insert_with(|| new_agent(&self.net)).clone()
    }

    /// Closes all kept connections. A call under way goes on.
    pub(crate) fn close_kept(&self) {
        let kept = self.agent.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Not under the lock.
        drop(kept);
    }

    /// Makes a call up to the head of its response. The body of one that is streamed has no deadline but that of each
    /// read.
    fn begin(&self, request: Request<Bytes>, streamed: bool) -> Result<Response<Body>, HttpFailure> {
        let call = Call::of(&request, self.net.content.allow_insecure)?;
        let limit = if streamed { None } else { Some(self.net.limits.response_body.min(LONGEST)) };
        let (mut head, body) = request.into_parts();
        frame(&head.method, &mut head.headers, body.len());
        let agent = self.agent();
        let configured = agent.configure_request(Request::from_parts(head, ()));
        let request = configured.timeout_recv_body(limit).build();
        let answer = if body.is_empty() { agent.run(request) } else { agent.run(request.map(|()| &body[..])) };
        call.ended(answer.map_err(|error| failure(&error, Phase::Request)), Response::status)
    }
}

fn new_agent(net: &Net) -> Agent {
    let limits = &net.limits;
    let head = limits.response_head.min(LONGEST);
    let config = Config::builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .allow_non_standard_methods(true)
        .proxy(None)
        .user_agent("")
        .input_buffer_size(BUFFER)
        .output_buffer_size(BUFFER)
        .max_response_header_size(BUFFER)
        .max_idle_connections(limits.idle_connections)
        .max_idle_age(limits.idle_time)
        .timeout_send_request(Some(head))
        .timeout_send_body(Some(head))
        .timeout_recv_response(Some(head))
        .timeout_recv_body(Some(limits.response_body.min(LONGEST)))
        .build();
    Agent::with_parts(config, Dialer(net.clone()), Later)
}

impl HttpsSender for Https {
    fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpFailure> {
        gzip::accept(request.headers_mut());
        let (mut head, mut body) = self.begin(request, false)?.into_parts();
        let limit = self.net.limits.response_bytes;
        match body.with_config().limit(u64::try_from(limit).unwrap_or(u64::MAX)).read_to_vec() {
            Ok(body) => {
                let plain = gzip::unpack(&mut head.headers, body.into(), limit).map_err(|message| lost(&message))?;
                Ok(Response::from_parts(head, plain))
            }
            Err(Error::BodyExceedsLimit(_)) => Err(body_is_too_large(limit)),
            Err(error) => Err(failure(&error, Phase::Response)),
        }
    }

    fn stream(&self, request: Request<Bytes>) -> Result<Response<Download>, HttpFailure> {
        Ok(self.begin(request, true)?.map(|body| Download::from_reader(body.into_reader())))
    }
}

fn failure(error: &Error, phase: Phase) -> HttpFailure {
    if let Error::Io(inner) = error
        && let Some(Undialled(failure)) = inner.get_ref().and_then(|inner| inner.downcast_ref())
    {
        return failure.clone();
    }
    match (error, phase) {
        (Error::Timeout(_), Phase::Response) => body_is_late(),
        (Error::Timeout(_), _) => head_is_late(),
        (error, Phase::Response) => body_broke_off(error),
        (error, _) => ended_early(error),
    }
}

/// Carries a failure of ours through ureq.
#[derive(Debug)]
struct Undialled(HttpFailure);

impl fmt::Display for Undialled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Undialled {}

/// Names are looked up when connecting.
#[derive(Debug)]
struct Later;

impl Resolver for Later {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let mut addresses = ArrayVec::from_fn(|_| ([0, 0, 0, 0], 0).into());
        addresses.push(([0, 0, 0, 0], 0).into());
        Ok(addresses)
    }
}

#[derive(Debug)]
struct Dialer(Net);

impl Connector for Dialer {
    type Out = Wire;

    fn connect(&self, details: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<Wire>, Error> {
        let abort = CURRENT.with_borrow(|abort| abort.clone().unwrap_or_default());
        let target = Url::parse(&details.uri.to_string()).ok().as_ref().and_then(Target::of);
        let stream = match target {
            Some(target) => dial(&self.0, &target, &abort),
            None => Err(not_sent(Phase::Dns, "the address is neither http nor https")),
        };
        let stream = stream.map_err(|failure| Error::Io(io::Error::other(Undialled(failure))))?;
        let read_limit = self.0.limits.download_read;
        let buffers = LazyBuffers::new(BUFFER, BUFFER);
        Ok(Some(Wire { stream, buffers, read_limit, heads: 0, owner: abort.downgrade() }))
    }
}

/// One of our streams as ureq takes it.
struct Wire {
    stream: Stream,
    buffers: LazyBuffers,
    /// How long a step may take that has no deadline of its own.
    read_limit: Duration,
    /// Bytes that came since the request and before the head of its answer was whole.
    heads: usize,
    /// Ends the call that uses the connection.
    owner: WeakAbort,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

impl Wire {
    fn prepare(&mut self, timeout: NextTimeout) {
        let tcp = self.stream.tcp();
        let left = timeout.not_zero().map_or(self.read_limit, |left| *left);
        tcp.deadline = Some(deadline(left));
        CURRENT.with_borrow(|abort| {
            if let Some(abort) = abort {
                // A kept connection may have served another call, whose end is not its own.
                self.owner.hand_over(&tcp.socket, abort);
            }
        });
    }
}

fn named(error: io::Error, reason: Timeout) -> Error {
    match error.kind() {
        io::ErrorKind::TimedOut => Error::Timeout(reason),
        // ureq takes these for the end of a body that has no length; so does not say whoever cuts it off.
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset => {
            Error::Io(io::Error::other(error))
        }
        _ => Error::Io(error),
    }
}

impl Transport for Wire {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.prepare(timeout);
        self.heads = 0;
        let output = &self.buffers.output()[..amount];
        let written = self.stream.write_all(output).and_then(|()| self.stream.flush());
        written.map_err(|error| named(error, timeout.reason))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.prepare(timeout);
        let got = loop {
            match self.stream.read(self.buffers.input_append_buf()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other.map_err(|error| named(error, timeout.reason))?,
            }
        };
        self.buffers.input_appended(got);
        if matches!(timeout.reason, Timeout::RecvResponse) {
            self.heads += got;
            if self.heads > HEADS {
                return Err(Error::Io(io::Error::other(TOO_MANY_PROVISIONAL)));
            }
        }
        Ok(got > 0)
    }

    /// Whether a kept connection can be used again: neither an end nor anything unasked has come on it.
    fn is_open(&mut self) -> bool {
        let socket = &self.stream.tcp().socket;
        let quiet = |error: io::Error| error.kind() == io::ErrorKind::WouldBlock;
        let open = socket.set_nonblocking(true).is_ok() && socket.peek(&mut [0]).is_err_and(quiet);
        socket.set_nonblocking(false).is_ok() && open
    }

    fn is_tls(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }
}
