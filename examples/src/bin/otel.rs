//! Spans and metrics by OpenTelemetry, here printed to stdout.
//!
//!     cargo run -p ringcentral-ws-examples --bin otel
//!
//! It needs the credentials in the environment (README.md) and the app permission ReadMessages. To send them elsewhere
//! put the exporters of `opentelemetry-otlp` in place of those of `opentelemetry-stdout`. `RUST_LOG` chooses what is in
//! the spans: `ringcentral_ws::trace` has the table, and nothing of it shows a secret. `OTEL_METRIC_EXPORT_INTERVAL` is
//! the time between two exports of metrics, in milliseconds. Ctrl-C ends it; what is not exported yet is exported then.

use std::error::Error;

use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use ringcentral_ws::{Client, Close, Event, Filter, Notification, Stats};
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::prelude::*;

type Count = fn(&Stats) -> u64;

/// Instruments that read the client whenever they are exported.
fn observe(provider: &SdkMeterProvider, client: &Client) {
    let meter = provider.meter("ringcentral_ws");
    let watched = client.clone();
    let connected = move || u64::from(watched.health().connected);
    meter.u64_observable_gauge("ringcentral_ws.connected").with_callback(move |o| o.observe(connected(), &[])).build();
    let counters: [(_, Count); 4] = [
        ("ringcentral_ws.notifications", |stats| stats.notifications),
        ("ringcentral_ws.gaps", |stats| stats.gaps),
        ("ringcentral_ws.connections", |stats| stats.connections),
        ("ringcentral_ws.recoveries", |stats| stats.recoveries),
    ];
    for (name, count) in counters {
        let watched = client.clone();
        let counter = meter.u64_observable_counter(name);
        counter.with_callback(move |observer| observer.observe(count(&watched.stats()), &[])).build();
    }
}

/// Yours. What it does is in a span of its own.
fn handle(notification: &Notification) {
    let span = tracing::info_span!("handle", uuid = notification.uuid(), event = notification.event());
    let _entered = span.enter();
    tracing::info!(bytes = notification.body().len(), "handled");
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let spans =
        SdkTracerProvider::builder().with_simple_exporter(opentelemetry_stdout::SpanExporter::default()).build();
    let exporter = opentelemetry_stdout::MetricExporter::default();
    let metrics = SdkMeterProvider::builder().with_periodic_exporter(exporter).build();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,ringcentral_ws=debug"));
    let layer = tracing_opentelemetry::layer().with_tracer(spans.tracer("ringcentral_ws"));
    tracing_subscriber::registry().with(filter).with(layer).init();

    let (client, mut events) = Client::from_env()?.filters([Filter::sms()]).start()?;
    observe(&metrics, &client);
    client.close_when(tokio::signal::ctrl_c(), Close::Revoke);
    let mut ended = Ok(());
    while let Some(event) = events.next().await {
        match event {
            Event::Notification(notification) => handle(&notification),
            // They are in the spans too.
            Event::Gap(_) => eprintln!("{event}"),
            Event::Closed { reason } => ended = reason.into_result(),
            _ => {}
        }
    }
    metrics.shutdown()?;
    spans.shutdown()?;
    Ok(ended?)
}
