//! The stand-in on real sockets.

mod accept;
mod command;
mod control;
mod cors;
mod foreign;
mod frames;
mod http;
mod refusals;
mod script;
mod shared;
mod socket;
mod status;
mod stream;
mod tls;
mod waiting;

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::TlsAcceptor;

use crate::server::refusals::Refuse;
pub use crate::server::script::{Script, ScriptError};
use crate::server::shared::Shared;
pub use crate::server::waiting::{SentSms, eventually, eventually_eq};
use crate::{CallPlan, Gateway, GatewayConfig, HttpResponse, MessageKind, Observations, Receipt, UserConfig};

/// How long [`Server::refuse_connections`] waits for the listener to follow.
const ACK_TIMEOUT: Duration = Duration::from_secs(5);

/// Settings of a [`Server`].
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Where to listen (`127.0.0.1:0`, any free port of the loopback).
    pub listen: SocketAddr,
    /// The host that URLs name, if it is not the address listened on: for a server in a container, say.
    pub public_host: Option<String>,
    /// Serve HTTPS and WSS, with a certificate of a CA made for this server (off).
    pub tls: bool,
    /// Settings of the gateway. `base_url`, `ws_url` and `unix_ms_at_start` are filled in at the start.
    pub gateway: GatewayConfig,
}

impl Default for ServerConfig {
    fn default() -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { listen, public_host: None, tls: false, gateway: GatewayConfig::default() }
    }
}

impl ServerConfig {
    /// With so many users in one account, each with an extension, a number and a JWT of its own.
    #[must_use]
    pub fn users(mut self, count: u32) -> Self {
        self.gateway.users = (0..count).map(UserConfig::numbered).collect();
        self
    }

    /// Without the limit of five WebSocket tokens a minute, for tests with many starts and lost connections.
    #[must_use]
    pub fn without_rate_limit(mut self) -> Self {
        self.gateway.ws_token.rate_limit = None;
        self
    }
}

