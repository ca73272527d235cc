//! Thousands of logins of one app before one budget, in virtual time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use ringcentral_ws_core::Timestamp;

use super::*;

const MINUTE: u64 = 60_000_000;

/// What the crowd does.
struct Crowd {
    logins: usize,
    ceiling: u32,
    /// Another session's refresh falls due so often, in µs.
    refresh_every: u64,
    /// How long after its time a login comes, in µs.
    lateness: fn(usize) -> u64,
    /// Who goes away after it was asked to wait.
    gives_up: fn(usize) -> bool,
    /// Tries of these never leave the machine before this moment, in µs.
    offline_until: u64,
}

impl Default for Crowd {
    fn default() -> Self {
        Self {
            logins: 2_000,
            ceiling: 60,
            refresh_every: u64::MAX,
            lateness: |_| 0,
            gives_up: |_| false,
            offline_until: 0,
        }
    }
}

/// What came of it.
#[derive(Default)]
struct Outcome {
    /// When each call was allowed, in order: the login, or `None` for a refresh.
    calls: Vec<(u64, Option<usize>)>,
    /// How long each refresh waited.
    refreshes: Vec<u64>,
    questions: usize,
}

impl Outcome {
    /// When the last new login was allowed, in minutes.
    fn minutes(&self) -> f64 {
        let last = self.calls.iter().rev().find(|(_, login)| login.is_some());
        last.map_or(0, |(at, _)| *at) as f64 / MINUTE as f64
    }

    fn logins(&self) -> Vec<usize> {
        self.calls.iter().filter_map(|(_, login)| *login).collect()
    }

    /// The most calls in any rolling minute, ends included.
    fn busiest_minute(&self) -> usize {
        let within =
            |(i, (at, _)): (usize, &(u64, _))| self.calls[i..].iter().take_while(|(t, _)| t - at <= MINUTE).count();
        self.calls.iter().enumerate().map(within).max().unwrap_or(0)
    }

    /// How many places anybody came later than those who began before.
    fn displaced(&self) -> usize {
        self.logins().iter().enumerate().map(|(i, login)| i.abs_diff(*login)).max().unwrap_or(0)
    }
}

impl Crowd {
    fn run(&self) -> Outcome {
        let (budget, limits) = (TokenBudget::new(), LoginLimits::default().app_ceiling(Some(self.ceiling)));
        let server = "https://h.example".parse().unwrap();
        let app = ClientApp { server, client_id: "id".to_owned(), client_secret: None };
        let mut out = Outcome::default();
        // Time, order among equals, login; those beyond the crowd are refreshes.
        let mut due = BinaryHeap::new();
        (0..self.logins).for_each(|login| due.push(Reverse((0, login, login))));
        let (mut turn, mut open) = (self.logins, self.logins);
        let mut began = BTreeMap::new();
        if self.refresh_every < u64::MAX {
            due.push(Reverse((self.refresh_every, turn, turn)));
        }
        while let Some(Reverse((at, _, login))) = due.pop() {
            turn += 1;
            let is_refresh = login >= self.logins;
            let kind = if is_refresh { LoginKind::Refresh } else { LoginKind::New };
            if is_refresh && began.insert(login, at).is_none() && open > 0 {
                due.push(Reverse((at + self.refresh_every, turn, login + 1)));
            }
            let first = *began.entry(login).or_insert(at);
            out.questions += 1;
            let key = LoginKey::new(&app, "test", &login.to_string());
            let (call, now) = (LoginCall::new(&app, key, kind, limits), Timestamp::from_micros(at));
            match budget.acquire(&call, now) {
                Ok(()) if at < self.offline_until => {
                    budget.give_back(&call, now, now);
                    due.push(Reverse((at + 3_000_000, turn, login)));
                }
                Ok(()) => {
                    out.calls.push((at, Some(login).filter(|_| !is_refresh)));
                    if is_refresh { out.refreshes.push(at - first) } else { open -= 1 }
                }
                Err(_) if !is_refresh && (self.gives_up)(login) => open -= 1,
                Err(wait) => {
                    let wait = u64::try_from(wait.retry_after.as_micros()).unwrap();
                    due.push(Reverse((at + wait + (self.lateness)(login + turn), turn, login)));
                }
            }
        }
        out
    }
}

