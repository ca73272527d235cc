//! What a frame costs, beside a bare scan of the same text by serde_json in the same run.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ringcentral_ws_benches::{drain, message_store, subscribed};
use ringcentral_ws_core::{Config, Frame, Input, Timestamp, contract};
use serde::de::IgnoredAny;

fn notification(c: &mut Criterion) {
    let mut group = c.benchmark_group("notification");
    let text = message_store(1_000_000_000_000_000_000);
    group.bench_function("scan by serde_json", |b| {
        b.iter(|| serde_json::from_str::<IgnoredAny>(black_box(&text)).is_ok());
    });
    group.bench_function("parse", |b| b.iter(|| contract::is_readable(black_box(&text))));
    let (mut session, conn) = subscribed(Config::default());
    let mut next = 1_000_000_000_000_000_000;
    group.bench_function("input to drained", |b| {
        b.iter_batched(
            || {
                next += 1;
                message_store(next)
            },
            |text| {
                session.handle_input(Input::Frame { conn, frame: Frame::Text(&text) }, Timestamp::ZERO).is_ok()
                    && drain(&mut session) > 0
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn heartbeat(c: &mut Criterion) {
    let (mut session, conn) = subscribed(Config::default());
    let echo = r#"[{"type":"Heartbeat","messageId":"00000000-1"}]"#;
    let mut group = c.benchmark_group("heartbeat");
    group.bench_function("scan by serde_json", |b| {
        b.iter(|| serde_json::from_str::<IgnoredAny>(black_box(echo)).is_ok());
    });
    group.bench_function("echo to drained", |b| {
        b.iter(|| {
            let frame = Frame::Text(black_box(echo));
            session.handle_input(Input::Frame { conn, frame }, Timestamp::ZERO).is_ok() && drain(&mut session) > 0
        });
    });
    group.finish();
}

criterion_group!(benches, notification, heartbeat);
criterion_main!(benches);
