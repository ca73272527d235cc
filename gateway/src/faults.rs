//! Faults that were ordered and have not struck yet.

use std::collections::VecDeque;

use crate::http::{Body, HttpResponse, Reply};

/// Scripted failures of calls are kept up to this number; further ones replace the oldest.
const MAX_SCRIPTED: usize = 1000;

#[derive(Debug, Default)]
pub(crate) struct Faults {
    overload: Option<Overload>,
    failures: VecDeque<(String, HttpResponse)>,
    duplicates: u32,
}

#[derive(Debug)]
struct Overload {
    status: u16,
    until: u64,
    retry_after: bool,
}

impl Faults {
    /// Up to this time every call is answered with `status`.
    pub(crate) fn overload(&mut self, status: u16, until: u64, retry_after: bool) {
        self.overload = Some(Overload { status, until, retry_after });
    }

    /// The next call of a path that begins so gets this response.
    pub(crate) fn script(&mut self, path_prefix: &str, response: HttpResponse) {
        if self.failures.len() >= MAX_SCRIPTED {
            self.failures.pop_front();
        }
        self.failures.push_back((path_prefix.to_owned(), response));
    }

    pub(crate) fn forget_scripts(&mut self) {
        self.failures.clear();
    }

    /// So many more notifications are to be sent twice.
    pub(crate) fn add_duplicates(&mut self, count: u32) {
        self.duplicates = self.duplicates.saturating_add(count);
    }

    /// Whether the next notification is to be sent twice.
    pub(crate) fn duplicate(&mut self) -> bool {
        let due = self.duplicates > 0;
        self.duplicates = self.duplicates.saturating_sub(1);
        due
    }

    /// The scripted answer to a call of `path`, if there is one.
    pub(crate) fn strike(&mut self, path: &str, now: u64) -> Option<Reply> {
        if let Some(at) = self.failures.iter().position(|(prefix, _)| path.starts_with(prefix.as_str())) {
            let (_, response) = self.failures.remove(at)?;
            let content_type = response.get("Content-Type").unwrap_or("application/json").to_owned();
            let text = String::from_utf8_lossy(&response.body).into_owned();
            let body = if text.is_empty() { Body::Empty } else { Body::Text { content_type, text } };
            let mut reply = Reply::new(response.status, body);
            reply.headers = response.headers;
            reply.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("Content-Type"));
            return Some(reply);
        }
        let overload = self.overload.as_ref().filter(|overload| now < overload.until)?;
        let left = (overload.until - now).div_ceil(1_000_000);
        let reply = match overload.status {
            429 => Reply::error(429, "CMN-301", "Request rate exceeded"),
            status => Reply::error(status, "CMN-211", "Service is temporarily unavailable"),
        };
        Some(if overload.retry_after { reply.with("Retry-After", left.to_string()) } else { reply })
    }
}
