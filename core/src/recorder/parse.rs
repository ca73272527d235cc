//! A recording read back.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

use super::options::{MAX_LIMIT, TITLE};
use super::ring::FORGOTTEN;
use crate::body::Body;
use crate::config::Config;
use crate::filters::Filters;
use crate::input::{
    AccessToken, AuthFailure, AuthFailureKind, CloseInfo, Frame, HttpFailure, Input, OpenFailure, Phase, Unreadable,
};
use crate::session::{Close, RequestOptions};
use crate::time::Timestamp;

/// Largest text read: more than any recorder writes.
const MAX_BYTES: usize = 2 * MAX_LIMIT;

/// A dump of a [`FlightRecorder`](super::FlightRecorder), read.
#[derive(Debug)]
pub struct Recording {
    pub(crate) config: Config,
    pub(crate) keys: usize,
    pub(crate) keep_bodies: bool,
    pub(crate) version: Box<str>,
    pub(crate) entries: Vec<Entry>,
}

/// One line of a recording.
#[derive(Debug)]
pub struct Entry {
    /// Its number in the file, from 1.
    pub line: usize,
    /// What it says, without indentation and time.
    pub text: Box<str>,
    /// What it is.
    pub kind: EntryKind,
}

/// What a line of a recording is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// All that the Session knew at this point; a replay can begin here.
    Checkpoint,
    /// Lines are missing: there was no room for them.
    Forgotten,
    /// An input or a command that was given at this time.
    Input(Timestamp),
    /// What the Session put out, or what a call returned.
    Output,
}

/// A text that is no recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it. Quotes nothing of it.
    pub problem: Box<str>,
}

impl fmt::Display for RecordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.problem)
    }
}

impl std::error::Error for RecordingError {}

impl Recording {
    /// Reads what [`FlightRecorder::dump`](super::FlightRecorder::dump) wrote. Lines that are empty or begin with `#` are left
    /// out.
    ///
    /// # Errors
    ///
    /// [`RecordingError`] names the first line that cannot be understood.
    pub fn parse(text: &str) -> Result<Self, RecordingError> {
        let bad = |line: usize, problem: &str| RecordingError { line, problem: problem.into() };
        if text.len() > MAX_BYTES {
            return Err(bad(1, "the file is too large to be a recording"));
        }
        let mut lines = text.lines().enumerate().map(|(i, line)| (i + 1, line.trim_end()));
        let mut lines = lines.by_ref().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let (_, title) = lines.next().ok_or_else(|| bad(1, "the file is empty"))?;
        match title.strip_prefix(TITLE) {
            Some(" 1") => {}
            Some(_) => return Err(bad(1, "a recording of another format: use the version that wrote it")),
            None => return Err(bad(1, "no recording: it begins with `ringcentral-ws recording 1`")),
        }
        let mut recording =
            Self { config: Config::default(), keys: 0, keep_bodies: false, version: "".into(), entries: Vec::new() };
        for (line, text) in lines {
            recording.line(line, text).map_err(|problem| RecordingError { line, problem })?;
        }
        Ok(recording)
    }

    fn line(&mut self, line: usize, text: &str) -> Result<(), Box<str>> {
        if let Some(output) = text.strip_prefix("  ") {
            self.add(line, output, EntryKind::Output);
            return Ok(());
        }
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        match word {
            "made-by" => self.version = rest.into(),
            "keys" => self.keys = number(rest)?,
            "bodies" => self.keep_bodies = true,
            "config" => self.config = json(rest, "settings")?,
            "checkpoint" => self.add(line, rest, EntryKind::Checkpoint),
            FORGOTTEN => self.add(line, "", EntryKind::Forgotten),
            time => {
                let at = Timestamp::ZERO.after(seconds(time).ok_or("neither a time nor a word of a recording")?);
                // What cannot be given to a Session is found here, not in the middle of a replay.
                Call::parse(rest)?;
                self.add(line, rest, EntryKind::Input(at));
            }
        }
        Ok(())
    }

    fn add(&mut self, line: usize, text: &str, kind: EntryKind) {
        self.entries.push(Entry { line, text: text.into(), kind });
    }

    /// The lines, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The version of this library that made it.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }
}