/// A running stand-in. It has a thread of its own; dropping it ends the thread, its sockets and all memory.
///
/// All methods can be called from any thread, and have taken effect in the [`Gateway`] when they return.
/// What goes to sockets goes there soon after.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
    ca: Option<(String, Vec<u8>)>,
    refuse: mpsc::UnboundedSender<Refuse>,
    runtime: tokio::runtime::Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Binds and serves. Fails if the address cannot be bound or the thread cannot be started.
    pub fn start(mut config: ServerConfig) -> io::Result<Self> {
        let listener = TcpListener::bind(config.listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let host = config.public_host.clone().unwrap_or_else(|| match address.ip() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        });
        let tls = if config.tls { Some(tls::Identity::new(&host)?) } else { None };
        let s = if config.tls { "s" } else { "" };
        config.gateway.base_url = format!("http{s}://{host}:{}", address.port());
        config.gateway.ws_url = format!("ws{s}://{host}:{}/ws", address.port());
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        config.gateway.unix_ms_at_start = u64::try_from(since_epoch.as_millis()).unwrap_or(0);
        let shared = Arc::new(Shared::new(Gateway::new(config.gateway), address.ip().is_loopback()));
        let (stop, stopped) = oneshot::channel();
        let (refuse, refusals) = mpsc::unbounded_channel();
        let (acceptor, ca) = match tls {
            Some(identity) => (Some(identity.acceptor), Some((identity.ca_pem, identity.ca_der))),
            None => (None, None),
        };
        let work = Work { listener, acceptor, refusals, refuse: refuse.clone(), shared: Arc::clone(&shared), stopped };
        let (ready, started) = std::sync::mpsc::sync_channel(1);
        // The runtime lives and dies in its own thread, so that a server may be started from within another.
        let run = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let _ = match runtime {
                Ok(runtime) => ready.send(Ok(runtime.handle().clone())).map(|()| runtime.block_on(work.run())),
                Err(error) => ready.send(Err(error)),
            };
        };
        let thread = std::thread::Builder::new().name("gateway".to_owned()).spawn(run)?;
        let runtime = started.recv().map_err(io::Error::other)??;
        Ok(Self { shared, address, ca, refuse, runtime, stop: Some(stop), thread: Some(thread) })
    }

    /// The address it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL of the REST and OAuth services, without a slash at the end.
    #[must_use]
    pub fn http_url(&self) -> String {
        self.with_gateway(|gateway, _| gateway.config().base_url.clone())
    }

    /// The WebSocket URL that comes with a WebSocket token.
    #[must_use]
    pub fn ws_url(&self) -> String {
        self.with_gateway(|gateway, _| gateway.config().ws_url.clone())
    }

    /// The client id of the one application it knows.
    #[must_use]
    pub fn client_id(&self) -> String {
        self.with_gateway(|gateway, _| gateway.config().app.client_id.clone())
    }

    /// The client secret of the application.
    #[must_use]
    pub fn client_secret(&self) -> String {
        self.with_gateway(|gateway, _| gateway.config().app.client_secret.clone())
    }

    /// The JWT that logs a user in. Users are numbered from 0; see [`ServerConfig::users`].
    ///
    /// # Panics
    ///
    /// If there is no such user.
    #[must_use]
    pub fn jwt(&self, user: usize) -> String {
        let jwt = self.with_gateway(|gateway, _| gateway.config().users.get(user).map(|user| user.jwt.clone()));
        jwt.unwrap_or_else(|| panic!("the stand-in has no user {user}: start it with ServerConfig::users"))
    }

    /// The environment of a program that is to use this server as the first user: `RC_SERVER_URL`, `RC_APP_CLIENT_ID`,
    /// `RC_APP_CLIENT_SECRET` and `RC_USER_JWT`.
    ///
    /// # Panics
    ///
    /// If it was started without users.
    #[must_use]
    pub fn env(&self) -> [(&'static str, String); 4] {
        self.env_of(0)
    }

    /// The same for another user.
    ///
    /// # Panics
    ///
    /// If there is no such user.
    #[must_use]
    pub fn env_of(&self, user: usize) -> [(&'static str, String); 4] {
        [
            ("RC_SERVER_URL", self.http_url()),
            ("RC_APP_CLIENT_ID", self.client_id()),
            ("RC_APP_CLIENT_SECRET", self.client_secret()),
            ("RC_USER_JWT", self.jwt(user)),
        ]
    }

    /// The certificate of the CA as PEM text; `None` without TLS.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca.as_ref().map(|(pem, _)| pem.as_str())
    }

    /// The certificate of the CA in DER; `None` without TLS.
    #[must_use]
    pub fn ca_der(&self) -> Option<&[u8]> {
        self.ca.as_ref().map(|(_, der)| der.as_slice())
    }

    /// Works on the gateway itself. The second argument is the time to pass to its methods. The closure must
    /// not call the server: it would wait for itself.
    pub fn with_gateway<R>(&self, work: impl FnOnce(&mut Gateway, u64) -> R) -> R {
        self.shared.call(work)
    }

    /// Waits until something is true of the gateway, without a fixed pause: a subscription is there, a message was
    /// sent. Returns whether it became true within the time. It blocks the thread, and the closure must not call the server.
    #[must_use]
    pub fn wait_until(&self, time: Duration, holds: impl FnMut(&Gateway) -> bool) -> bool {
        self.shared.wait_until(time, holds)
    }

    /// Makes a notification; see [`Gateway::notify`].
    pub fn notify(&self, event: &str, body: &Value) -> Vec<Receipt> {
        let body = body.to_string();
        self.with_gateway(|gateway, now| gateway.notify(event, &body, now))
    }

    /// An SMS arrives for a user, with its notifications. Returns its message id.
    pub fn receive_sms(&self, user: usize, from: &str, text: &str) -> u64 {
        self.with_gateway(|gateway, now| gateway.receive(user, MessageKind::Sms, from, text, now).0)
    }

    /// A message of any kind arrives for a user; see [`Gateway::receive`]. Returns its message id.
    pub fn receive(&self, user: usize, kind: MessageKind, from: &str, text: &str) -> u64 {
        self.with_gateway(|gateway, now| gateway.receive(user, kind, from, text, now).0)
    }

    /// A post in a chat of a user's account; see [`Gateway::post`]. Returns its id; `None` if there is no such user.
    pub fn post(&self, user: usize, chat: &str, from: &str, text: &str) -> Option<u64> {
        self.with_gateway(|gateway, now| gateway.post(user, chat, from, text, now).map(|(id, _)| id))
    }

    /// A fax of so many pages arrives for a user, with its notifications; see [`Gateway::receive_fax`]. Its subject is the
    /// number that sent it. Returns its message id.
    pub fn receive_fax(&self, user: usize, from: &str, pages: u32) -> u64 {
        self.with_gateway(|gateway, now| gateway.receive_fax(user, from, from, pages, now).0)
    }

    /// A call of a user begins; see [`Gateway::call`]. Returns its `sessionId`; `None` if there is no such user.
    pub fn call(&self, user: usize, plan: &CallPlan) -> Option<u64> {
        self.with_gateway(|gateway, now| gateway.call(user, plan, now).map(|(id, _)| id))
    }

    /// What the server saw so far.
    #[must_use]
    pub fn observations(&self) -> Observations {
        self.with_gateway(|gateway, _| gateway.observations())
    }

    /// Starts a script, whose lines are described at [`Script`]. It runs beside everything else, to its end or that of
    /// the server; several may run.
    ///
    /// # Errors
    ///
    /// The lines that are wrong; then nothing of it is run.
    pub fn run_script(&self, script: &str) -> Result<(), ScriptError> {
        let script = script.parse()?;
        self.runtime.spawn(script::run(script, self.refuse.clone(), Arc::clone(&self.shared)));
        Ok(())
    }

    /// Cuts every WebSocket connection with a TCP reset, without a close frame. Half-open ones too.
    pub fn drop_connections(&self) {
        self.shared.drop_connections();
    }

    /// Goes silent on every WebSocket connection there is: nothing is read or written any more, yet the
    /// sockets stay open. The gateway goes on as if it were sending, until it learns of the loss: when a
    /// client connects anew, or when a timeout ends the connection.
    pub fn half_open(&self) {
        self.shared.half_open();
    }

    /// While on, connecting is refused by the system: nobody listens. Connections that exist go on.
    pub fn refuse_connections(&self, on: bool) {
        let (done, ack) = std::sync::mpsc::sync_channel(1);
        if self.refuse.send(Refuse { on, done: Some(done) }).is_ok() {
            let _ = ack.recv_timeout(ACK_TIMEOUT);
        }
    }

    /// While on, a new connection is accepted and then nothing: no TLS, no answer. Once off, it is served.
    pub fn stall_connections(&self, on: bool) {
        self.shared.stall.send_replace(on);
    }

    /// Closes every WebSocket connection politely.
    pub fn close_all(&self, code: u16, reason: &str) {
        self.with_gateway(|gateway, now| gateway.close_all(code, reason, now));
    }

    /// From now on everything the server sends is so much later; zero ends it.
    pub fn delay(&self, delay: Duration) {
        self.shared.set_delay(delay);
    }

    /// The next so many notifications are sent twice.
    pub fn duplicate_next(&self, count: u32) {
        self.with_gateway(|gateway, _| gateway.duplicate_next(count));
    }

    /// Sends a text frame of any content on every WebSocket connection.
    pub fn send_raw(&self, text: &str) {
        self.with_gateway(|gateway, now| gateway.send_raw(None, text, now));
    }

    /// From now on at most so many bytes go into one write, on every connection; zero ends it.
    pub fn split(&self, bytes: usize) {
        self.shared.set_split(bytes);
    }

    /// Forgets all WebSocket sessions and cuts their sockets; see [`Gateway::restart`].
    pub fn restart(&self) {
        self.with_gateway(|gateway, now| gateway.restart(now));
    }

    /// Answers every call with this status for so long, with `Retry-After`; see [`Gateway::overload`].
    pub fn overload(&self, status: u16, duration: Duration) {
        self.with_gateway(|gateway, now| gateway.overload(status, duration, true, now));
    }

    /// The next call whose path begins with this gets this answer; a method may stand before the path. See
    /// [`Gateway::fail_next`].
    ///
    /// ```
    /// # let server = ringcentral_ws_gateway::Server::start(Default::default())?;
    /// server.next_http_fails("/restapi/v1.0/account/~/extension/~/sms", 403, "", &[]);
    /// server.next_http_fails("DELETE /restapi/v1.0/account/~/extension/~/message-store", 404, "", &[]);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn next_http_fails(&self, path_prefix: &str, status: u16, body: &str, headers: &[(&str, &str)]) {
        let response = HttpResponse::new(status, body);
        let response = headers.iter().fold(response, |response, (name, value)| response.header(name, value));
        self.with_gateway(|gateway, _| gateway.fail_next(path_prefix, response));
    }

    /// The next call whose path begins with this is carried out, and its connection is cut in place of the answer, so the
    /// client cannot know whether it ran. A method may stand before the path, as in
    /// [`next_http_fails`](Self::next_http_fails). Calls over the WebSocket are not affected.
    pub fn lose_answer(&self, path_prefix: &str) {
        self.shared.lose_answer(path_prefix);
    }
}

/// What the thread needs.
struct Work {
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    refusals: mpsc::UnboundedReceiver<Refuse>,
    refuse: mpsc::UnboundedSender<Refuse>,
    shared: Arc<Shared>,
    stopped: oneshot::Receiver<()>,
}

impl Work {
    async fn run(self) {
        let Ok(listener) = tokio::net::TcpListener::from_std(self.listener) else { return };
        tokio::select! {
            _ = self.stopped => {}
            () = accept::serve(listener, self.acceptor, self.refusals, self.refuse, self.shared) => {}
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
