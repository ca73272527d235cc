//! Events that are acknowledged by worker threads, over real sockets.

use crate::common;

use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use common::{DEADLINE, builder, subscribed};
use ringcentral_ws_blocking::{Ack, Close, Delivery, Event, IoLimits, Snapshot, TimedOut};
use ringcentral_ws_gateway::{Server, ServerConfig};
use serde_json::json;

const FILTER: &str = "/restapi/v1.0/account/~/extension/~/message-store/instant?type=SMS";

/// The id of the last notification that a snapshot covers.
fn last(snapshot: &Snapshot) -> Option<String> {
    let json: serde_json::Value = serde_json::from_str(&snapshot.to_json()).unwrap();
    json["last"].as_str().map(str::to_owned)
}

fn notify(server: &Server, count: usize) -> Vec<String> {
    let sent = (0..count).map(|n| server.notify(FILTER, &json!({ "n": n }))[0].uuid.to_string());
    sent.collect()
}

// CLAUSE PST-6 PST-7
#[test]
fn worker_threads_acknowledge_in_any_order() {
    let server = Server::start(ServerConfig::default()).unwrap();
    let limits = IoLimits { unacknowledged: 4, event_queue: 4, ..IoLimits::default() };
    let (client, mut events) = builder(&server).limits(limits).acknowledge(true).start().unwrap();
    subscribed(&mut events);
    let sent = notify(&server, 40);
    let (work, done) = channel::<(String, Ack)>();
    let worker = thread::spawn(move || {
        // Each pair in the wrong order.
        while let Ok((_, first)) = done.recv() {
            let (_, second) = done.recv().unwrap();
            second.acknowledge();
            first.acknowledge();
        }
    });
    let mut taken = Vec::new();
    while taken.len() < sent.len() {
        let delivery = events.next_delivery_timeout(DEADLINE).unwrap().unwrap();
        let Delivery { event: Event::Notification(n), ack } = delivery else { continue };
        taken.push(n.uuid().to_owned());
        work.send((n.uuid().to_owned(), ack)).unwrap();
    }
    assert_eq!(taken, sent);
    drop(work);
    worker.join().unwrap();
    assert_eq!(client.snapshot().and_then(|snapshot| last(&snapshot)).as_ref(), sent.last());
    assert_eq!(client.health().unacknowledged, Some(0));
}

// CLAUSE PST-7
#[test]
fn reading_stops_while_nothing_is_acknowledged_and_an_orderly_end_waits_for_the_rest() {
    let server = Server::start(ServerConfig::default()).unwrap();
    let limits = IoLimits { unacknowledged: 2, event_queue: 1, ..IoLimits::default() };
    let (client, mut events) = builder(&server).limits(limits).acknowledge(true).start().unwrap();
    subscribed(&mut events);
    let sent = notify(&server, 30);
    let mut handles = Vec::new();
    // What waits may be taken on top, and then nothing comes.
    let (began, awaited) = (Instant::now(), |handles: &[Ack]| handles.iter().filter(|ack| ack.is_awaited()).count());
    loop {
        match events.next_batch_timeout(1, Duration::from_millis(20)) {
            Ok(batch) => handles.push(batch.unwrap().ack),
            Err(TimedOut) if awaited(&handles) >= 2 && client.health().reading_paused.is_some() => break,
            Err(TimedOut) => assert!(began.elapsed() < DEADLINE, "it never stops: {}", client.health()),
        }
    }
    assert!(awaited(&handles) < 10, "{handles:?}");
    assert!(client.health().to_string().contains("events that are not acknowledged: "), "{}", client.health());
    let kept = handles.pop().unwrap();
    handles.into_iter().for_each(Ack::acknowledge);
    client.close(Close::Detach);
    while let Some(delivery) = events.next_delivery() {
        delivery.acknowledge();
    }
    let snapshot = client.snapshot().unwrap();
    assert!(!snapshot.is_detached(), "one event is not acknowledged");
    let stored = kept.acknowledge_and_take().unwrap();
    assert!(stored.is_detached() && last(&stored).is_some_and(|last| sent.contains(&last)));
}
