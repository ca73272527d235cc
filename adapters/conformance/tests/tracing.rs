//! What goes to `tracing`: on every adapter the names, levels and fields that the documentation's table says, and no
//! secret. One test, alone in its process, because the listener is for all of it.

mod harness;

use std::collections::BTreeSet;
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use ringcentral_ws_blocking::{Client, Close};
use ringcentral_ws_conformance::{run, scenarios};
use ringcentral_ws_core::{
    ApiError, Backfilled, Event as SessionEvent, Filters, Gap, GapCause, SubscriptionId, SubscriptionInfo, Timestamp,
    UnixMillis, WaitReason,
};
use ringcentral_ws_driver::trace::Tracer;
use ringcentral_ws_gateway::{Server, ServerConfig};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Their union shows all there is to show, but for what [`rest`] shows.
const SCENARIOS: [&str; 10] = [
    "nothing goes wrong, TLS",
    "REST over the socket",
    "TCP reset",
    "half-open",
    "server restarts",
    "unreadable frame",
    "token refused with 503",
    "wrong secret",
    "detached and continued",
    "the certificate is unknown",
];

/// How every token begins that the server hands out.
const TOKENS: &str = "U0pDMDFQM";

#[derive(Default)]
struct Seen {
    /// Name, target, level and fields, as a row of the table.
    rows: BTreeSet<String>,
    /// Every value of every field.
    values: String,
}

struct Listener {
    seen: Arc<Mutex<Seen>>,
    spans: AtomicU64,
}

struct Values<'a>(&'a mut String);

impl Visit for Values<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = writeln!(self.0, "{field}={value:?}");
    }
}

fn row(name: &str, target: &str, level: &str, fields: &[&str]) -> String {
    format!("{name} {target} {level} {}", fields.join(","))
}

impl Listener {
    fn see(&self, of: &Metadata<'_>, record: impl FnOnce(&mut Values<'_>)) {
        if of.target().starts_with("ringcentral_ws") {
            let fields: Vec<&str> = of.fields().iter().map(|field| field.name()).filter(|n| *n != "message").collect();
            let mut seen = self.seen.lock().unwrap();
            seen.rows.insert(row(of.name(), of.target(), of.level().as_str(), &fields));
            record(&mut Values(&mut seen.values));
        }
    }
}

impl Subscriber for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.see(span.metadata(), |values| span.record(values));
        Id::from_u64(self.spans.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut Values(&mut self.seen.lock().unwrap().values));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.see(event.metadata(), |values| event.record(values));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The rows of the tables in the documentation.
fn documented() -> BTreeSet<String> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../common/src/trace/mod.rs");
    let text = std::fs::read_to_string(file).unwrap();
    let read = |line: &str| {
        let mut columns = line.split('|').map(|column| column.trim().trim_matches('`'));
        let (name, target, level) = (columns.next()?, columns.next()?, columns.next()?);
        Some(row(name, target, level, &columns.next()?.split("`, `").collect::<Vec<_>>()))
    };
    text.lines().filter_map(|line| line.strip_prefix("//! | `")).filter_map(read).collect()
}

/// What no scenario brings on, shown by hand.
fn rest() {
    let mut tracer = Tracer::new(&"https://h.example".parse().unwrap(), false);
    let refusal = http::Response::builder().status(403).body("{\"errorCode\":\"CMN-101\"}").unwrap();
    let error = Box::new(ApiError::from_response(&refusal).unwrap());
    tracer.event(&SessionEvent::SubscriptionFailed { id: SubscriptionId::from(1), error, retry_at: None, delay: None });
    let (at, delay) = (Timestamp::ZERO, std::time::Duration::ZERO);
    tracer.event(&SessionEvent::Waiting { reason: WaitReason::AuthBudget, at, delay });
    let (cause, since, until) = (GapCause::WindowPassed, UnixMillis(1), UnixMillis(2));
    let gap = Gap { certainty: cause.certainty(), cause, after: None, since, until };
    tracer.event(&SessionEvent::Backfill(Box::new(Backfilled::new(gap, Vec::new(), Vec::new()))));
    tracer.event(&SessionEvent::Unsubscribed { id: SubscriptionId::from(1) });
    tracer.event(&SessionEvent::Subscribed(Box::new(SubscriptionInfo {
        id: SubscriptionId::from(1),
        server_id: "s".into(),
        requested: Filters::new(["/a"]).unwrap(),
        filters: vec!["/a".into()],
        disabled: Vec::new(),
        expires_in: None,
        status: Some("Suspended".into()),
        transport: None,
    })));
}

/// A client that subscribes to nothing.
fn without_filters() {
    let server = Server::start(ServerConfig::default()).unwrap();
    let (client, mut events) = Client::from_vars(server.env()).unwrap().start().unwrap();
    while !matches!(events.next().expect("it connects"), SessionEvent::Connected { .. }) {}
    client.close(Close::Revoke);
}

// CLAUSE SEC-1
#[test]
fn all_adapters_report_what_is_documented_and_no_secret() {
    let seen = Arc::new(Mutex::new(Seen::default()));
    tracing::subscriber::set_global_default(Listener { seen: Arc::clone(&seen), spans: AtomicU64::new(0) }).unwrap();
    let documented = documented();
    assert!(documented.len() > 20, "{documented:#?}");
    let all = scenarios::all();
    for harness in harness::all() {
        *seen.lock().unwrap() = Seen::default();
        for name in SCENARIOS {
            let scenario = all.iter().find(|scenario| scenario.name == name).expect(name);
            let _ = run(scenario, &*harness);
        }
        rest();
        without_filters();
        let Seen { rows, values } = std::mem::take(&mut *seen.lock().unwrap());
        let name = harness.name();
        let foreign: Vec<_> = rows.difference(&documented).collect();
        assert!(foreign.is_empty(), "{name} shows what is not documented: {foreign:#?}");
        let missing: Vec<_> = documented.difference(&rows).collect();
        assert!(missing.is_empty(), "{name} does not show: {missing:#?}");
        for secret in ["client-secret", ".jwt", "access_token=", "Bearer ", TOKENS] {
            let line = values.lines().find(|line| line.contains(secret));
            assert!(line.is_none(), "{name} shows a secret: {line:?}");
        }
        assert!(values.contains("line=") && values.contains("uuid="), "{name}: something was looked at");
    }
}
