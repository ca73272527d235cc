//! The words of a line: what the server, the network and the application say.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use ringcentral_ws_core::*;

/// Words and `key=value` pairs of one line.
pub struct Words {
    raw: String,
    words: VecDeque<String>,
}

/// `12.5` is absolute, `+0.5` counts from the line before, both in seconds.
pub fn time(text: &str, before: Timestamp) -> Option<Timestamp> {
    let relative = text.strip_prefix('+');
    let seconds = duration(relative.unwrap_or(text))?;
    Some(if relative.is_some() { before.after(seconds) } else { Timestamp::ZERO.after(seconds) })
}

fn duration(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let micros: u64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    Some(Duration::from_secs(whole.parse().ok()?) + Duration::from_micros(micros))
}

pub fn access() -> AccessToken {
    AccessToken { secret: "access".into(), expires_in: None, cached: false }
}

pub fn message_id(text: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    value[0]["messageId"].as_str().unwrap().to_owned()
}

pub fn heartbeat(id: &str) -> String {
    format!(r#"[{{"type":"Heartbeat","messageId":"{id}"}}]"#)
}

fn error_body(code: &str) -> String {
    format!(r#"{{"errorCode":"{code}","message":"{code} happened","errors":[{{"errorCode":"{code}","message":"m"}}]}}"#)
}

impl Words {
    pub fn new(text: &str) -> Self {
        Self { raw: text.to_owned(), words: text.split(' ').filter(|w| !w.is_empty()).map(str::to_owned).collect() }
    }

    pub fn next(&mut self) -> Option<String> {
        let i = self.words.iter().position(|w| !w.contains('='))?;
        self.words.remove(i)
    }

    pub fn value(&mut self, key: &str) -> Option<String> {
        let i = self.words.iter().position(|w| w.split_once('=').is_some_and(|(k, _)| k == key))?;
        Some(self.words.remove(i)?.split_once('=')?.1.to_owned())
    }

    pub fn flag(&mut self, word: &str) -> bool {
        let i = self.words.iter().position(|w| w == word);
        i.and_then(|i| self.words.remove(i)).is_some()
    }

    pub fn number(&mut self) -> u64 {
        self.next().unwrap().parse().unwrap()
    }

    pub fn duration(&mut self, key: &str) -> Option<Duration> {
        self.value(key).map(|text| duration(&text).unwrap())
    }

    fn count(&mut self, key: &str, default: &str) -> String {
        self.value(key).unwrap_or_else(|| default.to_owned())
    }

    /// The words that are left.
    pub fn rest(&mut self) -> Vec<String> {
        std::mem::take(&mut self.words).into()
    }

    /// Everything after the verb.
    pub fn raw(&self) -> String {
        self.raw.split_once(' ').map_or("", |(_, rest)| rest).to_owned()
    }

    pub fn configure(&mut self, config: &mut Config, line: &str) {
        for word in self.rest() {
            let (key, value) = word.split_once('=').unwrap_or((&word, ""));
            let n = || value.parse::<usize>().unwrap();
            match key {
                "server" => config.server = value.parse().unwrap(),
                "https-only" => config.rest_over_websocket = false,
                "manual" => config.auto_recover = false,
                "insecure" => config.allow_insecure = true,
                "host" => config.websocket_hosts.push(value.to_owned()),
                "queued_requests" => config.limits.queued_requests = n(),
                "active_requests" => config.limits.active_requests = n(),
                "held_notifications" => config.limits.held_notifications = n(),
                "bad_frames" => config.limits.bad_frames = n(),
                "frame_bytes" => config.limits.frame_bytes = n(),
                "recovery_buffer" => config.limits.recovery_buffer = n(),
                "headers" => config.limits.headers = n(),
                "token_calls" => config.retry.auth_calls_per_minute = n(),
                "attempts" => config.retry.attempts_per_minute = n(),
                _ => panic!("`{line}`: {key} is no setting"),
            }
        }
    }

    pub fn auth_failure(&mut self) -> AuthFailure {
        let kinds = [
            ("permanent", AuthFailureKind::Permanent),
            ("rate-limited", AuthFailureKind::RateLimited),
            ("limited", AuthFailureKind::Limited),
            ("unavailable", AuthFailureKind::Unavailable),
            ("no-route", AuthFailureKind::Network { phase: Phase::Tcp, not_sent: true }),
            ("no-answer", AuthFailureKind::Network { phase: Phase::Response, not_sent: false }),
        ];
        let kind = kinds.into_iter().find(|(word, _)| self.flag(word)).map_or(AuthFailureKind::Other, |(_, kind)| kind);
        AuthFailure {
            kind,
            retry_after: self.duration("retry-after"),
            code: self.next().map(Into::into),
            message: "no login".into(),
        }
    }

    pub fn token(&mut self) -> http::Response<Bytes> {
        let uri = self.count("uri", "wss://ws.ringcentral.com/ws");
        let life = self.count("life", "600");
        let text = format!(r#"{{"ws_access_token":"ws-token","uri":"{uri}","expires_in":{life}}}"#);
        http::Response::new(Bytes::from(text))
    }

    pub fn response(&mut self) -> http::Response<Bytes> {
        let mut builder = http::Response::builder();
        if let Some(after) = self.value("retry-after") {
            builder = builder.header("retry-after", after.replace('_', " "));
        }
        let status: u16 = self.number().try_into().unwrap();
        let body = match self.value("body") {
            Some(body) => body,
            None => self.next().map(|code| error_body(&code)).unwrap_or_default(),
        };
        builder.status(status).body(Bytes::from(body)).unwrap()
    }

    fn phase(&mut self) -> Phase {
        match self.next().as_deref() {
            Some("dns") => Phase::Dns,
            Some("tcp") => Phase::Tcp,
            Some("tls") => Phase::Tls,
            Some("request") => Phase::Request,
            Some("response") => Phase::Response,
            other => panic!("{other:?} is no phase"),
        }
    }

    pub fn http_failure(&mut self) -> HttpFailure {
        let not_sent = self.flag("not-sent");
        HttpFailure { not_sent, phase: self.phase(), message: "broken".into() }
    }

    pub fn open_failure(&mut self) -> OpenFailure {
        let status = self.value("status").map(|s| s.parse().unwrap());
        let retry_after = self.duration("retry-after");
        OpenFailure { phase: self.phase(), status, retry_after, message: "broken".into() }
    }

    pub fn details(&mut self) -> String {
        let wsc = match &*self.count("wsc", "wsc-1/1") {
            "none" => String::new(),
            wsc => {
                let (token, sequence) = wsc.split_once('/').unwrap();
                format!(r#","wsc":{{"token":"{token}","sequence":{sequence}}}"#)
            }
        };
        let recovery = match (self.flag("recovered"), self.value("failed")) {
            (true, _) => r#""recoveryState":"Successful","#.to_owned(),
            (_, Some(code)) => format!(r#""recoveryState":"Failed","recoveryErrorCode":"{code}","#),
            _ => String::new(),
        };
        let (buffer, timeout) = (self.count("buffer", "100"), self.count("timeout", "180"));
        let (absolute, active) = (self.count("absolute", "86400"), self.count("active", "10"));
        let meta = format!(r#"[{{"type":"ConnectionDetails","messageId":"m","status":200{wsc}}}"#);
        if self.flag("bare") {
            return meta + "]";
        }
        format!(
            r#"{meta},{{{recovery}"recoveryBufferSize":{buffer},"recoveryTimeout":{timeout},"idleTimeout":1800,"absoluteTimeout":{absolute},"maxActiveRequests":{active}}}]"#
        )
    }

    /// `notify 7`, `notify 1..5`; `sub=none` leaves the subscription id out, `wsc=T/N` adds a recovery token.
    pub fn notifications(&mut self) -> Vec<String> {
        let sub = match &*self.count("sub", "sub-1") {
            "none" => String::new(),
            sub => format!(r#""subscriptionId":"{sub}","#),
        };
        let wsc = self.value("wsc").map(|wsc| {
            let (token, sequence) = wsc.split_once('/').unwrap();
            format!(r#","wsc":{{"token":"{token}","sequence":{sequence}}}"#)
        });
        let wsc = wsc.unwrap_or_default();
        let range = self.next().unwrap();
        let (first, last) = range.split_once("..").unwrap_or((&range, &range));
        let one = |n: u32| {
            format!(
                r#"[{{"type":"ServerNotification","messageId":"{n}","status":200{wsc}}},{{"uuid":"{n}","event":"/e",{sub}"body":{{}}}}]"#
            )
        };
        (first.parse().unwrap()..=last.parse().unwrap()).map(one).collect()
    }

    /// A good answer to the last subscription call; `disabled=FILTER` makes it a partial one.
    pub fn subscribed(&mut self, message: &str) -> String {
        let disabled = self.value("disabled").map(|filter| {
            format!(r#","disabledFilters":[{{"filter":"{filter}","reason":"WithoutPermission","message":"no"}}]"#)
        });
        let disabled = disabled.unwrap_or_default();
        let id = self.next().unwrap_or_else(|| "sub-1".into());
        format!(
            r#"[{{"type":"ClientRequest","messageId":"{message}","status":200}},{{"id":"{id}","eventFilters":["/e"],"expiresIn":86399{disabled}}}]"#
        )
    }

    /// An answer with a status, and an error code or `body=…`.
    pub fn reply(&mut self, message: &str) -> String {
        let retry = self.value("retry-after").map(|s| format!(r#","headers":{{"Retry-After":"{s}"}}"#));
        let retry = retry.unwrap_or_default();
        let status = self.number();
        let body = match self.value("body") {
            Some(body) => format!(",{body}"),
            None => self.next().map(|code| format!(",{}", error_body(&code))).unwrap_or_default(),
        };
        format!(r#"[{{"type":"ClientRequest","messageId":"{message}","status":{status}{retry}}}{body}]"#)
    }

    pub fn error(&mut self, message: &str) -> String {
        let id = if self.flag("mine") { message } else { "nobody" };
        let code = self.next().unwrap();
        format!(r#"[{{"type":"Error","messageId":"{id}","status":400}},{}]"#, error_body(&code))
    }

    pub fn request(mut self) -> http::Request<Body> {
        let (timeout, repeat_if_safe) = (self.duration("timeout"), self.flag("repeat"));
        let options = RequestOptions { timeout, repeat_if_safe, ..RequestOptions::default() };
        let (media, body) = (self.value("type"), self.value("body"));
        let accept = self.value("accept");
        let (method, path) = (self.words.pop_front().unwrap(), self.words.pop_front().unwrap());
        let mut builder = http::Request::builder().method(&*method).uri(&*path).extension(options);
        if let Some(media) = media {
            builder = builder.header("content-type", media);
        }
        if let Some(accept) = accept {
            builder = builder.header("accept", accept);
        }
        builder.body(body.map_or_else(Body::empty, Body::from)).unwrap()
    }
}
