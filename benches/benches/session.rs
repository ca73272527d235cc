//! What a frame costs, beside a bare scan of the same text by serde_json in the same run.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use ringcentral_ws_benches::outage::Client;
use ringcentral_ws_benches::{drain, heartbeat_of, message_store};
use ringcentral_ws_core::{Config, Frame, Input, contract};
use serde::de::IgnoredAny;

fn notification(c: &mut Criterion) {
    let mut group = c.benchmark_group("notification");
    // More than the session remembers, so that none is a duplicate when its turn comes again.
    let frames: Vec<String> = (0..1024).map(|n| message_store(1_000_000_000_000_000_000 + n)).collect();
    let mut next = 0;
    let mut frame = || {
        next = (next + 1) % frames.len();
        black_box(frames[next].as_str())
    };
    group.bench_function("scan by serde_json", |b| b.iter(|| serde_json::from_str::<IgnoredAny>(frame()).is_ok()));
    group.bench_function("parse", |b| b.iter(|| contract::is_readable(frame())));
    let (mut session, conn, now) = Client::subscribed(Config::default());
    group.bench_function("input to drained", |b| {
        b.iter(|| {
            let frame = Frame::Text(frame());
            session.handle_input(Input::Frame { conn, frame }, now).is_ok() && drain(&mut session) == 2
        });
    });
    group.finish();
}

fn heartbeat(c: &mut Criterion) {
    let (mut session, conn, _) = Client::subscribed(Config::default());
    let (echo, now) = &heartbeat_of(&mut session);
    let mut group = c.benchmark_group("heartbeat");
    group.bench_function("scan by serde_json", |b| {
        b.iter(|| serde_json::from_str::<IgnoredAny>(black_box(echo)).is_ok());
    });
    group.bench_function("echo to drained", |b| {
        b.iter(|| {
            let frame = Frame::Text(black_box(echo));
            session.handle_input(Input::Frame { conn, frame }, *now).is_ok() && drain(&mut session) > 0
        });
    });
    group.finish();
}

criterion_group!(benches, notification, heartbeat);
criterion_main!(benches);
