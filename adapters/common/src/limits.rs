//! Limits of input and output, the only numbers of the adapters. The numbers of the protocol are in `Config`.

use std::time::Duration;

use ringcentral_ws_core::{Config, MIN_HEARTBEAT_INTERVAL};

/// Most questions to a credential source that wait for their answers. The session gives up waiting after a while and
/// asks again, so a source that never answers would otherwise collect them without end.
pub(crate) const MAX_LOGINS: usize = 4;

/// Most aborted HTTPS calls that still run, on a thread each, because the application's HTTP client does not return.
/// Further calls are refused until one returns.
pub const MAX_LEFT_CALLS: usize = 64;

/// Most addresses of a host that are tried for one connection. Further ones of the resolver are left out.
pub const MAX_ADDRESSES: usize = 16;

/// Most provisional answers (1xx) before the answer to an HTTPS call. More of them end the connection, which they would
/// keep busy until the deadline of the call.
pub const MAX_PROVISIONAL: usize = 16;

/// Most bytes that are read from a WebSocket in one turn, beside one read of `IoLimits::socket_buffer`. Then timers,
/// commands and calls have their turn, whatever the server still sends ([FRM-4](ringcentral_ws_core::protocol#frm-4)).
pub const TURN_BYTES: usize = 256 << 10;

/// Most frames that are read from a WebSocket in one turn, beside those of one read: small frames cost more time than
/// their bytes.
pub const TURN_FRAMES: u32 = 4096;

/// Most frames of a message. A message of more ends the connection and counts as unreadable
/// ([FRM-1](ringcentral_ws_core::protocol#frm-1)). The largest message that is read by default has this many frames of
/// 256 bytes.
pub const MESSAGE_FRAMES: u32 = 65_536;

/// Limits of one message of the server, which follow from the settings of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageLimits {
    /// Its largest size, in bytes.
    pub bytes: usize,
    /// The longest time from its first to its last frame: as long as silence may last, a heartbeat included. Frames
    /// between its pieces are signs of life, so without this limit a message could stay unfinished for ever.
    pub finish_by: Duration,
}

impl MessageLimits {
    /// The limits under these settings.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let interval = config.heartbeat_interval.max(MIN_HEARTBEAT_INTERVAL);
        Self { bytes: config.limits.frame_bytes, finish_by: interval.saturating_add(config.heartbeat_timeout) }
    }
}

