//! The calls: which path each has, and what its answer brings.
//!
//! The parameters and the groups are those of RingCentral's SDK definitions of 2026-07 (`SyncMessagesParameters`,
//! `SyncUserCallLogParameters`, `SyncInfoMessages`, `ReadGlipPostsNewParameters`, `ListRecentChatsNewParameters` of
//! RingCentral.Net and ringcentral-java) and of the developer guide: "Message Synchronization"
//! (developers.ringcentral.com/guide/messaging/message-store/message-sync) and "Call Log Synchronization"
//! (…/guide/voice/call-log/sync). That messages beyond an answer are asked for with `dateTo` is how RingCentral's own
//! widgets do it (ringcentral-js-widgets, `MessageStore._syncFunction`), and so is the full sync after "Parameter
//! [syncToken] is invalid". That `prevPageToken` goes on is in the guide's samples of team messaging.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use ringcentral_ws_core::{FetchedRecord, RecordKind, Unfilled, UnixMillis};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::budget::CallGroup;
use super::known::Key;
use super::plan::Source;
use super::record::Head;

/// Records of one answer: of the call log and of team messaging the service gives no more.
const RECORDS: usize = 250;
/// Answers in a row that one list is read by.
const MAX_PAGES: u32 = 40;
/// Chats that are read for one gap.
const MAX_CHATS: usize = 250;
/// Calls are found by when they began. Those that were under way when the gap began are no longer than this, or their
/// record comes with an incremental sync only.
const CALL: Duration = Duration::from_secs(3600);
/// The call log goes back 30 days. An hour is left for the clocks and the way: beyond, the service refuses.
const LOG: Duration = Duration::from_secs(30 * 86_400 - 3600);
/// Longest text of the service's that is sent back to it.
pub(super) const MAX_TOKEN: usize = 8192;

/// A call that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// An incremental sync.
    Sync { source: usize, token: String },
    /// A full sync, from the beginning of the gap on.
    Full { source: usize },
    /// Messages that did not fit into an answer, from this time back.
    Older { source: usize, to: UnixMillis, page: u32 },
    /// A list of what is now.
    List { source: usize, page: u32 },
    /// The chats that something happened in.
    Chats,
    /// The posts of a chat, newest first.
    Posts { chat: String, from: Option<String>, page: u32 },
}

/// The stretch of time that is asked for, by the server's clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) from: UnixMillis,
    pub(super) to: UnixMillis,
    /// Now.
    pub(super) now: UnixMillis,
    /// Only a token is wanted: what is from this time on it is to know about.
    pub(super) is_for_token: bool,
}

/// What an answer brought.
#[derive(Debug, Default)]
pub(super) struct Brought {
    pub(super) records: Vec<Brought1>,
    /// What is to be asked next, before all else.
    pub(super) next: Vec<Task>,
    pub(super) token: Option<String>,
    pub(super) unfilled: Vec<Unfilled>,
    /// The server's clock.
    pub(super) server_time: Option<UnixMillis>,
}

