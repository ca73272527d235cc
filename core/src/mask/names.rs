//! Names that stay the same in place of secrets: `***1` is the same secret everywhere.

use std::collections::VecDeque;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};
use url::{Url, form_urlencoded};

use super::by_name::MASK;
use crate::config::Config;
use crate::filters::{FilterError, Filters};
use crate::hosts::HostKind;

/// Most secrets distinguished at a time, and as many ids; the one not seen for longest is forgotten, and gets another name
/// should it come again.
pub(crate) const MAX_NAMES: usize = 128;
/// Longest word of the protocol that is kept.
pub(crate) const MAX_WORD: usize = 64;
/// In place of a host that the settings do not allow.
const REFUSED: &str = "refused.invalid";

/// A digest, and the number of the name.
type Known = VecDeque<([u8; 16], u32)>;

/// Names of secrets. Keeps digests, not the secrets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    /// Tokens, and what a Session keeps. The latest last.
    known: Known,
    /// Ids that come and go, apart, so that many of them cost no token its name.
    ids: Known,
    given: u32,
    /// The server, and the other hosts that the settings name. A host that is none of them may be a secret of its own.
    hosts: Option<(Url, Vec<String>)>,
    /// Bodies of notifications are kept, but for fields that are named like secrets.
    pub(crate) keep_bodies: bool,
}

impl Names {
    /// For a session with these settings.
    pub(crate) fn of(config: &Config) -> Self {
        Self { hosts: Some((config.server.clone(), config.websocket_hosts.clone())), ..Self::default() }
    }

    /// The name of a secret, a name's is itself. Nothing stays nothing.
    pub(crate) fn secret(&mut self, secret: &str) -> String {
        self.name(secret, true)
    }

    /// The same for what a Session only passes on.
    pub(crate) fn id(&mut self, id: &str) -> String {
        self.name(id, false)
    }

    fn name(&mut self, text: &str, lasting: bool) -> String {
        if text.is_empty() || is_name(text) {
            return text.to_owned();
        }
        let mut digest = [0; 16];
        digest.copy_from_slice(&Sha256::digest(text.as_bytes())[..16]);
        let take = |from: &mut Known| {
            let i = from.iter().position(|(known, _)| *known == digest)?;
            from.remove(i)
        };
        let known = take(&mut self.known);
        let lasting = lasting || known.is_some();
        let entry = known.or_else(|| take(&mut self.ids)).unwrap_or_else(|| {
            self.given = self.given.wrapping_add(1);
            (digest, self.given)
        });
        let table = if lasting { &mut self.known } else { &mut self.ids };
        if table.len() >= MAX_NAMES {
            table.pop_front();
        }
        table.push_back(entry);
        format!("{MASK}{}", entry.1)
    }

    /// A path, with or without query: ids in it, and what a query asks for, get names.
    pub(crate) fn path(&mut self, path: &str) -> String {
        self.masked_path(path, false)
    }

    fn masked_path(&mut self, path: &str, lasting: bool) -> String {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let mut masked = String::with_capacity(path.len());
        let mut before = "";
        for (i, segment) in path.split('/').enumerate() {
            if i > 0 {
                masked.push('/');
            }
            let subscription = before == "subscription";
            if subscription || !is_plain(segment) {
                masked.push_str(&self.name(&decoded(segment), lasting || subscription));
            } else {
                masked.push_str(segment);
            }
            before = segment;
        }
        if let Some(query) = query {
            masked.push('?');
            masked.push_str(&self.query(query, lasting));
        }
        masked
    }

    /// A query: the keys remain, and values that are a plain word of the API.
    fn query(&mut self, query: &str, lasting: bool) -> String {
        let mut masked = String::new();
        for (i, (key, value)) in form_urlencoded::parse(query.as_bytes()).enumerate() {
            let key = if key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')) {
                key.into_owned()
            } else {
                self.name(&key, lasting)
            };
            let is_token = matches!(&*key, "access_token" | "wsc");
            let word = matches!(&*key, "type" | "direction" | "direct" | "view" | "messageType")
                && value.bytes().all(|b| b.is_ascii_alphabetic());
            let value = if word { value.into_owned() } else { self.name(&value, lasting || is_token) };
            let _ = write!(masked, "{}{key}={value}", if i > 0 { "&" } else { "" });
        }
        masked
    }

    /// An address: scheme and host remain. Nothing if it is none.
    pub(crate) fn url(&mut self, text: &str) -> Option<String> {
        let url = Url::parse(text).ok()?;
        let Some(mut host) = url.host_str() else { return Some(format!("{}:", url.scheme())) };
        if let (Some((server, listed)), Some(named)) = (&self.hosts, url.host())
            && HostKind::of_host(&named, server, listed).is_none()
        {
            host = REFUSED;
        }
        let port = url.port().map_or(String::new(), |port| format!(":{port}"));
        let query = url.query().map_or(String::new(), |query| format!("?{}", self.query(query, false)));
        Some(format!("{}://{host}{port}{}{query}", url.scheme(), self.path(url.path())))
    }

    /// Filters, each as a path. A Session keeps them.
    pub(crate) fn filters(&mut self, filters: &Filters) -> Result<Filters, FilterError> {
        Filters::new(filters.iter().map(|filter| self.masked_path(filter, true)))
    }
}

