//! The methods of a builder of clients that both halves have.

/// What [`settings_methods`](crate::settings_methods) names.
#[doc(hidden)]
pub mod names {
    pub use ringcentral_ws_api::Backfill;
    pub use ringcentral_ws_core::{Config, Snapshot};
    pub use rustls::ClientConfig;

    pub use crate::foreign::ForeignState;
    pub use crate::recording::RecorderOptions;
}

/// The methods of a half's `Builder` that change its field `settings`, a [`Settings`](crate::Settings). `debug` says
/// where the sink of debug lines is called.
#[doc(hidden)]
#[macro_export]
macro_rules! settings_methods {
    (debug: $called:literal) => {
        /// All of these settings at once.
        #[doc(hidden)]
        pub fn settings(mut self, settings: $crate::Settings) -> Self {
            self.settings = settings;
            self
        }

        /// Subscribes to these event filters as soon as there is a connection. Without filters nothing is subscribed
        /// until [`Client::subscribe`] is called. A restored session keeps the filters that it had.
        pub fn filters<I>(mut self, filters: I) -> Self
        where
            I: IntoIterator,
            I::Item: AsRef<str>,
        {
            self.settings.filters.extend(filters.into_iter().map(|filter| filter.as_ref().to_owned()));
            self
        }

        /// The settings of the session. If their server is the default, production, the server of the credentials is
        /// used instead. Each client has a `heartbeat_interval` of its own, up to an eighth shorter than the one that is set.
        pub fn config(mut self, config: $crate::setup_names::Config) -> Self {
            self.settings.config = config;
            self
        }

        /// The limits of input and output.
        pub fn limits(mut self, limits: $crate::IoLimits) -> Self {
            self.settings.limits = limits.usable();
            self
        }

        /// Continues the session of this snapshot ([PST-2](ringcentral_ws_core::protocol#pst-2)). A snapshot belongs to
        /// a server, an app and a user ([TOK-10](ringcentral_ws_core::protocol#tok-10)), and [`start`](Self::start)
        /// refuses it with other credentials. Then start with [`Snapshot::lost`](ringcentral_ws_core::Snapshot::lost)
        /// in its place, which reports a gap.
        ///
        /// The snapshot of an orderly end says that nothing was received since. After a crash of this run that would be
        /// wrong. So the client connects only when the application has taken the first
        /// [`SnapshotChanged`](ringcentral_ws_core::Event::SnapshotChanged) and asks for the next event. Store the new
        /// snapshot in between.
        pub fn restore(mut self, snapshot: $crate::setup_names::Snapshot) -> Self {
            self.settings.snapshot = Some(snapshot);
            self.settings.state = None;
            self
        }

        /// With `true`, [`Client::snapshot`] covers the notifications and gaps that the program has acknowledged, in order,
        /// instead of those that it has taken ([PST-6](ringcentral_ws_core::protocol#pst-6)). So programs that hand events
        /// on, or store them in batches, lose nothing silently in a crash. Default `false`.
        ///
        /// [`Events::next_delivery`](crate::Events::next_delivery) gives an event with its [`Ack`](crate::Ack), and
        /// [`Events::next_batch`](crate::Events::next_batch) all that are there with one. What `Events::next` gives is
        /// acknowledged when the event after it is asked for. [`SnapshotChanged`](ringcentral_ws_core::Event::SnapshotChanged)
        /// comes when the snapshot has moved. When `IoLimits::unacknowledged` events (1000) or `IoLimits::event_bytes` are
        /// not acknowledged, reading stops, and the health says so.
        ///
        /// After the end of the process what was not acknowledged comes again as far as the server sends it again, and
        /// otherwise a [`Gap`](ringcentral_ws_core::Gap) says so first. What was acknowledged comes again only if the
        /// snapshot that covers it was not stored.
        pub fn acknowledge(mut self, acknowledge: bool) -> Self {
            self.settings.acknowledge = acknowledge;
            self
        }

        /// Continues the session and the login of these files, if they have any, and stores each new login in them
        /// before it is used. The session is for the program to store, at each
        /// [`SnapshotChanged`](ringcentral_ws_core::Event::SnapshotChanged): see [`StateFile`](crate::StateFile).
        ///
        /// The login is that of [`Jwt`](crate::Jwt) and [`RefreshToken`](crate::RefreshToken), and its `on_tokens` is
        /// replaced. Of other sources, and of one behind an `Arc`, only the session is kept. A session that cannot be
        /// read begins with a [`Gap`](ringcentral_ws_core::Gap). [`start`](Self::start) reads it, and refuses one that
        /// belongs to another server, app or user.
        ///
        /// A process may start one client after the other with the same files: call this when the last one has ended, and
        /// the next continues what was stored last. Two at once would store over each other. So while another client has
        /// the files, [`start`](Self::start) is an error, [`StartError::InUse`](crate::StartError::InUse). A client has
        /// them until its [`Closed`](ringcentral_ws_core::Event::Closed) was taken or its events were dropped.
        ///
        /// # Errors
        ///
        /// [`ForeignState`](crate::ForeignState): the login is of another server, app or user. Use other files, or
        /// delete those that it names.
        pub fn stored_in(mut self, state: &$crate::StateFile) -> Result<Self, $crate::setup_names::ForeignState> {
            if let Some(source) = std::sync::Arc::get_mut(&mut self.credentials) {
                let foreign = |why| $crate::setup_names::ForeignState::new(state.names(), why);
                source.store_in(state).map_err(foreign)?;
            }
            self.settings.snapshot = None;
            self.settings.state = Some(state.clone());
            Ok(self)
        }

        /// With `true` the client makes calls of the REST API and nothing else: no WebSocket is opened, and there are no
        /// events but [`Closed`](ringcentral_ws_core::Event::Closed). Default `false`.
        ///
        /// The first call logs in. Logins, refreshes, their limits, deadlines and what is said of a call are those of every
        /// client. Do not give it filters or a snapshot. [`Client::health`] says that it is not connected, and
        /// [`Client::close`] ends it.
        pub fn calls_only(mut self, calls_only: bool) -> Self {
            self.settings.calls_only = calls_only;
            self
        }

        /// TLS settings in place of [`default_tls`](crate::default_tls), made with [`TlsSettings`](crate::TlsSettings)
        /// or by hand. Of the protocols that they offer (ALPN) only HTTP/1.1 counts.
        pub fn tls(mut self, tls: std::sync::Arc<$crate::setup_names::ClientConfig>) -> Self {
            self.settings.tls = Some(tls);
            self
        }

        /// The hosts, each with its subdomains, that downloads may go to beside the server. They see the access token.
        /// Default `ringcentral.com`.
        pub fn content_hosts<I>(mut self, hosts: I) -> Self
        where
            I: IntoIterator,
            I::Item: Into<String>,
        {
            self.settings.content_hosts = hosts.into_iter().map(Into::into).collect();
            self
        }

        /// A proxy for HTTPS and the WebSocket, or none, in place of that of the environment
        /// ([`Proxy::from_env`](crate::Proxy::from_env)).
        pub fn proxy(mut self, proxy: Option<$crate::Proxy>) -> Self {
            self.settings.proxy = $crate::ProxyChoice::Given(proxy);
            self
        }

        /// Calls `sink` with each message, as one line with secrets masked. The same lines go to `tracing`, target
        /// `ringcentral_ws::frames`, level trace.
        ///
        #[doc = $called]
        /// If it panics it is not called again.
        pub fn debug(mut self, sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
            self.settings.debug = Some(std::sync::Arc::new(sink));
            self
        }

        /// Records the session's last inputs and outputs in `bytes` of memory, secrets masked, for
        /// [`Client::flight_record`]: see [`recorder`](ringcentral_ws_core::recorder). 32 kB hold about an hour of a
        /// quiet connection. Feature `recorder`.
        #[cfg(feature = "recorder")]
        pub fn flight_recorder(mut self, bytes: impl Into<$crate::setup_names::RecorderOptions>) -> Self {
            self.settings.recorder = Some(bytes.into());
            self
        }

        /// Fetches over REST what may have been missed in each [`Gap`](ringcentral_ws_core::Gap), in the way that
        /// requests go, and reports it as [`Event::Backfill`](ringcentral_ws_core::Event::Backfill), once for each gap.
        /// Off by default. The app needs the permissions of what is fetched, such as ReadMessages and ReadCallLog; what
        /// is refused is named in [`Backfilled::unfilled`](ringcentral_ws_core::Backfilled::unfilled).
        ///
        /// What it goes on from after a restart is part of the [`Snapshot`](ringcentral_ws_core::Snapshot). Without
        /// this, a snapshot that has it is continued all the same, and the next one has it no more.
        pub fn backfill(mut self, backfill: $crate::setup_names::Backfill) -> Self {
            self.settings.backfill = Some(backfill);
            self
        }

        /// For tests against a server on this machine (a loopback address), such as the stand-in: the client comes back
        /// within 0.1 s after a lost connection and 0.6 s after failed attempts, fetches what a gap may have cost
        /// ([`backfill`](Self::backfill)) after 50 ms, and does not count its calls for logins and connection tokens. What
        /// the server asks for (`Retry-After`) is waited out all the same. It holds whatever else is set, before it or
        /// after it. With a server elsewhere it does nothing, so no program can forget it and break the limits of the
        /// service.
        pub fn for_tests(mut self) -> Self {
            self.settings.for_tests = true;
            self
        }

        /// Adds the label `client` with this value to all [`metrics`](crate::metrics) of this client. Use few names, and no
        /// data of users: a store of metrics keeps each for long. Feature `metrics`.
        #[cfg(feature = "metrics")]
        pub fn metrics_label(mut self, name: impl Into<String>) -> Self {
            self.settings.metrics_label = Some(name.into());
            self
        }
    };
}
