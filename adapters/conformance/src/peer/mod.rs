//! A server that is made of bytes: it has no code in common with the adapters, the gateway and their WebSocket library,
//! and can send what those cannot.
//!
//! Every connection plays a list of [`Step`]s. The script of a [`Peer`] chooses it by the request that opened the
//! connection, a call or a WebSocket; where it has none, all goes well. What a client may not send is noted in
//! [`Peer::faults`].
//!
//! ```no_run
//! use ringcentral_ws_conformance::peer::{Peer, RawFrame, Recovery, Step};
//!
//! let peer = Peer::start(|opening| match (opening.is_upgrade(), opening.number) {
//!     (true, 0) => Some(vec![
//!         Step::Upgrade,
//!         Step::Details(Recovery::Fresh),
//!         Step::Subscribed,
//!         Step::Notify("one".to_owned()),
//!         Step::Write(RawFrame::text("reserved").rsv(4).bytes()),
//!     ]),
//!     _ => None,
//! });
//! ```

mod frame;
mod hands;
mod http;
mod link;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ringcentral_ws_api::ClientApp;
use serde_json::json;

use crate::Setup;

pub use self::frame::{RawFrame, Width, opcode};
pub use self::http::{Opening, response};
pub use self::link::{Asked, Link};

/// What becomes of a text message of the client: bytes to write, or `None` for the usual answer.
pub type Answer = Arc<dyn Fn(&Asked) -> Option<Vec<u8>> + Send + Sync>;

/// What is done with a connection where steps do not suffice.
pub type Hands = Arc<dyn Fn(&mut Link<'_>) -> io::Result<()> + Send + Sync>;

type Script = dyn Fn(&Opening) -> Option<Vec<Step>> + Send + Sync;

/// The recovery state that ConnectionDetails names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// None, as on a connection without a handle.
    Fresh,
    /// The session goes on.
    Successful,
    /// It does not, with `WSG-1005`.
    Failed,
}

/// One thing that happens on a connection.
///
/// What steps in a row write goes out at once; it leaves at the next step that serves or ends. While it serves, the peer
/// answers heartbeats, pings and requests. After the last step it serves until the client goes; a connection that was
/// not upgraded ends.
#[derive(Clone)]
pub enum Step {
    /// Writes the right answer to an upgrade. Only after it are frames read.
    Upgrade,
    /// Writes ConnectionDetails, with a new handle.
    Details(Recovery),
    /// Writes a notification with this subject, for the newest subscription. [`uuid`] has its id.
    Notify(String),
    /// Writes these bytes.
    Write(Vec<u8>),
    /// Answers differently from here on.
    Answer(Answer),
    /// Serves until a subscription was confirmed on this connection.
    Subscribed,
    /// Serves until a heartbeat was echoed on this connection.
    Echoed,
    /// Serves until [`Peer::signal`] gives this signal, if it has not yet.
    Signal(&'static str),
    /// Serves for this long.
    Serve(Duration),
    /// Gives the connection to a function. What was written before goes out first.
    Hands(Hands),
    /// Ends the connection as TCP does, and plays no further step.
    End,
    /// Resets the connection, and plays no further step.
    Reset,
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upgrade => f.write_str("Upgrade"),
            Self::Details(recovery) => write!(f, "Details({recovery:?})"),
            Self::Notify(text) => write!(f, "Notify({text:?})"),
            Self::Write(bytes) => write!(f, "Write({} bytes)", bytes.len()),
            Self::Answer(_) => f.write_str("Answer"),
            Self::Subscribed => f.write_str("Subscribed"),
            Self::Echoed => f.write_str("Echoed"),
            Self::Signal(name) => write!(f, "Signal({name})"),
            Self::Serve(time) => write!(f, "Serve({time:?})"),
            Self::Hands(_) => f.write_str("Hands"),
            Self::End => f.write_str("End"),
            Self::Reset => f.write_str("Reset"),
        }
    }
}

/// The id of the notification with this subject.
#[must_use]
pub fn uuid(subject: &str) -> String {
    format!("uuid-{subject}")
}

/// The text of a notification.
#[must_use]
pub fn notification(subscription: &str, subject: &str) -> String {
    let id = uuid(subject);
    let meta = json!({"type": "ServerNotification", "messageId": id, "status": 200, "headers": {"RCRequestId": "r"}});
    let body = json!({
        "uuid": id, "event": "/restapi/v1.0/account/1/extension/1/message-store/instant?type=SMS",
        "timestamp": "2025-01-01T00:00:00.000Z", "subscriptionId": subscription, "ownerId": "1",
        "body": {"subject": subject, "type": "SMS"},
    });
    json!([meta, body]).to_string()
}

/// The server. Dropping it ends its connections and threads.
pub struct Peer {
    shared: Arc<Shared>,
    accept: Option<JoinHandle<()>>,
}

