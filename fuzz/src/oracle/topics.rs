//! What notifications are about, and what came of it in gaps that were filled, in numbers.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;

use ringcentral_ws_core::RecordKind;

/// What a notification is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Topic {
    Sms,
    Voicemail,
    Fax,
    /// The message store: changes of all messages, and the only sign of a pager message.
    Store,
    Calls,
    Presence,
    /// The service has no list of these.
    Contacts,
    /// Posts of team messaging: on some days only.
    Posts,
}

impl Topic {
    /// Those of every day.
    pub(crate) const DAILY: &[Self] =
        &[Self::Sms, Self::Voicemail, Self::Fax, Self::Store, Self::Calls, Self::Presence, Self::Contacts];

    /// All of them.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Self::DAILY.iter().copied().chain([Self::Posts])
    }

    /// What is subscribed to.
    pub(crate) const fn filter(self) -> &'static str {
        match self {
            Self::Sms => "/restapi/v1.0/account/~/extension/~/message-store/instant?type=SMS",
            Self::Voicemail => "/restapi/v1.0/account/~/extension/~/voicemail",
            Self::Fax => "/restapi/v1.0/account/~/extension/~/fax",
            Self::Store => "/restapi/v1.0/account/~/extension/~/message-store",
            Self::Calls => "/restapi/v1.0/account/~/extension/~/telephony/sessions",
            Self::Presence => "/restapi/v1.0/account/~/extension/~/presence",
            Self::Contacts => "/restapi/v1.0/account/~/directory/contacts",
            Self::Posts => "/team-messaging/v1/posts",
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "SMS",
            Self::Voicemail => "voicemail",
            Self::Fax => "fax",
            Self::Store => "pager",
            Self::Calls => "calls",
            Self::Presence => "presence",
            Self::Contacts => "contacts",
            Self::Posts => "posts",
        }
    }

    /// The records that its content comes in; `None`: it cannot be fetched.
    pub(crate) const fn record(self) -> Option<RecordKind> {
        match self {
            Self::Sms | Self::Voicemail | Self::Fax | Self::Store => Some(RecordKind::Message),
            Self::Calls => Some(RecordKind::Call),
            Self::Posts => Some(RecordKind::Post),
            Self::Presence | Self::Contacts => None,
        }
    }

    /// The one that a confirmed filter is for.
    pub(crate) fn of(filter: &str) -> Option<Self> {
        let ends = |topic: &Self| topic.filter().rsplit("/~/").next().is_some_and(|end| filter.ends_with(end));
        // The end of each is the end of no other.
        Self::all().find(ends)
    }
}

/// What came of the notifications of a topic that lay in gaps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TopicCounts {
    /// Never delivered, and inside a gap; or delivered to a process that was killed before it wrote that down.
    pub in_gaps: u64,
    /// Arrived as a record.
    pub filled: u64,
    /// Arrived as a notification after all.
    pub delivered: u64,
    /// Named as missing.
    pub named: u64,
    /// Nobody asked for it any more.
    pub left: u64,
}

/// What came of the gaps of applications that fill them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fills {
    /// Days of sessions whose applications fill gaps.
    pub days: u64,
    /// By topic.
    pub topics: BTreeMap<&'static str, TopicCounts>,
    /// Gaps that were done with, and how many of them completely.
    pub done: [u64; 2],
    /// Records that were handed out.
    pub records: u64,
    /// Of these, such that came again, as `may_repeat` had said.
    pub repeated: u64,
    /// What was missing in gaps that are not complete.
    pub missing: BTreeMap<&'static str, u64>,
    /// Calls by their kind.
    pub calls: BTreeMap<&'static str, u64>,
}

impl AddAssign<&Self> for Fills {
    fn add_assign(&mut self, other: &Self) {
        self.days += other.days;
        for (topic, counts) in &other.topics {
            let mine = self.topics.entry(topic).or_default();
            mine.in_gaps += counts.in_gaps;
            mine.filled += counts.filled;
            mine.delivered += counts.delivered;
            mine.named += counts.named;
            mine.left += counts.left;
        }
        (0..2).for_each(|i| self.done[i] += other.done[i]);
        self.records += other.records;
        self.repeated += other.repeated;
        for (mine, theirs) in [(&mut self.missing, &other.missing), (&mut self.calls, &other.calls)] {
            for (key, count) in theirs {
                *mine.entry(key).or_default() += count;
            }
        }
    }
}

impl fmt::Display for Fills {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [done, complete] = self.done;
        writeln!(f, "filled gaps     {done} in {} session-days, of which {complete} are complete", self.days)?;
        for (word, count) in &self.missing {
            writeln!(f, "  {count:>10}  {word}")?;
        }
        writeln!(f, "records         {}, 0 twice, {} again as may_repeat had said", self.records, self.repeated)?;
        for topic in Topic::all() {
            let TopicCounts { in_gaps, filled, delivered, named, left } =
                self.topics.get(topic.as_str()).copied().unwrap_or_default();
            let name = topic.as_str();
            if topic.record().is_none() {
                writeln!(f, "  {in_gaps:>10}  {name} in gaps, which cannot be filled")?;
                continue;
            }
            write!(f, "  {in_gaps:>10}  {name} in gaps: {filled} filled, {delivered} delivered later, ")?;
            writeln!(f, "{named} named as missing, {left} not subscribed to any more, 0 lost")?;
        }
        writeln!(f, "calls           {}", self.calls.values().sum::<u64>())?;
        self.calls.iter().try_for_each(|(name, count)| writeln!(f, "  {count:>10}  {name}"))
    }
}
