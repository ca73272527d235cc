//! Limits of input and output. The numbers of the protocol are in `Config`.

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
/// commands and calls have their turn, whatever the server still sends ([FRM-4](ringcentral_ws_core::protocol#frm-4)). So
/// does the application, where it shares a thread with the client: what a turn brings is still in the cache then, and
/// allocators have not fetched new pages for it.
pub const TURN_BYTES: usize = 64 << 10;

/// Most bytes that are read in a row from a stream below TLS or HTTP. Of a WebSocket the bound of a turn comes first, but
/// for bytes that are nothing for it.
pub const STREAM_BYTES: usize = 256 << 10;

/// Most frames that are read from a WebSocket in one turn, beside those of one read: small frames cost more time than
/// their bytes.
pub const TURN_FRAMES: u32 = 4096;

/// Most frames of a message. A message of more ends the connection and counts as unreadable
/// ([FRM-1](ringcentral_ws_core::protocol#frm-1)). The largest message that is read by default has this many frames of
/// 256 bytes.
pub const MESSAGE_FRAMES: u32 = 65_536;

/// Most bytes of the first read from a WebSocket at rest, which has no buffer yet.
pub const FIRST_READ: usize = 4 << 10;

/// Bytes of a read from a WebSocket of which more comes than its own buffer holds.
pub const LARGE_READ: usize = 64 << 10;

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
/// `Default` suits a service on the open internet. When a client starts, [`usable`](Self::usable) corrects values that
/// are too small or too large.
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
    /// When a host has several addresses, the next one is tried after this time, beside the attempts before (RFC 8305).
    /// At least 10 ms. It is shortened so that all addresses are tried within `tcp`. Default 250 ms.
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
    /// Most HTTPS connections that are kept for the next call. When a WebSocket is ready, none of the calls before is
    /// kept. Default 2.
    pub idle_connections: usize,
    /// How long such a connection is kept. Default 20 s.
    pub idle_time: Duration,
    /// Size of the read buffer and of the write buffer of a WebSocket, in bytes; at most 1 MiB. Default 4 KiB. It has
    /// them while messages arrive or leave, and none at rest. While many messages arrive, 64 KiB more are used for
    /// reading.
    pub socket_buffer: usize,
    /// When this many bytes wait to be sent, the session sends no more requests. Default 64 KiB.
    pub send_high: usize,
    /// When no more than this many bytes wait, it sends requests again. Default 16 KiB.
    pub send_low: usize,
    /// When this many bytes wait to be sent, the connection is dropped. One message that the WebSocket has taken and
    /// `pong_max` come on top. Default 64 MiB.
    pub send_max: usize,
    /// When this many bytes of answers to pings wait to be sent, the connection is dropped: the server does not read
    /// them. At least 16 KiB. Default 64 KiB.
    pub pong_max: usize,
    /// When more than this many events wait for the application, the WebSocket is not read. While the answer to a request
    /// over the WebSocket is awaited, only bytes count, `event_bytes` and those of each listener ([REQ-10](ringcentral_ws_core::protocol#req-10)). Default
    /// 1024.
    pub event_queue: usize,
    /// When events and snapshots of this many bytes wait for the application, the WebSocket is not read. The events of
    /// two more messages may come on top. Default 64 MiB.
    pub event_bytes: usize,
    /// With `Builder::acknowledge`: when this many events were taken and are not acknowledged, the WebSocket is not read.
    /// Their bytes count with those that wait (`event_bytes`), and the events that wait may be taken on top. While the answer
    /// to a request over the WebSocket is awaited, only the bytes count. At least 1. Default 1000.
    pub unacknowledged: usize,
    /// How many commands may wait for the client's task or thread; above that their callers wait. From 1 to 65536.
    /// Default 32.
    pub command_queue: usize,
    /// When a timer is this late, or the clocks of the system differ by this much, the machine or the process was
    /// suspended. At least half a second. Default 2 s.
    pub clock_slack: Duration,
    /// The longest sleep of the client's task or thread. It limits how late it is noticed that the machine woke up. On a
    /// machine that is never suspended a minute saves thousands of idle clients most of their wake-ups. At least 10 ms.
    /// Default 10 s.
    pub longest_sleep: Duration,
    /// While messages come without a pause, a new snapshot is published after this many of them. Default 64.
    pub snapshot_every: usize,
}

impl IoLimits {
    /// The same limits, with each value within the range that its documentation names.
    #[must_use]
    pub fn usable(mut self) -> Self {
        self.socket_buffer = self.socket_buffer.min(1 << 20);
        self.command_queue = self.command_queue.clamp(1, 1 << 16);
        self.unacknowledged = self.unacknowledged.max(1);
        self.pong_max = self.pong_max.max(16 << 10);
        self.clock_slack = self.clock_slack.max(Duration::from_millis(500));
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
            unacknowledged: 1000,
            command_queue: 32,
            clock_slack: Duration::from_secs(2),
            longest_sleep: Duration::from_secs(10),
            snapshot_every: 64,
        }
    }
}