/// Limits of input and output: time-outs of each step, sizes of buffers and queues.
///
/// `Default` suits a service on the open internet. Values that would keep a client busy with itself are corrected by
/// [`usable`](Self::usable) when the client starts.
///
/// ```
/// use std::time::Duration;
///
/// use ringcentral_ws_adapter::IoLimits;
///
/// let limits = IoLimits { tcp: Duration::from_secs(3), event_queue: 100, ..IoLimits::default() };
/// assert_eq!(limits.usable().send_high, 64 << 10);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IoLimits {
    /// The longest time to look up a name. Default 5 s.
    pub dns: Duration,
    /// The longest time to connect, over all addresses of the host together. Default 10 s.
    pub tcp: Duration,
    /// The time after which the next address of the host is tried beside the one before, if that has not failed yet
    /// (RFC 8305). At least 10 ms, and short enough that each address has its turn within `tcp`. Default 250 ms.
    pub attempt_delay: Duration,
    /// The silence after which the system probes a connection (TCP keep-alive), so that firewalls and routers do not
    /// forget it. Whole seconds, from 1 to 32767; `None` turns probes off. Default 15 s.
    pub keepalive: Option<Duration>,
    /// The longest time of the TLS handshake. Default 10 s.
    pub tls: Duration,
    /// The longest time of the WebSocket upgrade. Default 10 s.
    pub upgrade: Duration,
    /// The longest time of an HTTPS call from its first byte to the head of the response. Default 60 s.
    pub response_head: Duration,
    /// The longest time to read the body of a response. Default 60 s.
    pub response_body: Duration,
    /// Largest body of a response, in bytes. Default 16 MiB.
    pub response_bytes: usize,
    /// The longest wait for the next piece of a download. Default 30 s.
    pub download_read: Duration,
    /// Most redirects that a download follows. Default 5.
    pub redirects: usize,
    /// Most HTTPS connections that are kept for the next call. Default 2.
    pub idle_connections: usize,
    /// How long such a connection is kept. Default 20 s.
    pub idle_time: Duration,
    /// The read and the write buffer of a WebSocket, in bytes; 1 MiB at most. Default 4 KiB. While many messages arrive
    /// the async driver uses 64 KiB more for reading, and gives them back afterwards.
    pub socket_buffer: usize,
    /// Bytes that wait to be sent from which on the session holds requests back. Default 64 KiB.
    pub send_high: usize,
    /// Bytes that wait to be sent down to which it does so. Default 16 KiB.
    pub send_low: usize,
    /// Bytes that wait to be sent from which on the connection is dropped, beside one message that the WebSocket has
    /// taken and `pong_max`. Default 64 MiB.
    pub send_max: usize,
    /// Bytes of answers to pings from which on the connection is dropped, because the server does not read them. At
    /// least 16 KiB; default 64 KiB.
    pub pong_max: usize,
    /// Events that wait for the application from which on reading stops. Default 1024. While the answer to a request
    /// over the socket is awaited, reading goes on until `event_bytes` wait
    /// ([REQ-10](ringcentral_ws_core::protocol#req-10)).
    pub event_queue: usize,
    /// Bytes of events and of their snapshots that wait for the application from which on reading stops. What two more
    /// messages cause may come on top. Default 64 MiB.
    pub event_bytes: usize,
    /// Most commands that wait for the driver before their callers wait, from 1 to 65536. Default 32.
    pub command_queue: usize,
    /// A timer that is this late, or clocks that differ by this much, mean that the machine or the process was
    /// suspended. At least 100 ms; default 2 s.
    pub clock_slack: Duration,
    /// The longest sleep of the I/O task or thread. It bounds how late a wake-up of the machine is noticed. At least 10
    /// ms; default 10 s.
    pub longest_sleep: Duration,
    /// Messages in a row after which a snapshot is published at the latest. Default 64.
    pub snapshot_every: usize,
}

impl IoLimits {
    /// The same limits, with values that cannot be had or would keep a client busy with itself corrected.
    #[must_use]
    pub fn usable(mut self) -> Self {
        self.socket_buffer = self.socket_buffer.min(1 << 20);
        self.command_queue = self.command_queue.clamp(1, 1 << 16);
        self.pong_max = self.pong_max.max(16 << 10);
        self.clock_slack = self.clock_slack.max(Duration::from_millis(100));
        self.longest_sleep = self.longest_sleep.max(Duration::from_millis(10));
        self
    }
}

impl Default for IoLimits {
    fn default() -> Self {
        Self {
            dns: Duration::from_secs(5),
            tcp: Duration::from_secs(10),
            attempt_delay: Duration::from_millis(250),
            keepalive: Some(Duration::from_secs(15)),
            tls: Duration::from_secs(10),
            upgrade: Duration::from_secs(10),
            response_head: Duration::from_secs(60),
            response_body: Duration::from_secs(60),
            response_bytes: 16 << 20,
            download_read: Duration::from_secs(30),
            redirects: 5,
            idle_connections: 2,
            idle_time: Duration::from_secs(20),
            socket_buffer: 4 << 10,
            send_high: 64 << 10,
            send_low: 16 << 10,
            send_max: 64 << 20,
            pong_max: 64 << 10,
            event_queue: 1024,
            event_bytes: 64 << 20,
            command_queue: 32,
            clock_slack: Duration::from_secs(2),
            longest_sleep: Duration::from_secs(10),
            snapshot_every: 64,
        }
    }
}
