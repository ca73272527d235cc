//! What was fetched after a gap, as values. A session makes none of them: the driver around it fetches.

use std::fmt;

use crate::gap::Gap;
use crate::terminal::escape;
use crate::time::UnixMillis;

/// What could be fetched of a [`Gap`] over REST, and what could not. There is one for each gap, behind its
/// [`Event::Gap`](crate::Event::Gap).
///
/// While more gaps wait than are kept apart, two may be one: then `gap` reaches from the first to the last of them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backfilled {
    /// The stretch of time that was asked for.
    pub gap: Gap,
    /// What was fetched, in the order of the service's times; what has none comes last. Each record comes once: not
    /// again what was delivered as a notification before, and not again what an earlier one brought.
    pub records: Vec<FetchedRecord>,
    /// Everything that the service can still give was fetched. What it cannot give to anybody is in `unfilled` all the
    /// same.
    pub complete: bool,
    /// What is missing, for whatever reason.
    pub unfilled: Vec<Unfilled>,
    /// Some records may have been delivered before: more was delivered since than is remembered.
    pub may_repeat: bool,
}

impl Backfilled {
    /// Without records. It is complete until something that could be fetched is missing.
    #[must_use]
    pub fn new(gap: Gap, records: Vec<FetchedRecord>, unfilled: Vec<Unfilled>) -> Self {
        let complete = unfilled.iter().all(Unfilled::is_lost_for_everybody);
        Self { gap, records, complete, unfilled, may_repeat: false }
    }

    /// The same, of which some records may have been delivered before.
    #[must_use]
    pub fn repeating(self, may_repeat: bool) -> Self {
        Self { may_repeat, ..self }
    }

    /// What the texts in it take, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.records.iter().map(FetchedRecord::bytes).sum()
    }
}

impl fmt::Display for Backfilled {
    /// One line without content, such as `500 records from … to …; not fetched: the states that presence went through`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, plural) = (self.records.len(), if self.records.len() == 1 { "" } else { "s" });
        write!(f, "{count} record{plural} fetched of the time ")?;
        if self.gap.since.0 > 0 {
            write!(f, "from {} ", self.gap.since)?;
        }
        write!(f, "to {}", self.gap.until)?;
        for (i, missing) in self.unfilled.iter().enumerate() {
            let before = if i == 0 { "; not fetched: " } else { "; " };
            write!(f, "{before}{}", escape(&missing.to_string()))?;
        }
        if self.may_repeat { f.write_str("; some may have been delivered before") } else { Ok(()) }
    }
}

/// One record of the service, as it wrote it. `Debug` shows how long it is, and never what it says.
#[derive(Clone, PartialEq, Eq)]
pub struct FetchedRecord {
    kind: RecordKind,
    id: Box<str>,
    time: Option<UnixMillis>,
    json: Box<str>,
}

impl FetchedRecord {
    /// A record: its kind, its id (empty if it has none), when it was changed last by the server's clock, and its JSON.
    #[must_use]
    pub const fn new(kind: RecordKind, id: Box<str>, time: Option<UnixMillis>, json: Box<str>) -> Self {
        Self { kind, id, time, json }
    }

    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> RecordKind {
        self.kind
    }

    /// The service's id of it, whether it was a number or a string; empty if it has none.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// When it was changed last, or else made, by the server's clock.
    #[must_use]
    pub const fn time(&self) -> Option<UnixMillis> {
        self.time
    }

    /// The record as the server wrote it: a JSON object.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.json
    }

    /// Reads the record as a type.
    ///
    /// # Errors
    ///
    /// The JSON does not fit the type.
    pub fn parse<'a, T: serde::Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.json)
    }

    /// What its texts take, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.id.len() + self.json.len()
    }
}

impl fmt::Debug for FetchedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchedRecord")
            .field("kind", &self.kind)
            .field("id", &self.id)
            .field("time", &self.time)
            .field("bytes", &self.json.len())
            .finish()
    }
}

/// What a [`FetchedRecord`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum RecordKind {
    /// A message of the message store: an SMS, a pager message, a voicemail or a fax, new or changed.
    Message,
    /// A call that is over, from the call log.
    Call,
    /// A call that goes on now.
    ActiveCall,
    /// The presence of an extension now.
    Presence,
    /// A post of team messaging.
    Post,
}

