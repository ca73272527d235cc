//! The adapters' only numbers: limits of I/O. What the protocol asks for is in `Config`.

use std::time::Duration;

use ringcentral_ws_core::{Config, MIN_HEARTBEAT_INTERVAL};

/// Questions to a credential source that may wait for their answers. The session stops waiting for one in time and asks
/// again; a source that never answers must not gather them without end.
pub const MAX_LOGINS: usize = 4;

/// HTTPS calls that were given up and still run, on a thread each, because an HTTP client of the application's does not
/// come back; further calls are refused until one does.
pub const MAX_LEFT_CALLS: usize = 64;

/// Addresses of a host that are tried for one connection; what the resolver gave beyond is left out.
pub const MAX_ADDRESSES: usize = 16;

/// Provisional answers (1xx) before the answer to an HTTPS call. More of them end the connection: they would keep it
/// busy until the call's deadline.
pub const MAX_PROVISIONAL: usize = 16;

/// Bytes that are read of a WebSocket in a row, and one read more (`IoLimits::socket_buffer`). Then timers, commands and
/// calls have their turn, whatever the server still sends (FRM-4).
pub const TURN_BYTES: usize = 256 << 10;

/// Frames that are read of a WebSocket in a row, and those of one read more: small ones cost more time than their bytes.
pub const TURN_FRAMES: u32 = 4096;

/// Frames that a message may have. One of more ends the connection and counts as unreadable (FRM-1): the largest message
/// that is taken by default has this many when it is cut into pieces of 256 bytes, and nobody cuts smaller but to cause
/// work.
pub const MESSAGE_FRAMES: u32 = 65_536;

/// What a message of the server may cost, by the session's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageLimits {
    /// Its size, in bytes.
    pub bytes: usize,
    /// How long it may stay unfinished once it has begun: as long as silence may last, a heartbeat included. What comes
    /// between its pieces is a sign of life, and would keep a message that never ends for ever.
    pub finish_by: Duration,
}

impl MessageLimits {
    /// Those of these settings.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let interval = config.heartbeat_interval.max(MIN_HEARTBEAT_INTERVAL);
        Self { bytes: config.limits.frame_bytes, finish_by: interval.saturating_add(config.heartbeat_timeout) }
    }
}

/// Limits of input and output. `Default` suits a service on the open internet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IoLimits {
    /// Looking up a name. Default 5 s.
    pub dns: Duration,
    /// Connecting, over all addresses of the host together. Default 10 s.
    pub tcp: Duration,
    /// How long after an attempt to connect to one address of the host the attempt to the next one starts beside it, if
    /// none has failed before (RFC 8305). At least 10 ms, and no more than lets each address have its turn within `tcp`;
    /// default 250 ms.
    pub attempt_delay: Duration,
    /// The system probes a connection that has been silent for so long, again and again, so that firewalls and routers
    /// do not forget it; `None`: it does not. Whole seconds count, from 1 to 32767. Default 15 s.
    pub keepalive: Option<Duration>,
    /// The TLS handshake. Default 10 s.
    pub tls: Duration,
    /// The WebSocket upgrade. Default 10 s.
    pub upgrade: Duration,
    /// An HTTPS call, from its first byte to the head of the response. Default 60 s.
    pub response_head: Duration,
    /// The body of a response. Default 60 s.
    pub response_body: Duration,
    /// Largest body of a response, in bytes. Default 16 MiB.
    pub response_bytes: usize,
    /// The next piece of a download. Default 30 s.
    pub download_read: Duration,
    /// Redirects a download follows. Default 5.
    pub redirects: usize,
    /// Most HTTPS connections kept for the next call. Default 2.
    pub idle_connections: usize,
    /// How long such a connection is trusted. Default 20 s.
    pub idle_time: Duration,
    /// Read and write buffer of a WebSocket, in bytes; at most 1 MiB is used. Default 4 KiB. While a flood lasts the
    /// async driver uses 64 KiB more for reading; they are given back at its end.
    pub socket_buffer: usize,
    /// The Session is told to hold back when this many bytes wait to be sent. Default 64 KiB.
    pub send_high: usize,
    /// It is told to go on when this few are left. Default 16 KiB.
    pub send_low: usize,
    /// The connection is given up when this many bytes wait to be sent, besides one message that the WebSocket has taken
    /// and `pong_max`. Default 64 MiB.
    pub send_max: usize,
    /// The connection is given up when the answers to this many bytes of pings wait for a server that does not read them.
    /// At least 16 KiB; default 64 KiB.
    pub pong_max: usize,
    /// Events waiting for the application before reading stops. Default 1024. While the answer to a request over the
    /// socket is awaited reading goes on, until `event_bytes` wait (REQ-10).
    pub event_queue: usize,
    /// Bytes of events, and of the snapshots that go with them, waiting for the application before reading stops, and
    /// what two messages more cause. Default 64 MiB.
    pub event_bytes: usize,
    /// Commands waiting for the driver before their callers wait; from 1 to 65536. Default 32.
    pub command_queue: usize,
    /// A timer this late, or clocks that differ by this much, mean that the process was away. At least 100 ms;
    /// default 2 s.
    pub clock_slack: Duration,
    /// Longest sleep of the I/O task or thread, so that a wake-up of the machine is noticed. At least
    /// 10 ms; default 10 s.
    pub longest_sleep: Duration,
    /// A snapshot is published at the latest after this many messages in a row. Default 64.
    pub snapshot_every: usize,
}

impl IoLimits {
    /// The same, where a value can be had and does not keep a client busy with itself.
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