/// A call of a Session.
#[derive(Debug)]
pub(crate) enum Call {
    Connect,
    Subscribe(Filters),
    Unsubscribe,
    Recover,
    SnapshotStored,
    Close(Close),
    Cancel(u64),
    Request(Box<http::Request<Body>>),
    Input(Box<Input<'static>>),
    Text(u64, Box<str>),
}

type Parsed<T> = Result<T, Box<str>>;

impl Call {
    pub(crate) fn parse(text: &str) -> Parsed<Self> {
        let mut w = Words(text);
        let verb = w.word();
        Ok(match verb {
            "connect" => Self::Connect,
            "subscribe" => Self::Subscribe(json(w.0, "event filters")?),
            "unsubscribe" => Self::Unsubscribe,
            "recover" => Self::Recover,
            "snapshot-stored" => Self::SnapshotStored,
            "close" => Self::Close(if w.flag("revoke") { Close::Revoke } else { Close::Detach }),
            "cancel" => Self::Cancel(w.number()?),
            "request" => Self::Request(Box::new(w.request()?)),
            "text" => Self::Text(w.number()?, w.0.into()),
            "unreadable" => Self::Text(w.number()?, "?".into()),
            _ => Self::Input(Box::new(w.input(verb)?)),
        })
    }
}

/// The words of one line that have not been read yet.
struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    fn word(&mut self) -> &'a str {
        let (word, rest) = self.0.split_once(' ').unwrap_or((self.0, ""));
        self.0 = rest;
        word
    }

    fn number<T: FromStr>(&mut self) -> Parsed<T> {
        number(self.word())
    }

    fn flag(&mut self, flag: &str) -> bool {
        let mut after = Words(self.0);
        let found = after.word() == flag;
        if found {
            *self = after;
        }
        found
    }

    fn value(&mut self, key: &str) -> Option<&'a str> {
        let mut after = Words(self.0);
        let value = after.word().strip_prefix(key)?.strip_prefix('=')?;
        *self = after;
        Some(value)
    }

    fn seconds(&mut self, key: &str) -> Parsed<Option<Duration>> {
        self.value(key).map(|text| seconds(text).ok_or_else(|| "no number of seconds".into())).transpose()
    }

    fn phase(&mut self) -> Parsed<Phase> {
        phase(self.word())
    }

    /// The next JSON value.
    fn json<T: serde::de::DeserializeOwned>(&mut self, what: &str) -> Parsed<T> {
        let mut values = serde_json::Deserializer::from_str(self.0).into_iter::<T>();
        let value = values.next().and_then(Result::ok).ok_or_else(|| format!("no {what}"))?;
        self.0 = self.0.get(values.byte_offset()..).unwrap_or_default().trim_start();
        Ok(value)
    }

    fn message(&mut self) -> Parsed<Box<str>> {
        self.json("message")
    }

    fn input(&mut self, verb: &str) -> Parsed<Input<'static>> {
        let conn = |w: &mut Self| w.number::<u64>().map(crate::ids::ConnId::from);
        Ok(match verb {
            "timeout" => Input::Timeout,
            "unread" => Input::Unread { conn: conn(self)? },
            "resumed" => Input::Resumed,
            "network" => Input::NetworkChanged { online: self.flag("on") },
            "authorized" => {
                let (id, expires_in) = (self.number::<u64>()?.into(), self.seconds("life")?);
                let cached = self.flag("cached");
                let secret = self.json::<String>("token")?.into();
                Input::Authorized { id, token: AccessToken { secret, expires_in, cached } }
            }
            "authorize-failed" => {
                let (id, kind) = (self.number::<u64>()?.into(), self.auth_failure_kind()?);
                let retry_after = self.seconds("retry-after")?;
                let code = self.value("code").map(Into::into);
                let failure = AuthFailure { kind, code, message: self.message()?, retry_after };
                Input::AuthorizeFailed { id, failure }
            }
            "http" => Input::HttpResponse { id: self.number::<u64>()?.into(), response: Box::new(self.response()?) },
            "http-failed" => {
                let (id, phase) = (self.number::<u64>()?.into(), self.phase()?);
                let failure = HttpFailure { phase, not_sent: self.flag("not-sent"), message: self.message()? };
                Input::HttpFailed { id, failure }
            }
            "opened" => Input::Opened { conn: conn(self)? },
            "open-failed" => {
                let (conn, phase) = (conn(self)?, self.phase()?);
                let status = self.value("status").map(number).transpose()?;
                let retry_after = self.seconds("retry-after")?;
                Input::OpenFailed {
                    conn,
                    failure: OpenFailure { phase, status, retry_after, message: self.message()? },
                }
            }
            "binary" => Input::Frame { conn: conn(self)?, frame: Frame::Binary(b"") },
            "control" => Input::Frame { conn: conn(self)?, frame: Frame::Control },
            "unreadable-bytes" => {
                let conn = conn(self)?;
                let what = Unreadable::from_word(self.word()).ok_or("an unknown kind of unreadable bytes")?;
                Input::Frame { conn, frame: Frame::Unreadable(what) }
            }
            "too-large" => Input::Frame { conn: conn(self)?, frame: Frame::TooLarge(self.number()?) },
            "closed" => {
                let (conn, code) = (conn(self)?, self.value("code").map(number).transpose()?);
                Input::Closed { conn, close: CloseInfo { code, reason: self.message()? } }
            }
            "send-blocked" => Input::SendBlocked { conn: conn(self)? },
            "send-ready" => Input::SendReady { conn: conn(self)? },
            _ => return Err("an unknown input".into()),
        })
    }

    fn auth_failure_kind(&mut self) -> Parsed<AuthFailureKind> {
        for (word, kind) in [
            ("permanent", AuthFailureKind::Permanent),
            ("rate-limited", AuthFailureKind::RateLimited),
            ("unavailable", AuthFailureKind::Unavailable),
            ("limited", AuthFailureKind::Limited),
        ] {
            if self.flag(word) {
                return Ok(kind);
            }
        }
        let Some(at) = self.value("network") else { return Ok(AuthFailureKind::Other) };
        let phase = phase(at)?;
        Ok(AuthFailureKind::Network { phase, not_sent: self.flag("not-sent") })
    }

    fn response(&mut self) -> Parsed<http::Response<Bytes>> {
        let mut response = http::Response::new(Bytes::new());
        let status = http::StatusCode::from_u16(self.number()?);
        *response.status_mut() = status.map_err(|_| "no HTTP status")?;
        *response.headers_mut() = self.headers()?;
        *response.body_mut() = Bytes::copy_from_slice(self.0.as_bytes());
        Ok(response)
    }

    fn headers(&mut self) -> Parsed<http::HeaderMap> {
        let mut map = http::HeaderMap::new();
        for (name, value) in self.json::<BTreeMap<String, String>>("headers")? {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| "a bad header name")?;
            map.insert(name, HeaderValue::from_bytes(value.as_bytes()).map_err(|_| "a bad header value")?);
        }
        Ok(map)
    }

    fn request(&mut self) -> Parsed<http::Request<Body>> {
        let mut request = http::Request::new(Body::empty());
        *request.method_mut() = self.word().parse().map_err(|_| "no HTTP method")?;
        let (timeout, repeat_if_safe) = (self.seconds("timeout")?, self.flag("repeat"));
        let over_https = self.flag("https");
        request.extensions_mut().insert(RequestOptions { timeout, repeat_if_safe, over_https });
        *request.uri_mut() = self.json::<String>("path")?.parse().map_err(|_| "a bad path")?;
        *request.headers_mut() = self.headers()?;
        *request.body_mut() = match self.word() {
            "" => Body::empty(),
            "binary" => Body::from(vec![0xff]),
            "json" => Body::from(super::scrub::quoted(self.0)),
            "text" => Body::from(self.0),
            _ => return Err("an unknown kind of body".into()),
        };
        Ok(request)
    }
}

fn phase(word: &str) -> Parsed<Phase> {
    let all = [Phase::Dns, Phase::Tcp, Phase::Tls, Phase::Request, Phase::Response];
    all.into_iter().find(|phase| super::print::phase(*phase) == word).ok_or_else(|| "no phase".into())
}

fn number<T: FromStr>(text: &str) -> Parsed<T> {
    text.parse().map_err(|_| "no number where one is due".into())
}

fn json<T: serde::de::DeserializeOwned>(text: &str, what: &str) -> Parsed<T> {
    serde_json::from_str(text).map_err(|error| format!("bad {what}, column {}", error.column()).into())
}

/// Seconds with at most six decimals.
fn seconds(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 6 {
        return None;
    }
    let micros: u64 = format!("{fraction:0<6}").parse().ok()?;
    Some(Duration::from_secs(whole.parse().ok()?) + Duration::from_micros(micros))
}
