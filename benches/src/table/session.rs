//! The Session alone, beside what any client has to do with the same texts.

use std::hint::black_box;

use ringcentral_ws_core::{Body, Config, Frame, Input, Session, Timestamp};
use serde::de::IgnoredAny;

use super::{Meter, Samples, ratio};
use crate::loopback::notification;
use crate::outage::Client;
use crate::raw::Work;
use crate::{drain, heartbeat_of};

const ROUNDS: usize = 20_000;
/// Heartbeats of one session: with many more it would be a day old, and replace its connection.
const HEARTBEATS: usize = 1_000;

fn settings() -> Config {
    let mut config = Config { rest_over_websocket: true, ..Config::default() };
    config.limits.queued_requests = 20_000;
    config
}

fn request(session: &mut Session, now: Timestamp) {
    let request = http::Request::get("/restapi/v1.0/account/~").body(Body::empty()).expect("a good request");
    session.request(request, now).expect("accepted");
}

/// Prints a row for each.
pub fn print(turns: usize) {
    for pending in [0, 100, 10_000] {
        notifications(turns, pending);
    }
    heartbeats(turns);
    snapshots(turns);
}

fn row(what: &str, turns: usize, mut floor: impl FnMut(), mut ours: impl FnMut(), rounds: usize) {
    let (mut below, mut above) = (Samples::default(), Samples::default());
    for _ in 0..turns {
        let meter = Meter::start();
        floor();
        below.push(meter.each(rounds));
        let meter = Meter::start();
        ours();
        above.push(meter.each(rounds));
    }
    println!("| {what} | {:.0} | {:.0} | {} |", below.cpu(), above.cpu(), ratio(above.beside(&below)));
}

fn notifications(turns: usize, pending: usize) {
    let (mut session, conn, now) = Client::subscribed(settings());
    for _ in 0..pending {
        request(&mut session, now);
        drain(&mut session);
    }
    let frames: Vec<String> = (0..1024).map(|n| notification(1_000_000_000_000_000_000 + n, 600)).collect();
    let floor = || {
        frames.iter().cycle().take(ROUNDS).for_each(|text| {
            black_box(Work::Parse.on(text));
        })
    };
    let ours = || {
        for text in frames.iter().cycle().take(ROUNDS) {
            session.handle_input(Input::Frame { conn, frame: Frame::Text(text) }, now).expect("drained");
            drain(&mut session);
        }
    };
    let what = format!("a notification of 600 B, {pending} requests pending, beside a parse");
    row(&what, turns, floor, ours, ROUNDS);
}

fn heartbeats(turns: usize) {
    let (fresh, conn, _) = Client::subscribed(settings());
    let (sample, _) = heartbeat_of(&mut fresh.clone());
    let floor = || {
        for n in 0..ROUNDS {
            black_box(sample.replace("messageId", &n.to_string()));
            black_box(serde_json::from_str::<IgnoredAny>(black_box(&sample)).is_ok());
        }
    };
    let ours = || {
        for _ in 0..ROUNDS / HEARTBEATS {
            let mut session = fresh.clone();
            for _ in 0..HEARTBEATS {
                let (echo, now) = heartbeat_of(&mut session);
                session.handle_input(Input::Frame { conn, frame: Frame::Text(&echo) }, now).expect("drained");
                drain(&mut session);
            }
        }
    };
    row("a heartbeat and its echo, beside a copy and a scan", turns, floor, ours, ROUNDS);
}

fn snapshots(turns: usize) {
    let (mut session, conn, now) = Client::subscribed(settings());
    for n in 0..300 {
        let text = notification(1_000_000_000_000_000_000 + n, 600);
        session.handle_input(Input::Frame { conn, frame: Frame::Text(&text) }, now).expect("drained");
        drain(&mut session);
    }
    let made = session.snapshot().expect("drained");
    let floor = || (0..ROUNDS).for_each(|_| drop(black_box(made.clone())));
    let ours = || (0..ROUNDS).for_each(|_| drop(black_box(session.snapshot())));
    row("a snapshot, beside a copy of one", turns, floor, ours, ROUNDS);
}
