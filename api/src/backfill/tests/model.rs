//! A model of the service: what it has, and what it answers.

use std::collections::BTreeMap;

use ringcentral_ws_core::UnixMillis;

/// Records of an answer of `message-sync`, so few that there is always more.
const MOST: usize = 7;
/// What the token is about overlaps by so much.
const OVERLAP: u64 = 5000;

/// A message, a call or a post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) created: u64,
    pub(super) changed: u64,
}

impl Item {
    pub(super) fn json(&self, id: u64) -> String {
        super::changed_sms(id, self.created, self.changed)
    }

    pub(super) fn call(&self, id: u64) -> String {
        let duration = (self.changed - self.created) / 1000;
        format!(r#"{{"id":"{id}","startTime":"{}","duration":{duration}}}"#, super::iso(self.created))
    }

    pub(super) fn post(&self, id: u64) -> String {
        let (created, changed) = (super::iso(self.created), super::iso(self.changed));
        format!(r#"{{"id":"{id}","creationTime":"{created}","lastModifiedTime":"{changed}"}}"#)
    }
}

/// Times are milliseconds after the epoch of the tests, by the server's clock.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) messages: BTreeMap<u64, Item>,
    pub(super) calls: BTreeMap<u64, Item>,
    pub(super) posts: BTreeMap<u64, Item>,
    /// Tokens made before this are not known any more.
    pub(super) tokens_from: u64,
}

/// A status and a body.
pub(super) type Answer = (u16, String);

fn param<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn date(query: &str, name: &str) -> Option<u64> {
    param(query, name).and_then(|text| text.parse::<UnixMillis>().ok()).map(|at| at.0.saturating_sub(super::EPOCH))
}

impl Model {
    pub(super) fn answer(&self, path: &str, now: u64) -> Answer {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        if path.ends_with("/message-sync") {
            self.message_sync(query, now)
        } else if path.ends_with("/call-log-sync") {
            self.call_log_sync(query, now)
        } else if path.ends_with("/active-calls") {
            (200, r#"{"records":[]}"#.to_owned())
        } else if path.ends_with("/recent/chats") {
            let touched = self.posts.values().map(|post| post.changed).max().unwrap_or(0);
            (200, format!(r#"{{"records":[{{"id":"c","lastModifiedTime":"{}"}}]}}"#, super::iso(touched)))
        } else if path.ends_with("/chats/c/posts") {
            self.list_posts(query)
        } else {
            (404, r#"{"errorCode":"CMN-102"}"#.to_owned())
        }
    }

    /// The time that a token was made at and the beginning of its frame, if it is known still.
    fn token(&self, query: &str) -> Option<(u64, u64)> {
        let (made, from) = param(query, "syncToken")?.split_once("%2E")?;
        let made: u64 = made.parse().ok()?;
        (made >= self.tokens_from).then_some((made, from.parse().ok()?))
    }

    fn sync(&self, records: &[String], from: u64, now: u64, more: bool) -> Answer {
        let info =
            format!(r#"{{"syncToken":"{now}.{from}","syncTime":"{}","olderRecordsExist":{more}}}"#, super::iso(now));
        (200, format!(r#"{{"records":[{}],"syncInfo":{info}}}"#, records.join(",")))
    }

    fn refused() -> Answer {
        (400, r#"{"errorCode":"CMN-101","parameterName":"syncToken"}"#.to_owned())
    }

    fn message_sync(&self, query: &str, now: u64) -> Answer {
        let (from, mut found): (u64, Vec<(&u64, &Item)>) = match param(query, "syncType") {
            Some("ISync") => {
                let Some((made, from)) = self.token(query) else { return Self::refused() };
                let found = self
                    .messages
                    .iter()
                    .filter(|(_, one)| one.created >= from && one.changed + OVERLAP >= made && one.created <= now);
                (from, found.collect())
            }
            _ => {
                let (from, to) = (date(query, "dateFrom").unwrap_or(0), date(query, "dateTo").unwrap_or(now));
                (from, self.messages.iter().filter(|(_, one)| (from..=to).contains(&one.created)).collect())
            }
        };
        found.sort_by_key(|(id, one)| std::cmp::Reverse((one.created, **id)));
        let more = found.len() > MOST;
        let records: Vec<String> = found.iter().take(MOST).map(|(id, one)| one.json(**id)).collect();
        self.sync(&records, from, now, more)
    }

    fn call_log_sync(&self, query: &str, now: u64) -> Answer {
        let over = self.calls.iter().filter(|(_, one)| one.changed <= now);
        let (from, mut found): (u64, Vec<(&u64, &Item)>) = match param(query, "syncType") {
            Some("ISync") => {
                let Some((made, from)) = self.token(query) else { return Self::refused() };
                let found: Vec<_> = over.filter(|(_, one)| one.changed + OVERLAP >= made).collect();
                if found.len() > 250 {
                    return Self::refused();
                }
                (from, found)
            }
            _ => {
                let from = date(query, "dateFrom").unwrap_or(0);
                (from, over.filter(|(_, one)| one.created >= from).collect())
            }
        };
        found.sort_by_key(|(id, one)| std::cmp::Reverse((one.created, **id)));
        let records: Vec<String> = found.iter().take(250).map(|(id, one)| one.call(**id)).collect();
        self.sync(&records, from, now, false)
    }

    fn list_posts(&self, query: &str) -> Answer {
        let skip: usize = param(query, "pageToken").and_then(|token| token.parse().ok()).unwrap_or(0);
        let newest_first: Vec<_> = self.posts.iter().rev().collect();
        let page: Vec<String> = newest_first.iter().skip(skip).take(MOST).map(|(id, one)| one.post(**id)).collect();
        let next = if skip + MOST < newest_first.len() {
            format!(r#","navigation":{{"prevPageToken":"{}"}}"#, skip + MOST)
        } else {
            String::new()
        };
        (200, format!(r#"{{"records":[{}]{next}}}"#, page.join(",")))
    }
}