// CLAUSE TOK-9
#[test]
fn two_thousand_logins_take_their_turns() {
    let out = Crowd::default().run();
    assert_eq!(out.logins(), (0..2_000).collect::<Vec<_>>(), "in turn");
    assert_eq!(out.busiest_minute(), 60);
    let minutes = out.minutes();
    assert!((32.0..35.0).contains(&minutes), "2,000 / 60 a minute = 33: {minutes}");
    assert_eq!(out.questions, 60 + 2 * 1_940, "each hears once when to come");
    let mut come = out.calls.iter().skip(60).map(|(at, _)| *at).collect::<Vec<_>>();
    come.dedup();
    assert_eq!(come.len(), 1_940, "no two at the same moment");
}

// CLAUSE TOK-9
#[test]
fn refreshes_go_ahead_and_starve_nobody() {
    // A refresh every 3 s: a third of what the ceiling allows.
    let out = Crowd { refresh_every: 3_000_000, ..Crowd::default() }.run();
    assert_eq!((out.logins().len(), out.busiest_minute()), (2_000, 60));
    let minutes = out.minutes();
    assert!((48.0..53.0).contains(&minutes), "2,000 / 40 a minute = 50: {minutes}");
    assert!(out.refreshes.len() > 900, "{}", out.refreshes.len());
    // At the very beginning the whole minute is used up.
    let longest = out.refreshes.iter().max().unwrap();
    assert!(*longest <= 61_000_001, "{longest}");
    let later = out.refreshes.iter().skip(25).max().unwrap();
    assert!(*later <= 3_000_000, "{later}");
    assert!(out.displaced() <= 60, "{}", out.displaced());
    assert!(out.questions < 2_000 * 10, "{}", out.questions);
}

// CLAUSE TOK-9
#[test]
fn who_comes_late_keeps_its_turn_and_delays_nobody_for_long() {
    // 0 to 20 s late, as the back-off of a session may be.
    let out = Crowd { lateness: |n| (n as u64 * 7_919_317) % 20_000_000, ..Crowd::default() }.run();
    assert_eq!((out.logins().len(), out.busiest_minute() <= 60), (2_000, true));
    assert!(out.minutes() < 42.0, "a quarter more at most: {}", out.minutes());
    assert!(out.displaced() <= 120, "{}", out.displaced());
    // Later than any place is held free.
    let out = Crowd { lateness: |n| (n as u64 * 7_919_317) % 90_000_000, ..Crowd::default() }.run();
    assert_eq!((out.logins().len(), out.busiest_minute() <= 60), (2_000, true));
    assert!(out.minutes() < 50.0, "half as long again at most: {}", out.minutes());
    assert!(out.displaced() <= 300, "{}", out.displaced());
}

// CLAUSE TOK-9
#[test]
fn who_never_comes_back_holds_nobody_up() {
    let out = Crowd { gives_up: |login| login >= 60 && login % 3 == 0, ..Crowd::default() }.run();
    let logins = out.logins();
    assert_eq!((logins.len(), out.busiest_minute() <= 60), (2_000 - 646 - 1, true));
    assert!(logins.is_sorted(), "in turn");
    assert!(out.minutes() < 35.0, "no later than if all had come: {}", out.minutes());
    // A whole stretch of the line goes away.
    let out = Crowd { gives_up: |login| (500..1_500).contains(&login), ..Crowd::default() }.run();
    assert_eq!((out.logins().len(), out.logins().is_sorted()), (1_000, true));
    assert!(out.minutes() < 35.0, "{}", out.minutes());
}

// CLAUSE TOK-2 TOK-9
#[test]
fn a_network_that_is_away_costs_nobody_its_turn() {
    let offline_until = 5 * MINUTE;
    let out = Crowd { offline_until, ..Crowd::default() }.run();
    assert_eq!((out.logins().len(), out.busiest_minute() <= 60), (2_000, true));
    assert!(out.minutes() < 5.0 + 36.0, "{}", out.minutes());
    assert!(out.displaced() <= 300, "{}", out.displaced());
    assert!(Duration::from_micros(out.calls[0].0) < Duration::from_secs(310), "{}", out.calls[0].0);
}

// CLAUSE TOK-9
#[test]
fn ten_thousand_and_more_log_in_at_the_rate_that_is_set() {
    let out = Crowd { logins: 12_000, ceiling: 600, ..Crowd::default() }.run();
    assert_eq!((out.logins().len(), out.busiest_minute()), (12_000, 600));
    let minutes = out.minutes();
    assert!((19.0..24.0).contains(&minutes), "12,000 / 600 a minute = 20: {minutes}");
}
