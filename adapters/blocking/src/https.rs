//! HTTPS calls by ureq, on connections of ours: so the failing step is known and a waiting thread can be woken.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{Request, Response, Uri};
use ringcentral_ws_adapter::{IoLimits, Target, default_tls, is_loopback, not_sent, trace};
use ringcentral_ws_core::{HttpFailure, Phase};
use rustls::ClientConfig;
use ureq::unversioned::resolver::{ArrayVec, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport};
use ureq::{Agent, Error, Timeout, config::Config};
use url::Url;

use crate::dial::{Abort, Net, Stream, dial};

/// Read and write buffer of a connection, in bytes. A response head must fit.
const BUFFER: usize = 64 << 10;

/// Makes HTTPS calls.
pub trait HttpsSender: Send + Sync {
    /// Sends one request with an absolute URI and waits for the answer, within the limits of
    /// [`IoLimits`](crate::IoLimits). Any status is a success; redirects are not followed.
    ///
    /// # Errors
    ///
    /// [`HttpFailure`], which tells the step and whether the request may have run.
    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpFailure>;
}

/// A client for HTTPS calls outside of a session, such as the exchange of an authorization code or
/// [`Jwt::revoke`](crate::Jwt::revoke). It takes `tls` in place of [`default_tls`](crate::default_tls).
#[must_use]
pub fn https_client(limits: IoLimits, tls: Option<Arc<ClientConfig>>) -> Arc<dyn HttpsSender> {
    let net = Net { limits: Arc::new(limits), tls: tls.unwrap_or_else(default_tls), allow_insecure: false };
    Arc::new(Https::new(net))
}

pub(crate) struct Https {
    pub(crate) net: Net,
    agent: Agent,
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
        let limits = &net.limits;
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
            .timeout_send_request(Some(limits.response_head))
            .timeout_send_body(Some(limits.response_head))
            .timeout_recv_response(Some(limits.response_head))
            .timeout_recv_body(Some(limits.response_body))
            .build();
        let agent = Agent::with_parts(config, Dialer(net.clone()), Later);
        Self { net, agent }
    }

    fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpFailure> {
        let (head, body) = request.into_parts();
        let answer = if body.is_empty() {
            self.agent.run(Request::from_parts(head, ()))
        } else {
            self.agent.run(Request::from_parts(head, &body[..]))
        };
        let (head, mut body) = answer.map_err(|error| failure(&error, Phase::Request))?.into_parts();
        let limit = self.net.limits.response_bytes;
        let body = body.with_config().limit(u64::try_from(limit).unwrap_or(u64::MAX)).read_to_vec();
        match body {
            Ok(body) => Ok(Response::from_parts(head, body.into())),
            Err(Error::BodyExceedsLimit(_)) => {
                let message = format!("the answer is larger than {limit} bytes").into();
                Err(HttpFailure { phase: Phase::Response, not_sent: false, message })
            }
            Err(error) => Err(failure(&error, Phase::Response)),
        }
    }
}

impl HttpsSender for Https {
    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpFailure> {
        let url = Url::parse(&request.uri().to_string())
            .map_err(|_| not_sent(Phase::Dns, "the request has no absolute address"))?;
        let target = Target::of(&url).ok_or_else(|| not_sent(Phase::Dns, "the address is neither http nor https"))?;
        if !target.tls && !self.net.allow_insecure && !is_loopback(&url) {
            return Err(not_sent(Phase::Dns, "plain http goes to loopback only: use https"));
        }
        let shown = format!("{} {}:{}{}", request.method(), target.host, target.port, request.uri().path());
        let result = self.exchange(request);
        trace::http(&shown, result.as_ref().map(Response::status).map_err(|failure| &*failure.message));
        result
    }
}

fn failure(error: &Error, phase: Phase) -> HttpFailure {
    if let Error::Io(inner) = error
        && let Some(Undialled(failure)) = inner.get_ref().and_then(|inner| inner.downcast_ref())
    {
        return failure.clone();
    }
    let message = match (error, phase) {
        (Error::Timeout(_), Phase::Response) => "the answer did not end in time".to_owned(),
        (Error::Timeout(_), _) => "no answer in time".to_owned(),
        (error, Phase::Response) => format!("the answer broke off: {error}"),
        (error, _) => format!("the connection ended before the answer: {error}"),
    };
    HttpFailure { phase, not_sent: false, message: message.into() }
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
        Ok(Some(Wire { stream, buffers: LazyBuffers::new(BUFFER, BUFFER) }))
    }
}

/// One of our streams as ureq wants it.
struct Wire {
    stream: Stream,
    buffers: LazyBuffers,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

impl Wire {
    fn prepare(&mut self, timeout: NextTimeout) {
        let tcp = self.stream.tcp();
        tcp.deadline = timeout.not_zero().and_then(|left| Instant::now().checked_add(*left));
        CURRENT.with_borrow(|abort| {
            if let Some(abort) = abort {
                abort.watch(&tcp.socket);
            }
        });
    }
}

fn named(error: io::Error, reason: Timeout) -> Error {
    if error.kind() == io::ErrorKind::TimedOut { Error::Timeout(reason) } else { Error::Io(error) }
}

impl Transport for Wire {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.prepare(timeout);
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