/// A record, and what it is known by once it was handed out.
#[derive(Debug)]
pub(super) struct Brought1 {
    pub(super) record: FetchedRecord,
    pub(super) key: Key,
    /// It is another record when it changes: when it did last.
    pub(super) changed: Option<UnixMillis>,
    /// `false`: it is known within this gap only.
    pub(super) is_remembered: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    #[serde(borrow)]
    records: Vec<&'a RawValue>,
    #[serde(default)]
    sync_info: Option<SyncInfo>,
    #[serde(default)]
    paging: Option<Paging>,
    #[serde(default)]
    navigation: Option<Navigation>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SyncInfo {
    sync_token: Option<String>,
    sync_time: Option<String>,
    older_records_exist: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Paging {
    total_pages: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Navigation {
    prev_page_token: Option<String>,
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

impl Task {
    /// What the first calls for a resource are.
    pub(super) fn first(number: usize, source: &Source, token: Option<String>) -> Self {
        match (source, token) {
            (Source::Messages { .. } | Source::CallLog { .. }, Some(token)) => Self::Sync { source: number, token },
            (Source::Messages { .. } | Source::CallLog { .. }, None) => Self::Full { source: number },
            (Source::ActiveCalls { .. } | Source::Presence { .. }, _) => Self::List { source: number, page: 1 },
            (Source::Posts, _) => Self::Chats,
        }
    }

    pub(super) const fn source(&self) -> Option<usize> {
        match self {
            Self::Sync { source, .. }
            | Self::Full { source }
            | Self::Older { source, .. }
            | Self::List { source, .. } => Some(*source),
            Self::Chats | Self::Posts { .. } => None,
        }
    }

    pub(super) fn kind(&self, sources: &[Source]) -> RecordKind {
        self.source().and_then(|source| sources.get(source)).map_or(RecordKind::Post, Source::kind)
    }

    pub(super) fn group(&self, sources: &[Source]) -> CallGroup {
        let Some(source) = self.source().and_then(|source| sources.get(source)) else {
            return if *self == Self::Chats { CallGroup::Light } else { CallGroup::Medium };
        };
        match source {
            Source::Messages { .. } => CallGroup::Light,
            Source::Presence { path } if path.contains("/extension/") => CallGroup::Light,
            Source::Posts => CallGroup::Medium,
            Source::CallLog { .. } | Source::ActiveCalls { .. } | Source::Presence { .. } => CallGroup::Heavy,
        }
    }

    /// The path with its query.
    pub(super) fn path(&self, sources: &[Source], window: Window) -> String {
        let source = self.source().and_then(|source| sources.get(source));
        match (self, source) {
            (Self::Posts { chat, from, .. }, _) => {
                let from = from.as_ref().map_or_else(String::new, |from| format!("&pageToken={}", escaped(from)));
                format!("/team-messaging/v1/chats/{}/posts?recordCount={RECORDS}{from}", escaped(chat))
            }
            (Self::Sync { token, .. }, Some(source)) => {
                format!("{}?syncType=ISync&syncToken={}", sync_path(source), escaped(token))
            }
            (Self::Full { .. }, Some(source @ Source::CallLog { .. })) => {
                let from = window.from.before(CALL).max(window.now.before(LOG));
                format!("{}?syncType=FSync&dateFrom={from}&recordCount={RECORDS}", sync_path(source))
            }
            (Self::Full { .. }, Some(source)) => {
                let (from, narrowed) = (window.from, source.narrowed());
                format!("{}?syncType=FSync&dateFrom={from}&recordCount={RECORDS}{narrowed}", sync_path(source))
            }
            (Self::Older { to, .. }, Some(source)) => {
                let (path, from, narrowed) = (sync_path(source), window.from, source.narrowed());
                // One more than the oldest: it is unknown whether the end is part of it.
                let to = to.after(Duration::from_millis(1));
                format!("{path}?syncType=FSync&dateFrom={from}&dateTo={to}&recordCount={RECORDS}{narrowed}")
            }
            (Self::List { page, .. }, Some(Source::ActiveCalls { base })) => {
                format!("{base}/active-calls?perPage={RECORDS}&page={page}")
            }
            (Self::List { page, .. }, Some(Source::Presence { path })) if group_is_list(path) => {
                let sign = if path.contains('?') { '&' } else { '?' };
                format!("{path}{sign}perPage={RECORDS}&page={page}")
            }
            (Self::List { .. }, Some(Source::Presence { path })) => path.clone(),
            _ => format!("/team-messaging/v1/recent/chats?recordCount={RECORDS}"),
        }
    }

    /// What the answer brings; `None`: it cannot be read. `window` knows the gap by the server's time, if the answer
    /// says that.
    pub(super) fn read(
        &self,
        sources: &[Source],
        window: impl FnOnce(Option<UnixMillis>) -> Window,
        body: &[u8],
    ) -> Option<Brought> {
        let source = self.source().and_then(|source| sources.get(source));
        if let (Self::List { .. }, Some(Source::Presence { path })) = (self, source)
            && !group_is_list(path)
        {
            let one: &RawValue = serde_json::from_slice(body).ok()?;
            let records = one.get().starts_with('{').then(|| of_now(RecordKind::Presence, one.get()))?;
            return Some(Brought { records: vec![records], ..Brought::default() });
        }
        let answer: Answer<'_> = serde_json::from_slice(body).ok()?;
        let server_time = answer.sync_info.as_ref().and_then(|info| info.sync_time.as_deref()?.parse().ok());
        let window = window(server_time);
        let heads: Vec<(Head, &str)> = answer.records.iter().map(|raw| (Head::of(raw.get()), raw.get())).collect();
        let mut brought = Brought { server_time, ..Brought::default() };
        match (self, source) {
            (Self::Chats, _) => chats(&heads, window, &mut brought),
            (Self::Posts { .. }, _) => self.posts(&heads, &answer, window, &mut brought),
            (Self::List { .. }, Some(source)) => self.list(source, &heads, &answer, &mut brought),
            (_, Some(source)) => self.synced(source, &heads, &answer, window, &mut brought),
            _ => {}
        }
        Some(brought)
    }

    fn synced(
        &self,
        source: &Source,
        heads: &[(Head, &str)],
        answer: &Answer<'_>,
        window: Window,
        brought: &mut Brought,
    ) {
        let none = SyncInfo::default();
        let info = answer.sync_info.as_ref().unwrap_or(&none);
        if !matches!(self, Self::Older { .. }) {
            brought.token.clone_from(&info.sync_token);
            brought.token.take_if(|token| token.is_empty() || token.len() > MAX_TOKEN);
        }
        if window.is_for_token {
            return;
        }
        for (head, json) in heads {
            if let Some(with_time) = source.wants(head, window) {
                brought.records.push(Brought1::of(source.kind(), head, json, with_time));
            }
        }
        let oldest = heads.iter().filter_map(|(head, _)| head.created).min();
        let more = info.older_records_exist == Some(true);
        let page = if let Self::Older { page, .. } = self { *page } else { 0 };
        // Messages are listed by the time they were made: only a token finds changes of old ones.
        if source.wants_changes() && (matches!(self, Self::Full { .. }) || more && page == 0) {
            brought.unfilled.push(Unfilled::OldMessageChanges);
        }
        match (source, self) {
            (Source::CallLog { .. }, Self::Full { .. }) => {
                if more || heads.len() >= RECORDS {
                    brought.unfilled.push(Unfilled::Older { what: RecordKind::Call, than: oldest });
                } else if window.from.before(CALL) < window.now.before(LOG) {
                    brought.unfilled.push(Unfilled::Older { what: RecordKind::Call, than: None });
                }
            }
            (Source::Messages { .. }, _) if more => {
                let before = if let Self::Older { to, .. } = self { *to } else { UnixMillis(u64::MAX) };
                match (oldest, self.source()) {
                    // The rest is older than the gap.
                    (Some(oldest), _) if oldest < window.from => {}
                    (Some(to), Some(source)) if to < before && page < MAX_PAGES => {
                        brought.next.push(Self::Older { source, to, page: page + 1 });
                    }
                    _ => brought.unfilled.push(Unfilled::Older { what: RecordKind::Message, than: oldest }),
                }
            }
            _ => {}
        }
    }

    fn list(&self, source: &Source, heads: &[(Head, &str)], answer: &Answer<'_>, brought: &mut Brought) {
        brought.records.extend(heads.iter().map(|(_, json)| of_now(source.kind(), json)));
        let pages = answer.paging.as_ref().and_then(|paging| paging.total_pages).unwrap_or(1);
        if let Self::List { source: number, page } = self
            && *page < pages
        {
            if *page < MAX_PAGES {
                brought.next.push(Self::List { source: *number, page: page + 1 });
            } else {
                brought.unfilled.push(Unfilled::TooMany(source.kind()));
            }
        }
    }

    fn posts(&self, heads: &[(Head, &str)], answer: &Answer<'_>, window: Window, brought: &mut Brought) {
        for (head, json) in heads.iter().filter(|(head, _)| touched(window, head)) {
            brought.records.push(Brought1::of(RecordKind::Post, head, json, true));
        }
        let oldest = heads.iter().filter_map(|(head, _)| head.created).min();
        let Self::Posts { chat, page, from } = self else { return };
        let next = answer.navigation.as_ref().and_then(|navigation| navigation.prev_page_token.clone());
        let Some(next) = next.filter(|next| !next.is_empty() && next.len() <= MAX_TOKEN) else { return };
        if heads.is_empty() || oldest.is_some_and(|oldest| oldest < window.from) {
            return;
        }
        if *page < MAX_PAGES && from.as_ref() != Some(&next) {
            brought.next.push(Self::Posts { chat: chat.clone(), from: Some(next), page: page + 1 });
        } else {
            brought.unfilled.push(Unfilled::Older { what: RecordKind::Post, than: oldest });
        }
    }
}

impl Brought1 {
    fn of(kind: RecordKind, head: &Head, json: &str, with_time: bool) -> Self {
        let changed = head.time().filter(|_| with_time);
        Self { record: record(kind, head, json), key: head.key(kind, json), changed, is_remembered: true }
    }
}

impl Source {
    /// Whether changes of old messages are wanted.
    pub(super) fn wants_changes(&self) -> bool {
        matches!(self, Self::Messages { wants, .. } if wants.iter().any(|want| want.changes))
    }

    /// Whether a record is one that the filters are about, of the time of the gap; and then whether it is another one
    /// when it changes.
    fn wants(&self, head: &Head, window: Window) -> Option<bool> {
        match self {
            Self::Messages { wants, .. } => {
                let mut fitting = wants.iter().filter(|want| want.is_for(head)).peekable();
                fitting.peek()?;
                if fitting.any(|want| want.changes) {
                    return touched(window, head).then_some(true);
                }
                (head.is_alive && covers(window, head.created)).then_some(false)
            }
            Self::CallLog { wants, .. } => {
                let began = head.created.is_none_or(|began| began <= window.to);
                let ended = head.time().is_none_or(|ended| ended >= window.from);
                (began && ended && wants.iter().any(|want| want.is_for(head))).then_some(false)
            }
            _ => Some(false),
        }
    }
}

fn covers(window: Window, time: Option<UnixMillis>) -> bool {
    time.is_none_or(|time| (window.from..=window.to).contains(&time))
}

/// What was there by the end of the gap and changed since its beginning, be it after the end: then it is not known what
/// became of it within.
fn touched(window: Window, head: &Head) -> bool {
    head.time().is_none_or(|time| time >= window.from) && head.created.is_none_or(|created| created <= window.to)
}

fn group_is_list(path: &str) -> bool {
    !path.contains("/extension/")
}

fn sync_path(source: &Source) -> String {
    match source {
        Source::Messages { base, .. } => format!("{base}/message-sync"),
        Source::CallLog { base, .. } => format!("{base}/call-log-sync"),
        _ => String::new(),
    }
}

fn record(kind: RecordKind, head: &Head, json: &str) -> FetchedRecord {
    FetchedRecord::new(kind, head.id.as_deref().unwrap_or_default().into(), head.time(), json.into())
}

/// What is now is handed out for each gap anew.
fn of_now(kind: RecordKind, json: &str) -> Brought1 {
    let head = Head::of(json);
    Brought1 { is_remembered: false, ..Brought1::of(kind, &head, json, false) }
}

/// The list is sorted by the last change, the newest first.
fn chats(heads: &[(Head, &str)], window: Window, brought: &mut Brought) {
    let changed = |head: &Head| head.changed.is_none_or(|changed| changed >= window.from);
    let ids = heads.iter().filter(|(head, _)| changed(head)).filter_map(|(head, _)| head.id.clone());
    let ids: Vec<String> = ids.filter(|id| id.len() <= MAX_TOKEN).take(MAX_CHATS).collect();
    brought.next.extend(ids.into_iter().map(|chat| Task::Posts { chat, from: None, page: 1 }));
    if heads.len() >= RECORDS && heads.last().is_some_and(|(head, _)| changed(head)) {
        let than = heads.last().and_then(|(head, _)| head.changed);
        brought.unfilled.push(Unfilled::Older { what: RecordKind::Post, than });
    }
}