impl RecordKind {
    /// A word such as `active_call`, which stays the same between versions.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Call => "call",
            Self::ActiveCall => "active_call",
            Self::Presence => "presence",
            Self::Post => "post",
        }
    }

    const fn plural(self) -> &'static str {
        match self {
            Self::Message => "messages",
            Self::Call => "calls of the log",
            Self::ActiveCall => "the calls going on",
            Self::Presence => "the presence now",
            Self::Post => "team posts",
        }
    }
}

/// Something of a gap that was not fetched. `Display` is a few words for people.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unfilled {
    /// The states that presence went through meanwhile. The service keeps only the last one.
    PresenceTransitions,
    /// The steps of calls: ringing, answered, held. The service keeps calls that are over, and those going on now.
    CallTransitions,
    /// The states that a message went through before the last one.
    MessageStates,
    /// Messages that were deleted before they were asked for.
    DeletedMessages,
    /// Posts that were changed or deleted. The service lists posts by the time they were made.
    PostChanges,
    /// Events of this filter, which the service has no list of.
    NoList(Box<str>),
    /// The service refused, and would again.
    Refused {
        /// What was asked for.
        what: RecordKind,
        /// The HTTP status.
        status: u16,
        /// RingCentral's code.
        code: Option<Box<str>>,
    },
    /// The calls failed too often. Nothing of this kind was fetched, or not all.
    Failed {
        /// What was asked for.
        what: RecordKind,
        /// How many calls failed in a row.
        attempts: u32,
    },
    /// There is more than the service gives: what is older than this is missing.
    Older {
        /// What was asked for.
        what: RecordKind,
        /// The oldest that was fetched, if any.
        than: Option<UnixMillis>,
    },
    /// Changes of messages from before the gap, such as that one was read: those of the gap itself were fetched with
    /// their last state, but no token was there to ask for changes with, or there were more than the service gives.
    OldMessageChanges,
    /// More came than one event holds, or than is asked for: the rest is missing.
    TooMany(RecordKind),
    /// It is unknown when the gap began. What was asked for begins here.
    UnknownBegin(UnixMillis),
}

impl Unfilled {
    /// A word such as `call_transitions`, which stays the same between versions.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::PresenceTransitions => "presence_transitions",
            Self::CallTransitions => "call_transitions",
            Self::MessageStates => "message_states",
            Self::DeletedMessages => "deleted_messages",
            Self::PostChanges => "post_changes",
            Self::NoList(_) => "no_list",
            Self::Refused { .. } => "refused",
            Self::Failed { .. } => "failed",
            Self::Older { .. } => "older",
            Self::OldMessageChanges => "old_message_changes",
            Self::TooMany(_) => "too_many",
            Self::UnknownBegin(_) => "unknown_begin",
        }
    }

    /// Whether the service gives it to nobody, at no time: trying again is of no use, and a backfill is complete
    /// without it.
    #[must_use]
    pub const fn is_lost_for_everybody(&self) -> bool {
        match self {
            Self::PresenceTransitions
            | Self::CallTransitions
            | Self::MessageStates
            | Self::DeletedMessages
            | Self::PostChanges
            | Self::NoList(_) => true,
            Self::Refused { .. }
            | Self::Failed { .. }
            | Self::Older { .. }
            | Self::OldMessageChanges
            | Self::TooMany(_)
            | Self::UnknownBegin(_) => false,
        }
    }
}

