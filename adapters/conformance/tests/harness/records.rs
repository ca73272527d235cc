//! What a program writes that logs everything, and a search for secrets in it.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use data_encoding::BASE64;
use ringcentral_ws_core::Masker;
use ringcentral_ws_driver::trace::LOUD_TARGETS;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Records everything from now on. Once in a process.
pub(crate) fn start() {
    static LOGGER: Logger = Logger;
    log::set_logger(&LOGGER).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    tracing::subscriber::set_global_default(Listener::default()).unwrap();
}

/// What was recorded since the last time.
pub(crate) fn take() -> Seen {
    std::mem::take(&mut *seen())
}

/// By level and target.
pub(crate) type Seen = BTreeMap<(log::Level, String), String>;

static SEEN: Mutex<Seen> = Mutex::new(Seen::new());

fn seen() -> MutexGuard<'static, Seen> {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn see(level: log::Level, target: &str, write: impl FnOnce(&mut String)) {
    // What the stand-in's own crates write on the other side is no business of a client.
    if std::thread::current().name() != Some("gateway") {
        write(seen().entry((level, target.to_owned())).or_default());
    }
}

struct Logger;

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        // Made before the lock is taken: what is shown may log something itself.
        let text = format!("{}\n", record.args());
        see(record.level(), record.target(), |seen| seen.push_str(&text));
    }

    fn flush(&self) {}
}

#[derive(Default)]
struct Listener {
    spans: AtomicU64,
}

struct Values(String);

impl Visit for Values {
    fn record_debug(&mut self, _: &Field, value: &dyn fmt::Debug) {
        let _ = writeln!(self.0, "{value:?}");
    }

    fn record_str(&mut self, _: &Field, value: &str) {
        let _ = writeln!(self.0, "{value}");
    }
}

impl Listener {
    fn see(of: &Metadata<'_>, record: impl FnOnce(&mut Values)) {
        let level = match *of.level() {
            tracing::Level::ERROR => log::Level::Error,
            tracing::Level::WARN => log::Level::Warn,
            tracing::Level::INFO => log::Level::Info,
            tracing::Level::DEBUG => log::Level::Debug,
            _ => log::Level::Trace,
        };
        let mut values = Values(String::new());
        record(&mut values);
        see(level, of.target(), |seen| seen.push_str(&values.0));
    }
}

impl Subscriber for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        Self::see(span.metadata(), |values| span.record(values));
        Id::from_u64(self.spans.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut shown = Values(String::new());
        values.record(&mut shown);
        see(log::Level::Trace, "fields of spans", |seen| seen.push_str(&shown.0));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        Self::see(event.metadata(), |values| event.record(values));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// How a secret is looked for.
pub(crate) struct Search {
    pub(crate) secret: String,
    masker: Masker,
    hex: String,
    base64: Vec<String>,
}

impl Search {
    pub(crate) fn new(secret: &str) -> Self {
        let mut masker = Masker::new();
        masker.learn(secret);
        let hex = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        // Whatever stands before it moves the groups of three; those at the edges have strangers in them.
        let base64 = (0..3).map(|before| {
            let coded = BASE64.encode(&[&b"xxx"[..before], secret.as_bytes()].concat());
            let (start, end) = (if before == 0 { 0 } else { 4 }, (before + secret.len()) / 3 * 4);
            coded[start..end].to_owned()
        });
        Self { secret: secret.to_owned(), masker, hex, base64: base64.collect() }
    }

    /// Whether it is there: as it is, escaped, in base64, in hex digits or decimal numbers however they are separated,
    /// and also when it is spread over several records.
    pub(crate) fn finds(&self, text: &Forms) -> bool {
        text.plain.contains(&self.secret)
            || text.joined.contains(&self.secret)
            || text.hex.contains(&self.hex)
            || self.base64.iter().any(|coded| text.joined.contains(coded) || text.joined_standard.contains(coded))
            || contains(&text.numbers, self.secret.as_bytes())
            || contains(&text.rows, self.secret.as_bytes())
            || self.masker.mask(&text.joined) != text.joined
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// What was written, in the forms that are searched.
pub(crate) struct Forms {
    plain: String,
    /// Without what separates records and words.
    joined: String,
    joined_standard: String,
    /// Hex digits without anything between them.
    hex: String,
    /// Decimal numbers as bytes.
    numbers: Vec<u8>,
    /// The bytes of dumps: pairs of hex digits at the beginning of a line, whatever comes after them.
    rows: Vec<u8>,
}

impl Forms {
    pub(crate) fn of(text: &str) -> Self {
        let joined: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let hex = text.to_ascii_lowercase().replace("0x", "").replace("\\x", "");
        let words = |text: &'_ str| -> Vec<String> {
            let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
            words.map(str::to_owned).collect()
        };
        let pair = |word: &String| {
            let word = word.trim_start_matches("0x");
            (word.len() == 2).then(|| u8::from_str_radix(word, 16).ok()).flatten()
        };
        Self {
            plain: text.to_owned(),
            joined_standard: joined.replace('-', "+").replace('_', "/"),
            joined,
            hex: hex.chars().filter(char::is_ascii_hexdigit).collect(),
            numbers: words(text).iter().map(|word| word.parse().unwrap_or(0)).collect(),
            rows: text.lines().flat_map(|line| words(line).iter().map_while(pair).collect::<Vec<_>>()).collect(),
        }
    }
}

/// The listed target that this one belongs to.
pub(crate) fn is_loud(target: &str) -> Option<&'static str> {
    let below = |loud: &str| target.strip_prefix(loud).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
    LOUD_TARGETS.iter().copied().find(|loud| below(loud))
}
