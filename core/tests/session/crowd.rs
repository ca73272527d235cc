//! Several clients of one user behind one rate limit (TOK-3, SUB-5).

use std::time::Duration;

use ringcentral_ws_core::contract::Checked;
use ringcentral_ws_core::*;

use crate::direct::{DETAILS, Direct, TOKEN, clock, details, echo_of};

/// A rate limit as the service has it: so many calls in a minute, and a minute of refusals after one too many, which each
/// call within it begins anew.
struct Limit {
    calls: usize,
    made: Vec<Timestamp>,
    refuses_until: Timestamp,
}

impl Limit {
    const MINUTE: Duration = Duration::from_secs(60);

    /// One that somebody else has just used up.
    fn used_up(calls: usize) -> Self {
        Self { calls, made: Vec::new(), refuses_until: Timestamp::from_secs(60) }
    }

    fn admits(&mut self, now: Timestamp) -> bool {
        self.made.retain(|made| now < made.after(Self::MINUTE));
        if now < self.refuses_until || self.made.len() >= self.calls {
            self.refuses_until = now.after(Self::MINUTE);
            return false;
        }
        self.made.push(now);
        true
    }
}

/// The server, as far as these clients see it.
struct Server {
    login: Limit,
    auth: Limit,
    medium: Limit,
}

impl Server {
    fn answer(&mut self, s: &mut Direct, outputs: Vec<Output>) {
        let mut left = outputs;
        while !left.is_empty() {
            let mut answered = Vec::new();
            for output in &left {
                let Output::Action(action) = output else { continue };
                answered.extend(match action {
                    Action::Authorize { .. } if self.login.admits(s.now) => s.authorize(),
                    Action::Authorize { .. } => {
                        let failure = AuthFailure::new(AuthFailureKind::RateLimited, "m");
                        s.input(Input::AuthorizeFailed { id: s.login, failure })
                    }
                    Action::Http { .. } if self.auth.admits(s.now) => s.http(200, TOKEN),
                    Action::Http { .. } => s.http(429, ""),
                    Action::Open { .. } => {
                        let mut opened = s.input(Input::Opened { conn: s.conn });
                        opened.extend(s.frame(&details(DETAILS)));
                        opened
                    }
                    Action::Send { purpose: Purpose::Heartbeat, .. } => s.frame(&echo_of(std::slice::from_ref(output))),
                    Action::Send { .. } if self.medium.admits(s.now) => s.reply(200, r#"{"id":"s"}"#),
                    Action::Send { .. } => s.reply(429, r#"{"errorCode":"CMN-301","message":"m"}"#),
                    _ => Vec::new(),
                });
            }
            left = answered;
        }
    }
}

/// When all of these clients, which start one after the other within a minute, are subscribed. Panics if that takes hours.
fn all_subscribed(clients: u64, seed: u64, mut server: Server) -> Timestamp {
    let begin = |n| {
        let mut s = Direct::around(Checked::new(Config::default(), seed * 100 + n, clock()));
        s.now = Timestamp::from_secs(60 / clients * n);
        s.session.subscribe(Filters::new(["/a"]).unwrap(), s.now).unwrap();
        s.session.connect(s.now).unwrap();
        let outputs = s.drain();
        (s, outputs)
    };
    let mut crowd: Vec<_> = (0..clients).map(begin).collect();
    loop {
        let is_active = |s: &Direct| s.session.subscription() == SubscriptionState::Active;
        if let Some(last) = crowd.iter().map(|(s, _)| s.now).max().filter(|_| crowd.iter().all(|(s, _)| is_active(s))) {
            return last;
        }
        let due = |(s, first): &(Direct, Vec<Output>)| match s.wait {
            _ if !first.is_empty() => s.now,
            Wait::Until { at, .. } => at,
            other => panic!("{other:?}"),
        };
        let next = crowd.iter_mut().min_by_key(|one| due(one)).unwrap();
        let (at, (s, first)) = (due(next), next);
        s.now = at;
        assert!(at < Timestamp::from_secs(6 * 3600), "{:?}", s.session.state());
        let outputs = if first.is_empty() { s.input(Input::Timeout) } else { std::mem::take(first) };
        server.answer(s, outputs);
    }
}

// CLAUSE TOK-3 SUB-5
#[test]
fn clients_of_one_user_get_out_of_a_penalty_that_they_share() {
    let free = || Limit { calls: usize::MAX, made: Vec::new(), refuses_until: Timestamp::ZERO };
    for (clients, median, worst) in [(1, 62, 62), (2, 300, 900), (4, 600, 1500)] {
        for limited in ["login", "token call", "subscription"] {
            let limit = |call| if call == limited { Limit::used_up(5) } else { free() };
            let server = || Server { login: limit("login"), auth: limit("token call"), medium: limit("subscription") };
            let mut times: Vec<_> = (0..20).map(|seed| all_subscribed(clients, seed, server())).collect();
            times.sort_unstable();
            let (half, last) = (times[times.len() / 2], times[times.len() - 1]);
            let is_soon = half <= Timestamp::from_secs(median) && last <= Timestamp::from_secs(worst);
            assert!(is_soon, "{clients} clients, {limited}: half of them {half:?}, all {last:?}");
        }
    }
}
