//! A machine and a server, and the steps they take.

use std::time::Duration;

use ringcentral_ws_driver::ClientApp;
use ringcentral_ws_driver::{Builder, CredentialSource, Jwt};
use ringcentral_ws_driver::{Config, Secret};
use ringcentral_ws_gateway::GatewayConfig;

use crate::machine::Machine;
use crate::server::Server;

/// Steps without any time between them after which something runs in circles.
const BUSY: u32 = 200_000;

/// What a step was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A task was polled.
    Polled,
    /// The server read or wrote.
    Served,
    /// So much time passed.
    Waited(Duration),
    /// Nothing will ever happen again.
    Stuck,
}

/// A machine, and the server that it can reach.
#[derive(Debug)]
pub struct World {
    /// Where clients run.
    pub machine: Machine,
    /// What they talk to.
    pub server: Server,
}

impl World {
    /// A world at time 0. Addresses and rate limits in `config` are replaced: everything is on loopback, nothing limits.
    #[must_use]
    pub fn new(seed: u64, mut config: GatewayConfig) -> Self {
        let machine = Machine::new(seed);
        config.seed = seed;
        "http://127.0.0.1:8080".clone_into(&mut config.base_url);
        "ws://127.0.0.1:8080/ws".clone_into(&mut config.ws_url);
        config.ws_token.rate_limit = None;
        let server = Server::new(machine.clone(), config);
        Self { machine, server }
    }

    /// A client of user 0, without any filter.
    pub fn builder(&mut self) -> Builder<Machine> {
        let login = self.login();
        self.builder_with(login)
    }

    /// The login of user 0.
    pub fn login(&mut self) -> Jwt {
        let (app, user) = {
            let config = self.server.gateway().0.config();
            (config.app.clone(), config.users[0].jwt.clone())
        };
        let server = "http://127.0.0.1:8080".parse().expect("an address");
        let client_secret = Some(Secret::new(app.client_secret));
        Jwt::new(ClientApp { server, client_id: app.client_id, client_secret }, user.as_str())
    }

    /// A client with these credentials, without any filter.
    pub fn builder_with(&self, credentials: impl CredentialSource) -> Builder<Machine> {
        let server = "http://127.0.0.1:8080".parse().expect("an address");
        Builder::new(self.machine.clone(), credentials).config(Config { server, ..Config::default() }).proxy(None)
    }

    /// Does one thing that needs no time; `false` when there is none.
    pub fn work(&mut self) -> Option<Step> {
        if self.machine.poll_one() {
            return Some(Step::Polled);
        }
        self.serve().then_some(Step::Served)
    }

    /// Lets the server read and write on one stream; `false` when there is nothing to do.
    pub fn serve(&mut self) -> bool {
        self.server.serve_one()
    }

    /// Does one thing, or lets time pass to the next.
    pub fn step(&mut self) -> Step {
        self.work().unwrap_or_else(|| self.wait(Duration::MAX))
    }

    /// Does all there is to do now.
    ///
    /// # Panics
    ///
    /// When that has no end.
    pub fn settle(&mut self) {
        for _ in 0..BUSY {
            if self.work().is_none() {
                return;
            }
        }
        panic!("it runs in circles: {:?}", self.machine);
    }

    /// Lets time pass to the next thing that is due, at most so much.
    pub fn wait(&mut self, most: Duration) -> Step {
        let due = [self.machine.next_timer(), self.server.next_deadline()].into_iter().flatten().min();
        let Some(by) = due.or((most < Duration::MAX).then_some(most)).map(|due| due.min(most)) else {
            return Step::Stuck;
        };
        self.machine.advance(by);
        self.server.time_passed();
        Step::Waited(by)
    }

    /// Lives for this long.
    ///
    /// # Panics
    ///
    /// When work at one moment has no end.
    pub fn pass(&mut self, time: Duration) {
        let end = self.machine.now() + time;
        loop {
            self.settle();
            let left = end.saturating_sub(self.machine.now());
            if left.is_zero() || self.wait(left) == Step::Stuck {
                return;
            }
        }
    }

    /// The machine sleeps for this long; the server goes on.
    pub fn suspend(&mut self, time: Duration) {
        self.machine.suspend(time);
        self.server.time_passed();
    }
}
