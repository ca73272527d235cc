//! What a scenario plays with: a server, a proxy in front of its WebSocket, and one client.

use std::time::{Duration, Instant};

use ringcentral_ws_api::ClientApp;
use ringcentral_ws_core::{Body, Close, Event, Secret};
use ringcentral_ws_gateway::{GatewayConfig, Server, ServerConfig, UserConfig};

use crate::settings;
use crate::trace::line;
use crate::{DEADLINE, Harness, Outcome, Proxy, Running, Setup, Trace, until};

/// The filter of all scenarios.
pub(crate) const SMS: &str = "/restapi/v1.0/account/~/extension/~/message-store/instant?type=SMS";

/// One run of one scenario.
pub struct World<'a> {
    harness: &'a dyn Harness,
    /// Dropped first: clients go before servers.
    pub(crate) running: Option<Box<dyn Running>>,
    trace: Trace,
    /// What the next client is started with.
    pub setup: Setup,
    /// In front of the WebSocket only; HTTP goes to the server directly.
    pub proxy: Proxy,
    /// The server.
    pub server: Server,
}

impl<'a> World<'a> {
    /// A server and a proxy, and no client yet.
    ///
    /// # Panics
    ///
    /// When the loopback has no ports.
    #[must_use]
    pub fn new(harness: &'a dyn Harness, tls: bool) -> Self {
        let mut gateway = GatewayConfig::default();
        gateway.ws_token.rate_limit = None;
        gateway.users.push(UserConfig::numbered(1));
        let config = ServerConfig { gateway, tls, ..ServerConfig::default() };
        let server = Server::start(config).expect("the loopback serves");
        let proxy = Proxy::start(server.address()).expect("the loopback serves");
        let scheme = if tls { "wss" } else { "ws" };
        let (app, jwt) = server.with_gateway(|gateway, _| {
            gateway.config_mut().ws_url = format!("{scheme}://{}/ws", proxy.address());
            let config = gateway.config();
            let app = ClientApp {
                server: config.base_url.parse().expect("a URL"),
                client_id: config.app.client_id.clone(),
                client_secret: Some(Secret::new(config.app.client_secret.as_str())),
            };
            (app, config.users[0].jwt.clone())
        });
        let setup = Setup { trust: server.ca_der().map(<[u8]>::to_vec), ..Setup::new(app, jwt) };
        Self { harness, running: None, trace: Trace::default(), setup, proxy, server }
    }

    /// Starts the client, in place of the one before.
    pub fn start(&mut self) {
        self.running = None;
        self.running = Some(self.harness.start(self.setup.clone()));
    }

    /// Has the client not start, and gives the words.
    ///
    /// # Panics
    ///
    /// When it starts.
    pub fn start_refused(&mut self) -> String {
        self.running = None;
        self.harness.try_start(self.setup.clone()).err().expect("it does not start")
    }

    /// Drops the client's handles.
    pub fn stop(&mut self) {
        self.running = None;
    }

    /// Starts the client and waits until it is subscribed.
    pub fn subscribe(&mut self) {
        self.start();
        self.until("subscribed");
    }

    /// Takes events up to the first whose line begins like this.
    ///
    /// # Panics
    ///
    /// When it does not come.
    pub fn until(&mut self, beginning: &str) {
        self.until_next(beginning, beginning);
    }

    /// The same, and that line begins with `whole` too.
    ///
    /// # Panics
    ///
    /// When it does not come, or is another.
    pub fn until_next(&mut self, beginning: &str, whole: &str) {
        let end = Instant::now() + DEADLINE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.client().next_event(left) {
                None => panic!("no `{beginning}` in time after\n{}", self.trace),
                Some(None) => panic!("the events ended without `{beginning}` after\n{}", self.trace),
                Some(Some(event)) => {
                    if let Some(line) = self.note(&event).filter(|line| line.starts_with(beginning)) {
                        assert!(line.starts_with(whole), "`{line}` in place of `{whole}` after\n{}", self.trace);
                        return;
                    }
                }
            }
        }
    }

    fn note(&mut self, event: &Event) -> Option<String> {
        let line = line(event)?;
        self.trace.push(line.clone());
        Some(line)
    }

    /// The client.
    ///
    /// # Panics
    ///
    /// When none was started.
    pub fn client(&mut self) -> &mut dyn Running {
        &mut **self.running.as_mut().expect("a client was started")
    }

    /// The server gets an SMS for the client.
    pub fn sms(&self, text: &str) {
        self.server.receive_sms(0, "+16505550100", text);
    }

    /// An SMS comes through.
    pub fn sms_arrives(&mut self, text: &str) {
        self.sms(text);
        self.until(&format!("notification {text}"));
    }

    /// Makes a GET request and notes its end.
    ///
    /// # Panics
    ///
    /// When the path cannot be one.
    pub fn get(&mut self, path: &str) -> Outcome {
        self.request(http::Request::get(path).body(Body::empty()).expect("a path"))
    }

    /// Makes a request and notes its end.
    pub fn request(&mut self, request: http::Request<Body>) -> Outcome {
        let outcome = self.client().request(request);
        self.note_outcome(&outcome);
        outcome
    }

    /// Downloads from an address, and notes how that ended.
    ///
    /// # Panics
    ///
    /// When it is no address.
    pub fn download(&mut self, address: &str) -> Outcome {
        let outcome = self.client().download(http::Request::get(address).body(Body::empty()).expect("an address"));
        self.note_outcome(&outcome);
        outcome
    }

    fn note_outcome(&mut self, outcome: &Outcome) {
        // Ids in the body differ in length.
        let shown = match outcome {
            Outcome::Response(status, _, via) => format!("response {status} {via:?}"),
            Outcome::Failed(how, may_have_run) => format!("request {how}, may have run: {may_have_run}"),
            Outcome::Broken(received) => format!("body broken after {received}"),
        };
        self.trace.push(shown);
    }

    /// Closes, and takes the last events.
    pub fn close(&mut self, mode: Close) {
        self.client().close(mode);
        self.until("closed");
        self.at_end();
    }

    /// After `closed` nothing follows.
    ///
    /// # Panics
    ///
    /// When something does.
    pub fn at_end(&mut self) {
        loop {
            match self.client().next_event(DEADLINE) {
                Some(None) => return,
                Some(Some(event)) => assert!(line(&event).is_none(), "{event:?} after the end"),
                None => panic!("the events do not end"),
            }
        }
    }

    /// Waits until the server has seen it.
    ///
    /// # Panics
    ///
    /// When it does not come to pass.
    pub fn until_server(&self, mut seen: impl FnMut(&Server) -> bool) {
        until(DEADLINE, "the server sees it", || seen(&self.server));
    }

    pub(crate) fn end(mut self) -> Trace {
        self.running = None;
        self.until_server(|server| server.with_gateway(|gateway, _| gateway.connections().count()) == 0);
        self.trace
    }
}

impl Setup {
    /// A client of this app that subscribes to SMS and retries at once.
    #[must_use]
    pub fn new(app: ClientApp, jwt: String) -> Self {
        Self {
            app,
            jwt,
            refresh_token: None,
            config: settings::quick(),
            filters: vec![SMS.to_owned()],
            trust: None,
            snapshot: None,
            event_queue: 1024,
            event_bytes: 64 << 20,
            step_limit: Duration::from_secs(10),
            backfill: None,
            acknowledge: None,
        }
    }
}
