//! Every transcript with a flight recorder: the session is the same, what was recorded holds no secret, can be read
//! and replayed to the last output. Of some, the text of the recording is compared with `tests/recordings/*.txt`;
//! `UPDATE_TRANSCRIPTS=1 cargo test` writes it anew.

mod support;

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

use ringcentral_ws_core::recorder::{Options, Recorded, Recording, Replayed};
use ringcentral_ws_core::*;

thread_local! {
    static DUMPS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// A session with a recorder. Its dump stays when it goes.
struct Checked(Recorded);

impl Drop for Checked {
    fn drop(&mut self) {
        if let Some(recorder) = self.0.recorder() {
            DUMPS.with_borrow_mut(|dumps| dumps.push(recorder.dump()));
        }
    }
}

const WHOLE: Options = Options { limit: 16 << 20, keep_bodies: false };

#[expect(clippy::result_large_err, reason = "as the session's own")]
impl Checked {
    fn new(config: Config, seed: u64, clock: ClockReading) -> Self {
        Self(Recorded::new(Session::new(config, seed, clock), WHOLE))
    }

    fn restore(config: Config, snapshot: Snapshot, seed: u64, clock: ClockReading) -> Result<Self, RestoreError> {
        Session::restore(config, snapshot, seed, clock).map(|session| Self(Recorded::maybe(session, Some(WHOLE))))
    }

    fn handle_input(&mut self, input: Input<'_>, now: Timestamp) -> Result<(), NotDrained> {
        self.0.handle_input(input, now)
    }

    fn connect(&mut self, now: Timestamp) -> Result<(), NotDrained> {
        self.0.connect(now)
    }

    fn subscribe(&mut self, filters: Filters, now: Timestamp) -> Result<SubscriptionId, CommandError<Filters>> {
        self.0.subscribe(filters, now)
    }

    fn unsubscribe(&mut self, now: Timestamp) -> Result<(), CommandError<()>> {
        self.0.unsubscribe(now)
    }

    fn request(
        &mut self,
        request: http::Request<Body>,
        now: Timestamp,
    ) -> Result<RequestId, CommandError<http::Request<Body>>> {
        self.0.request(request, now)
    }

    fn cancel(&mut self, id: RequestId, now: Timestamp) -> Result<(), NotDrained> {
        self.0.cancel(id, now)
    }

    fn recover(&mut self, now: Timestamp) -> Result<(), CommandError<()>> {
        self.0.recover(now)
    }

    fn snapshot_stored(&mut self, now: Timestamp) -> Result<(), NotDrained> {
        self.0.snapshot_stored(now)
    }

    fn close(&mut self, mode: Close, now: Timestamp) -> Result<(), NotDrained> {
        self.0.close(mode, now)
    }

    fn poll_output(&mut self) -> Output {
        self.0.poll_output()
    }

    fn snapshot(&self) -> Option<Snapshot> {
        assert_eq!(self.0.snapshot(), self.0.session().snapshot());
        self.0.snapshot()
    }

    fn state(&self) -> SessionState {
        self.0.state()
    }

    fn stats(&self) -> Stats {
        self.0.stats()
    }
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// What each process of the transcript recorded.
fn recorded(script: &str) -> Vec<String> {
    DUMPS.take();
    assert_eq!(support::Rig::run(script), script);
    DUMPS.take().into_iter().filter(|dump| dump.contains("\n  ")).collect()
}

// CLAUSE SEC-1 C10
#[test]
fn each_transcript_is_recorded_without_secrets_and_replayed_to_its_last_output() {
    let mut found = Vec::new();
    support::files(&folder("transcripts"), &mut found);
    let mut all = Replayed::default();
    for path in &found {
        let name = path.display();
        for dump in recorded(&fs::read_to_string(path).unwrap()) {
            for secret in ["ws-token", "wsc-1", " \"access\"", ":\"access\"", "sub-1"] {
                assert!(!dump.contains(secret), "{name}: {secret}\n{dump}");
            }
            let recording = Recording::parse(&dump).unwrap_or_else(|e| panic!("{name}: {e}\n{dump}"));
            assert_eq!((recording.version(), recording.entries().len()), (env!("CARGO_PKG_VERSION"), lines(&dump)));
            let done = recording.replay().unwrap_or_else(|e| panic!("{name}: {e}\n{dump}"));
            assert_eq!((done.skipped, done.inputs + done.outputs + 1), (0, lines(&dump)), "{name}\n{dump}");
            all.inputs += done.inputs;
            all.outputs += done.outputs;
        }
    }
    assert!(found.len() > 300 && all.inputs > 2_000 && all.outputs > 5_000, "{} {all:?}", found.len());
}

/// How many there are after the header.
fn lines(dump: &str) -> usize {
    dump.lines().skip_while(|line| !line.starts_with("checkpoint")).count()
}

/// The text that people read and other versions must be able to distinguish.
#[test]
fn recordings_look_as_they_did() {
    let mut found = Vec::new();
    support::files(&folder("recordings"), &mut found);
    assert!(found.len() > 5);
    for path in found {
        let name = path.file_stem().unwrap().to_string_lossy().replacen('-', "/", 1);
        let script = fs::read_to_string(folder("transcripts").join(format!("{name}.txt"))).unwrap();
        let dumps = recorded(&script).concat();
        let shown = |line: &str| if line.starts_with("checkpoint") { "checkpoint".to_owned() } else { line.to_owned() };
        let text: String = dumps.lines().map(|line| shown(line) + "\n").collect();
        if std::env::var_os("UPDATE_TRANSCRIPTS").is_some() {
            fs::write(&path, &text).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "{name}");
    }
}
