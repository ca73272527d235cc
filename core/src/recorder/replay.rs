//! A recording given to a Session again.

use std::fmt;

use super::parse::{Call, EntryKind, Recording};
use super::{print, refused};
use crate::config::Config;
use crate::ids::{ConnId, RequestId};
use crate::input::{Frame, Input};
use crate::mask::Names;
use crate::session::{Checkpoint, Session};
use crate::time::Timestamp;

/// What a replay that ended well was made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Inputs and commands given.
    pub inputs: usize,
    /// Outputs compared.
    pub outputs: usize,
    /// Checkpoints compared with the state that the replay had reached by itself.
    pub checkpoints: usize,
    /// Lines that could not be replayed: nothing before them says what the Session knew.
    pub skipped: usize,
}

/// Why a replay ended before the end of the recording.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplayError {
    /// There is no checkpoint in it: all that is left came after one that had to be forgotten.
    NoCheckpoint,
    /// A checkpoint that no Session can be made from.
    BadCheckpoint {
        /// Its line.
        line: usize,
    },
    /// The Session put out something else than was recorded, or it was in another state.
    Differs {
        /// The line.
        line: usize,
        /// What was recorded.
        recorded: Box<str>,
        /// What came now.
        replayed: Box<str>,
    },
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCheckpoint => f.write_str("the recording holds no checkpoint, so nothing can be replayed"),
            Self::BadCheckpoint { line } => write!(f, "line {line}: no session can be made from this checkpoint"),
            Self::Differs { line, recorded, replayed } => {
                write!(f, "line {line} differs\n  recorded {recorded}\n  replayed {replayed}")
            }
        }
    }
}

impl std::error::Error for ReplayError {}

impl Recording {
    /// Gives the inputs to a Session made from the first checkpoint, at the recorded times, and compares each output,
    /// and the state at each further checkpoint. Where lines were forgotten it begins anew at the next checkpoint.
    ///
    /// # Errors
    ///
    /// [`ReplayError`]: the first difference, or why there is nothing to replay.
    pub fn replay(&self) -> Result<Replayed, ReplayError> {
        // What was too large is recorded as such; what is left is smaller than it was.
        let mut config = self.config.clone();
        config.limits.frame_bytes = usize::MAX;
        let mut replay = Replay { session: None, names: Names::of(&config), done: Replayed::default(), returned: None };
        replay.names.keep_bodies = self.keep_bodies;
        let mut began = false;
        for entry in &self.entries {
            let differs = |recorded: &str, replayed: String| {
                Err(ReplayError::Differs { line: entry.line, recorded: recorded.into(), replayed: replayed.into() })
            };
            let mute = matches!(entry.kind, EntryKind::Checkpoint | EntryKind::Input(_));
            if let (Some(returned), true) = (&replay.returned, mute) {
                return differs("(nothing)", returned.clone());
            }
            match entry.kind {
                // What came of the last call may be among what is missing.
                EntryKind::Forgotten => (replay.session, replay.returned) = (None, None),
                EntryKind::Checkpoint => {
                    began = true;
                    if let Some(now) = replay.checkpoint(self.keys)
                        && now != *entry.text
                    {
                        return differs(&entry.text, now);
                    }
                    if !replay.begin(&entry.text, &config) {
                        return Err(ReplayError::BadCheckpoint { line: entry.line });
                    }
                }
                EntryKind::Input(at) => replay.input(&entry.text, at),
                EntryKind::Output => {
                    let Some(now) = replay.output() else {
                        replay.done.skipped += 1;
                        continue;
                    };
                    if now != *entry.text {
                        return differs(&entry.text, now);
                    }
                    replay.done.outputs += 1;
                }
            }
        }
        if began { Ok(replay.done) } else { Err(ReplayError::NoCheckpoint) }
    }
}

struct Replay {
    session: Option<Session>,
    names: Names,
    done: Replayed,
    /// What the last call returned, until it is compared.
    returned: Option<String>,
}

impl Replay {
    /// The state that was reached. Nothing if there is no Session yet.
    fn checkpoint(&mut self, keys: usize) -> Option<String> {
        let checkpoint = Checkpoint::of(self.session.as_ref()?, &mut self.names, keys);
        self.done.checkpoints += 1;
        Some(checkpoint.and_then(|c| serde_json::to_string(&c).ok()).unwrap_or_else(|| "(not at rest)".to_owned()))
    }

    /// Goes on from a checkpoint, unless a Session is there already.
    fn begin(&mut self, json: &str, config: &Config) -> bool {
        if self.session.is_none() {
            let checkpoint = serde_json::from_str::<Checkpoint>(json).ok().filter(Checkpoint::is_sane);
            self.session = checkpoint.map(|checkpoint| checkpoint.into_session(config.clone()));
        }
        self.session.is_some()
    }

    fn input(&mut self, text: &str, at: Timestamp) {
        let (Some(session), Ok(call)) = (&mut self.session, Call::parse(text)) else {
            self.done.skipped += 1;
            return;
        };
        self.done.inputs += 1;
        self.returned = match call {
            Call::Connect => refused::plain(&session.connect(at)),
            Call::Subscribe(filters) => refused::with_id(&session.subscribe(filters, at)),
            Call::Unsubscribe => refused::command(&session.unsubscribe(at)),
            Call::Recover => refused::command(&session.recover(at)),
            Call::SnapshotStored => refused::plain(&session.snapshot_stored(at)),
            Call::Close(mode) => refused::plain(&session.close(mode, at)),
            Call::Cancel(id) => refused::plain(&session.cancel(RequestId::from(id), at)),
            Call::Request(request) => refused::with_id(&session.request(*request, at)),
            Call::Input(input) => refused::plain(&session.handle_input(*input, at)),
            Call::Text(conn, text) => {
                let input = Input::Frame { conn: ConnId::from(conn), frame: Frame::Text(&text) };
                refused::plain(&session.handle_input(input, at))
            }
        };
    }

    fn output(&mut self) -> Option<String> {
        let session = self.session.as_mut()?;
        Some(match self.returned.take() {
            Some(returned) => returned,
            None => print::output(&session.poll_output(), &mut self.names),
        })
    }
}
