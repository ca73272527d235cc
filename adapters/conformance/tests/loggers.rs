//! What a program writes that logs everything: no record of any crate shows a secret, but for those of the targets that
//! the documentation says to switch off. One test, alone in its process, because the loggers are for all of it.

mod harness;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ringcentral_ws_conformance::scenarios::Scenario;
use ringcentral_ws_conformance::{Outcome, World, run, scenarios};
use ringcentral_ws_core::{Body, Close, Masker, OverHttps, Via, oauth};
use ringcentral_ws_driver::trace::LOUD_TARGETS;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Between them every kind of call, of frame and of failure.
const SCENARIOS: [&str; 9] = [
    "nothing goes wrong, TLS",
    "REST over the socket",
    "TCP reset, TLS",
    "upgrade refused with 401",
    "token refused with 401",
    "wrong secret",
    "detached and continued",
    "unreadable frame",
    "server says good-bye",
];

/// How every token begins that the server hands out.
const TOKENS: &str = "U0pDMDFQM";
/// What a caller's own query and header say.
const CALLERS: [&str; 2] = ["query-of-the-caller", "header-of-the-caller"];

const FRAMES: &str = "ringcentral_ws::frames";

/// All that was written: by level and target.
static SEEN: Mutex<BTreeMap<(log::Level, String), String>> = Mutex::new(BTreeMap::new());

fn seen() -> MutexGuard<'static, BTreeMap<(log::Level, String), String>> {
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
struct Search {
    secret: String,
    masker: Masker,
    hex: String,
    base64: Vec<String>,
}

impl Search {
    fn new(secret: &str) -> Self {
        let mut masker = Masker::new();
        masker.learn(secret);
        let hex = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        // Whatever stands before it moves the groups of three; those at the edges have strangers in them.
        let base64 = (0..3).map(|before| {
            let coded = oauth::base64(&[&b"xxx"[..before], secret.as_bytes()].concat());
            let (start, end) = (if before == 0 { 0 } else { 4 }, (before + secret.len()) / 3 * 4);
            coded[start..end].to_owned()
        });
        Self { secret: secret.to_owned(), masker, hex, base64: base64.collect() }
    }

    /// Whether it is there: as it is, escaped, in base64, in hex digits or decimal numbers however they are separated,
    /// and also when it is spread over several records.
    fn finds(&self, text: &Forms) -> bool {
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
struct Forms {
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
    fn of(text: &str) -> Self {
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

/// Everything is logged in TLS: calls over HTTPS and over the socket, with a query and a header of the caller's.
fn callers(w: &mut World<'_>) {
    for over_socket in [false, true] {
        w.setup.config.rest_over_websocket = over_socket;
        w.subscribe();
        let path = format!("/restapi/v1.0/account/~?key={}", CALLERS[0]);
        for https in [false, true] {
            let mut request = http::Request::get(&path).header("x-key", CALLERS[1]).body(Body::empty()).unwrap();
            if https {
                request.extensions_mut().insert(OverHttps);
            }
            let via = if over_socket && !https { Via::WebSocket } else { Via::Https };
            assert!(matches!(w.request(request), Outcome::Response(200, _, Some(way)) if way == via));
        }
        w.sms_arrives("one");
        w.close(Close::Revoke);
    }
}

/// Where people read how to log, each target is named with the level that is safe.
fn documented() {
    for file in ["README.md", "adapters/common/src/trace/mod.rs", "adapters/blocking/README.md"] {
        let text = std::fs::read_to_string(format!("{}/../../{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        for target in LOUD_TARGETS {
            assert!(text.contains(&format!("{target}=info")), "{file} does not say {target}=info");
        }
    }
}

fn is_loud(target: &str) -> Option<&'static str> {
    let below = |loud: &str| target.strip_prefix(loud).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
    LOUD_TARGETS.iter().copied().find(|loud| below(loud))
}

#[test]
fn the_search_finds_what_is_hidden() {
    let (secret, search) = ("s3cret/of+some?length", Search::new("s3cret/of+some?length"));
    let bytes = secret.as_bytes();
    let list = |of: fn(&u8) -> String, between: &str| bytes.iter().map(of).collect::<Vec<_>>().join(between);
    let hex = |b: &u8| format!("{b:02x}");
    let dump = bytes.chunks(8).map(|row| format!("{row:02x?} {:?}\n", String::from_utf8_lossy(row)));
    for written in [
        secret.to_owned(),
        format!("{}\n{}", &secret[..7], &secret[7..]),
        list(hex, ""),
        list(hex, " "),
        list(|b| format!("0x{b:02X}"), ", "),
        format!("{bytes:?}"),
        list(u8::to_string, "\n"),
        dump.collect(),
        secret.replace('/', "%2F").replace('+', "%2B"),
        format!("a{}b", oauth::base64(format!("id:{secret}!").as_bytes())),
        oauth::base64(secret.as_bytes()).replace('+', "-").replace('/', "_"),
    ] {
        assert!(search.finds(&Forms::of(&format!("before\n{written}\nafter"))), "{written}");
    }
    assert!(!search.finds(&Forms::of("s3cret of some length 1, 2, 3 [0x01, 0x02]")));
}

// CLAUSE SEC-1 SEC-6
#[test]
fn no_record_of_any_crate_shows_a_secret_but_those_that_are_to_be_switched_off() {
    static LOGGER: Logger = Logger;
    log::set_logger(&LOGGER).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    tracing::subscriber::set_global_default(Listener::default()).unwrap();
    let pair = oauth::base64(b"gateway-client-id:gateway-client-secret");
    let secrets = [TOKENS, "gateway-client-secret", ".user-1.jwt", &pair, CALLERS[0], CALLERS[1]];
    let searches: Vec<Search> = secrets.iter().map(|secret| Search::new(secret)).collect();
    let all = scenarios::all();
    let mut loud = BTreeSet::new();
    for harness in harness::all() {
        seen().clear();
        for name in SCENARIOS {
            let _ = run(all.iter().find(|scenario| scenario.name == name).expect(name), &*harness);
        }
        let _ = run(&Scenario { name: "calls", tls: true, play: callers }, &*harness);
        let seen = std::mem::take(&mut *seen());
        let targets: BTreeSet<_> = seen.keys().map(|(_, target)| target.split("::").next().unwrap()).collect();
        assert!(["rustls", "tungstenite", "ringcentral_ws"].iter().all(|one| targets.contains(one)), "{targets:?}");
        for ((level, target), text) in &seen {
            let text = Forms::of(text);
            // What the application itself says is in its frames: their target is for looking at those.
            let is_said = |search: &Search| target == FRAMES && CALLERS.contains(&&*search.secret);
            let searches = searches.iter().filter(|search| !is_said(search));
            let found: Vec<_> = searches.filter(|search| search.finds(&text)).map(|s| &*s.secret).collect();
            if found.is_empty() {
                continue;
            }
            let known = is_loud(target).filter(|_| *level >= log::Level::Debug);
            assert!(known.is_some(), "{} shows {found:?} by {target} at {level}", harness.name());
            loud.extend(known);
        }
    }
    documented();
    let listed: BTreeSet<_> = LOUD_TARGETS.iter().copied().collect();
    assert_eq!(loud, listed, "what need not be switched off is not listed");
}