/// A code that a server gave, or a mask for what is no plain word.
pub(crate) fn mask_code(text: &str) -> Box<str> {
    // What the reader of errors makes of it.
    let text = text.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '+');
    let word = text.len() <= MAX_WORD && text.chars().all(plain);
    if word { text.into() } else { MASK.into() }
}

/// Whether it is a name given here.
fn is_name(text: &str) -> bool {
    text.strip_prefix(MASK).is_some_and(|n| !n.is_empty() && n.len() <= 10 && n.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether a segment of a path is a word of the API, or a version of it.
fn is_plain(segment: &str) -> bool {
    let version =
        |text: &str| text.strip_prefix('v').is_some_and(|n| n.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.')));
    let word =
        |text: &str| text.len() <= 40 && text.bytes().all(|b| b.is_ascii_alphabetic() || matches!(b, b'-' | b'_'));
    segment == "~" || segment == "*" || word(segment) || version(segment)
}

/// Percent-escapes resolved, so that an id has one name in paths and in messages.
fn decoded(segment: &str) -> String {
    if !segment.contains(['%', '+']) {
        return segment.to_owned();
    }
    let pair = format!("k={}", segment.replace('&', "%26"));
    form_urlencoded::parse(pair.as_bytes()).next().map_or(String::new(), |(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    // CLAUSE SEC-1
    #[test]
    fn one_secret_has_one_name() {
        let mut names = Names::default();
        assert_eq!([names.secret("a"), names.secret("b"), names.secret("a")], ["***1", "***2", "***1"]);
        assert_eq!([names.secret("***7"), names.secret("")], ["***7", ""]);
        assert_eq!(names.secret("***x"), "***3");
        assert_eq!(
            names.path("/restapi/v1.0/account/~/extension/4711/presence?direct=true&phone=%2B1650"),
            "/restapi/v1.0/account/~/extension/***4/presence?direct=true&phone=***5"
        );
        assert_eq!(names.path("/restapi/v1.0/subscription/a%2Fb"), "/restapi/v1.0/subscription/***6");
        assert_eq!(names.secret("a/b"), "***6");
        assert_eq!(names.url("wss://u:p@h.test:1/ws?access_token=a").unwrap(), "wss://h.test:1/ws?access_token=***1");
    }

    #[test]
    fn names_are_bounded() {
        for (others, name) in [(MAX_NAMES - 1, "***1".to_owned()), (MAX_NAMES, format!("***{}", MAX_NAMES + 2))] {
            let mut names = Names::default();
            names.secret("first");
            (0..others).for_each(|i| drop(names.secret(&format!("other {i}"))));
            assert_eq!(names.secret("first"), name);
            assert_eq!(names.known.len(), MAX_NAMES);
        }
    }

    // CLAUSE SEC-1
    #[test]
    fn only_what_looks_wholly_like_a_name_is_one() {
        let mut names = Names::default();
        assert_eq!(names.secret("***1234567890"), "***1234567890");
        for (i, secret) in ["***", "***12345678901", "***1x", "**1"].into_iter().enumerate() {
            assert_eq!(names.secret(secret), format!("***{}", i + 1), "{secret}");
        }
    }

    /// Ids that come and go cost a token no name, nor the id of a subscription.
    #[test]
    fn tokens_and_what_a_session_keeps_outlast_ids() {
        let mut names = Names::default();
        let kept: [fn(&mut Names) -> String; 5] = [
            |names| names.secret("t"),
            |names| names.path("/subscription/s"),
            |names| names.url("wss://h.test/?access_token=a").unwrap(),
            |names| names.url("wss://h.test/?wsc=w").unwrap(),
            |names| names.filters(&Filters::new(["/4711?x=y"]).unwrap()).unwrap().iter().collect(),
        ];
        let before = kept.map(|name| name(&mut names));
        let passing = names.path("/extension/4712?q=v");
        (0..MAX_NAMES).for_each(|i| drop(names.id(&format!("id {i}"))));
        assert_eq!(kept.map(|name| name(&mut names)), before);
        assert_ne!(names.path("/extension/4712?q=v"), passing);
    }

    #[test]
    fn a_masked_path_stays_as_it_is() {
        let mut names = Names::default();
        for path in ["/a/1?b=c&d", "//x%20y/**/***3?***=%3D", "?", "*", "/restapi/v1.0/subscription/s"] {
            let once = names.path(path);
            assert_eq!(names.path(&once), once);
        }
    }
}