struct Shared {
    address: SocketAddr,
    script: Box<Script>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    closed: bool,
    openings: Vec<Opening>,
    /// Connections per path.
    counts: BTreeMap<String, usize>,
    signals: BTreeSet<&'static str>,
    faults: Vec<String>,
    subscriptions: usize,
    streams: Vec<Weak<TcpStream>>,
    threads: Vec<JoinHandle<Duration>>,
    calmed: bool,
    first_hands: Option<Instant>,
    written: u64,
}

impl Peer {
    /// Listens on a free port of the loopback.
    ///
    /// # Panics
    ///
    /// When there is no port to be had.
    #[must_use]
    pub fn start(script: impl Fn(&Opening) -> Option<Vec<Step>> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared { address, script: Box::new(script), state: Mutex::default() });
        let accept = Some(accept(Arc::clone(&shared), listener));
        Self { shared, accept }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// The address of its REST API.
    #[must_use]
    pub fn http_url(&self) -> String {
        format!("http://{}", self.shared.address)
    }

    /// What a client of it starts with. Any login is good.
    ///
    /// # Panics
    ///
    /// Never: its address is one.
    #[must_use]
    pub fn setup(&self) -> Setup {
        let server = self.http_url().parse().expect("a URL");
        Setup::new(ClientApp { server, client_id: "id".to_owned(), client_secret: None }, "jwt".to_owned())
    }

    /// Lets connections go on that wait for this signal, now or later.
    pub fn signal(&self, name: &'static str) {
        self.shared.lock().signals.insert(name);
    }

    /// The requests that opened connections, in order.
    #[must_use]
    pub fn openings(&self) -> Vec<Opening> {
        self.shared.lock().openings.clone()
    }

    /// Those of WebSockets.
    #[must_use]
    pub fn upgrades(&self) -> Vec<Opening> {
        self.openings().into_iter().filter(Opening::is_upgrade).collect()
    }

    /// Ends all connections that there are, those in the hands of functions too, and has
    /// those functions end. [`Link::is_over`] says so to them.
    pub fn calm(&self) {
        let streams = {
            let mut state = self.shared.lock();
            state.calmed = true;
            std::mem::take(&mut state.streams)
        };
        end_all(&streams);
    }

    /// When [`Step::Hands`] came first.
    #[must_use]
    pub fn first_hands(&self) -> Option<Instant> {
        self.shared.lock().first_hands
    }

    /// The bytes that functions have written ([`Step::Hands`]).
    #[must_use]
    pub fn written(&self) -> u64 {
        self.shared.lock().written
    }

    /// Ends it, and returns how much time of the processor its connections took.
    pub fn end(mut self) -> Duration {
        self.stop()
    }

    fn stop(&mut self) -> Duration {
        self.shared.lock().closed = true;
        // Wakes it, so that it sees the flag.
        let _ = TcpStream::connect(self.shared.address);
        if let Some(accept) = self.accept.take() {
            let _ = accept.join();
        }
        let (streams, threads) = {
            let mut state = self.shared.lock();
            (std::mem::take(&mut state.streams), std::mem::take(&mut state.threads))
        };
        end_all(&streams);
        threads.into_iter().filter_map(|thread| thread.join().ok()).sum()
    }

    /// What clients sent that no client may send.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        self.shared.lock().faults.clone()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn opened(&self, mut opening: Opening) -> Opening {
        let mut state = self.lock();
        let count = state.counts.entry(opening.path.clone()).or_default();
        opening.number = *count;
        *count += 1;
        state.openings.push(opening.clone());
        opening
    }

    /// Makes a subscription.
    fn subscribe(&self) -> String {
        let mut state = self.lock();
        state.subscriptions += 1;
        format!("subscription-{}", state.subscriptions)
    }

    fn notification(&self, subject: &str) -> String {
        notification(&format!("subscription-{}", self.lock().subscriptions), subject)
    }
}

fn end_all(streams: &[Weak<TcpStream>]) {
    for stream in streams.iter().filter_map(Weak::upgrade) {
        let _ = stream.shutdown(Shutdown::Both);
    }
}

fn accept(shared: Arc<Shared>, listener: TcpListener) -> JoinHandle<()> {
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let stream = Arc::new(stream);
            let mut state = shared.lock();
            if state.closed {
                return;
            }
            state.streams.retain(|stream| stream.strong_count() > 0);
            state.streams.push(Arc::downgrade(&stream));
            let shared = Arc::clone(&shared);
            state.threads.push(thread::spawn(move || {
                // A client may go at any time.
                if let Err(error) = link::serve(&stream, &shared)
                    && error.kind() == io::ErrorKind::InvalidData
                {
                    shared.lock().faults.push(error.to_string());
                }
                crate::cpu::of_this_thread()
            }));
        }
    })
}