impl fmt::Display for Unfilled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PresenceTransitions => f.write_str("the states that presence went through"),
            Self::CallTransitions => f.write_str("the steps of calls"),
            Self::MessageStates => f.write_str("the states that messages went through before the last one"),
            Self::DeletedMessages => f.write_str("messages that were deleted meanwhile"),
            Self::PostChanges => f.write_str("changed and deleted posts"),
            Self::NoList(filter) => write!(f, "events of {filter}, which the service does not list"),
            Self::Refused { what, status, code: Some(code) } => {
                write!(f, "{}: refused with HTTP {status} {code}", what.plural())
            }
            Self::Refused { what, status, code: None } => write!(f, "{}: refused with HTTP {status}", what.plural()),
            Self::Failed { what, attempts } => write!(f, "{}: {attempts} calls in a row failed", what.plural()),
            Self::Older { what, than: Some(than) } => {
                write!(f, "{} older than {than}: there are more than the service gives", what.plural())
            }
            Self::Older { what, than: None } => {
                write!(f, "{}: the gap is older than what the service gives", what.plural())
            }
            Self::OldMessageChanges => f.write_str("changes of messages from before the gap"),
            Self::TooMany(what) => write!(f, "{}: there are more than are fetched for one gap", what.plural()),
            Self::UnknownBegin(from) => write!(f, "what came before {from}: when the gap began is unknown"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gap::GapCause;

    fn gap() -> Gap {
        let cause = GapCause::WindowPassed;
        let (since, until) = (UnixMillis(1_700_000_000_000), UnixMillis(1_700_000_300_000));
        Gap { certainty: cause.certainty(), cause, after: None, since, until }
    }

    #[test]
    fn a_backfill_is_complete_when_nothing_is_missing_that_somebody_could_fetch() {
        let made = |unfilled: &[Unfilled]| Backfilled::new(gap(), Vec::new(), unfilled.to_vec()).complete;
        assert!(made(&[]) && made(&[Unfilled::CallTransitions, Unfilled::NoList("/a".into())]));
        assert!(!made(&[Unfilled::CallTransitions, Unfilled::TooMany(RecordKind::Post)]));
    }

    // CLAUSE SEC-1 SEC-5
    #[test]
    fn it_is_one_line_without_content() {
        let record = FetchedRecord::new(RecordKind::Message, "7".into(), None, r#"{"subject":"hunter2"}"#.into());
        let refused = Unfilled::Refused { what: RecordKind::Call, status: 403, code: Some("CMN-4\u{1b}".into()) };
        let whole = Backfilled::new(gap(), vec![record.clone()], vec![Unfilled::MessageStates, refused]);
        assert_eq!(
            whole.to_string(),
            "1 record fetched of the time from 2023-11-14T22:13:20.000Z to 2023-11-14T22:18:20.000Z; not fetched: the \
             states that messages went through before the last one; calls of the log: refused with HTTP 403 \
             CMN-4\\u{1b}"
        );
        let debug = format!("{record:?}");
        assert!(debug.contains("bytes: 21") && !debug.contains("hunter2"), "{debug}");
        assert!(!format!("{whole:?}").contains("hunter2") && whole.bytes() == 22);
        assert_eq!(record.parse::<serde_json::Value>().unwrap()["subject"], "hunter2");
        assert!(whole.repeating(true).to_string().ends_with("delivered before"));
    }

    #[test]
    fn a_time_without_a_beginning_is_one_until_its_end() {
        let gap = Gap { since: UnixMillis(0), ..gap() };
        let line = Backfilled::new(gap, Vec::new(), Vec::new()).to_string();
        assert_eq!(line, "0 records fetched of the time to 2023-11-14T22:18:20.000Z");
    }

    #[test]
    fn a_record_is_what_it_was_made_of() {
        let time = Some(UnixMillis(7));
        let record = FetchedRecord::new(RecordKind::Call, "8".into(), time, "{}".into());
        assert_eq!((record.kind(), record.id(), record.time(), record.json()), (RecordKind::Call, "8", time, "{}"));
    }

    #[test]
    fn each_kind_has_a_word_of_its_own() {
        use RecordKind::{ActiveCall, Call, Message, Post, Presence};
        let kinds = [Message, Call, ActiveCall, Presence, Post].map(RecordKind::as_str);
        assert_eq!(kinds, ["message", "call", "active_call", "presence", "post"]);
        let unfilled = [
            (Unfilled::CallTransitions, "call_transitions"),
            (Unfilled::NoList("/a".into()), "no_list"),
            (Unfilled::Failed { what: Call, attempts: 3 }, "failed"),
            (Unfilled::TooMany(Post), "too_many"),
        ];
        for (missing, word) in unfilled {
            assert_eq!(missing.as_str(), word);
        }
    }
}
