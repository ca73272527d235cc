//! The program on its terminal, and the world it is in.

use std::time::Duration;

use futures_util::FutureExt as _;
use ringcentral_ws_adapter::watch::args::Options;
use ringcentral_ws_adapter::watch::json::Command;
use ringcentral_ws_adapter::watch::paint::{Painter, fitted};
use ringcentral_ws_adapter::watch::program::{Act, Input, Program};
use ringcentral_ws_adapter::watch::reach::{LoginCalls, Reach};
use ringcentral_ws_adapter::watch::waits::{Longest, Standing};
use ringcentral_ws_driver::{Backfill, Client, Config, Event, Events, Filter, SessionState};
use ringcentral_ws_gateway::GatewayConfig;
use ringcentral_ws_testkit::{Call, Machine, World};

use super::screen::{Screen, WIDTH};

/// The time of day at which the program begins, in seconds.
const MORNING: u64 = 9 * 3600;

pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) screen: Screen,
    client: Client<Machine>,
    events: Events,
    program: Program,
    painter: Painter,
    calls: Vec<Call<'static, ()>>,
    /// Changes of the state do not reach the program.
    pub(crate) hides_states: bool,
}

impl Stage {
    /// The program as it begins, and all that it does at once.
    pub(crate) fn begin(config: GatewayConfig, filters: &[Filter]) -> Self {
        let mut stage = Self::idle(config, filters);
        stage.live(Duration::ZERO);
        stage
    }

    /// The same before anything was done.
    pub(crate) fn idle(config: GatewayConfig, filters: &[Filter]) -> Self {
        Self::new(config, filters, true, None)
    }

    /// Where standard output is no terminal.
    pub(crate) fn piped(config: GatewayConfig, filters: &[Filter]) -> Self {
        Self::new(config, filters, false, None)
    }

    /// The program as it begins, with `--backfill`.
    pub(crate) fn filling(config: GatewayConfig, filters: &[Filter]) -> Self {
        let mut stage = Self::new(config, filters, true, Some(Backfill::new()));
        stage.live(Duration::ZERO);
        stage
    }

    fn new(config: GatewayConfig, filters: &[Filter], has_status: bool, backfill: Option<Backfill>) -> Self {
        let mut world = World::new(config.seed + 10, config);
        let filters: Vec<String> = filters.iter().map(ToString::to_string).collect();
        let calls = LoginCalls::default();
        let login = watched::Watched { login: world.login(), calls: calls.clone() };
        let builder = world.builder_with(login).filters(filters.clone());
        let options = Options { filters, backfill: backfill.is_some(), ..Options::default() };
        let builder = if let Some(backfill) = backfill { builder.backfill(backfill) } else { builder };
        let (client, events) = builder.start().unwrap();
        let reach = Reach::new("http://127.0.0.1:8080".to_owned(), calls);
        let program = Program::new(options, reach, Longest::of(&Config::default()), false).with_status(has_status);
        let painter = Painter::new(false);
        Self {
            world,
            screen: Screen::default(),
            client,
            events,
            program,
            painter,
            calls: Vec::new(),
            hides_states: false,
        }
    }

    /// Lets this time pass.
    pub(crate) fn live(&mut self, time: Duration) {
        let end = self.world.machine.now() + time;
        loop {
            self.settle();
            let now = self.world.machine.now();
            if now >= end {
                return;
            }
            let deadline = self.program.deadline().map_or(end, |at| at.min(end));
            self.world.wait(deadline.saturating_sub(now));
        }
    }

    /// How long the session pauses before its next attempt.
    pub(crate) fn pause(&self) -> Duration {
        let SessionState::Waiting { until, .. } = self.client.states().get().session() else { return Duration::ZERO };
        Duration::from_micros(until.as_micros()).saturating_sub(self.world.machine.now())
    }

    /// Ctrl-C.
    pub(crate) fn interrupt(&mut self) {
        self.screen.key("^C", self.world.machine.now());
        self.happened(Input::Interrupt);
    }

    /// The last lines, and the exit status.
    pub(crate) fn finish(&mut self) -> u8 {
        let status = self.program.finish();
        self.act();
        status
    }

    /// All that is to be done now.
    fn settle(&mut self) {
        loop {
            // A program is as fast as its session: it sees each state.
            let is_done = self.world.work().is_none();
            if !self.hides_states {
                self.state();
            }
            if self.program.deadline().is_some_and(|at| at <= self.world.machine.now()) {
                self.happened(Input::Timeout);
            }
            for call in &mut self.calls {
                call.poll();
            }
            while let Some(Some(event)) = self.events.next().now_or_never() {
                let is_change = matches!(event, Event::SnapshotChanged);
                let snapshot = if is_change { self.client.snapshot() } else { None };
                self.happened(Input::Event(Box::new(event), snapshot.map(Box::new)));
            }
            if is_done && !self.world.machine.is_ready() {
                return;
            }
        }
    }

    fn state(&mut self) {
        let state = self.client.states().get();
        let next_try = match state.session() {
            SessionState::Waiting { until, .. } => Some(Duration::from_micros(until.as_micros())),
            _ => None,
        };
        let standing = Standing { session: state.session(), subscription: state.subscription(), next_try };
        self.happened(Input::State(standing));
    }

    fn happened(&mut self, input: Input) {
        if !self.program.has_ended() {
            self.program.handle(input, self.world.machine.now());
            self.act();
        }
    }

    fn act(&mut self) {
        let width = Some(WIDTH);
        while let Some(act) = self.program.next_act() {
            let now = self.world.machine.now();
            let time = now.as_secs() + MORNING;
            let time = format!("{:02}:{:02}:{:02}", time / 3600, time / 60 % 60, time % 60);
            let text = match act {
                Act::Line(lines) => self.painter.event(&lines, &time, width),
                Act::Paragraph(text) => self.painter.paragraph(&text, width),
                Act::Status(status) => self.painter.status(status, width),
                Act::Complain(why) => {
                    let line = fitted(&format!("ringcentral-ws tail: {why}"), 2, width);
                    // As `terminal::complain` writes it above the status line.
                    format!("\r\u{1b}[2K{line}\n{}", self.painter.drawn())
                }
                Act::Call(Command::Close(mode)) => {
                    let client = self.client.clone();
                    self.calls.push(Call::new(async move { client.close(mode).await }));
                    continue;
                }
                _ => continue,
            };
            self.screen.write(&text, now);
        }
    }
}

/// A login that reports whether a call is under way, as that of the program does.
mod watched {
    use ringcentral_ws_adapter::watch::reach::LoginCalls;
    use ringcentral_ws_driver::{AccessToken, AuthFailure, CredentialSource, HttpFailure, Jwt, TokenRequest};

    pub(super) struct Watched {
        pub(super) login: Jwt,
        pub(super) calls: LoginCalls,
    }

    impl CredentialSource for Watched {
        fn access_token<'a>(
            &'a self,
            request: TokenRequest<'a>,
        ) -> futures_util::future::BoxFuture<'a, Result<AccessToken, AuthFailure>> {
            Box::pin(async move {
                self.calls.began();
                let result = self.login.access_token(request).await;
                self.calls.ended(&Ok::<_, HttpFailure>(()));
                result
            })
        }
    }
}
