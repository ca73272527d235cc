//! The faults that are still to come: overload, refused calls, duplicates.

use std::collections::VecDeque;

use crate::http::{Body, HttpResponse, Reply};

/// Scripted failures of calls are kept up to this number; further ones replace the oldest.
pub(crate) const MAX_SCRIPTED: usize = 1000;

#[derive(Debug, Default)]
pub(crate) struct Faults {
    pub(crate) overload: Option<Overload>,
    pub(crate) failures: VecDeque<(String, HttpResponse)>,
    pub(crate) duplicates: u32,
}

#[derive(Debug)]
pub(crate) struct Overload {
    pub(crate) status: u16,
    pub(crate) until: u64,
    pub(crate) retry_after: bool,
}

/// Whether a fault is for this call: `calls` is how its path begins, perhaps after a method, as in `DELETE /restapi/v1.0`.
pub(crate) fn is_for(calls: &str, method: &str, path: &str) -> bool {
    match calls.split_once(' ') {
        Some((of, prefix)) => of == method && path.starts_with(prefix),
        None => path.starts_with(calls),
    }
}

impl Faults {
    /// Whether the next notification is to be sent twice.
    pub(crate) fn duplicate(&mut self) -> bool {
        let due = self.duplicates > 0;
        self.duplicates = self.duplicates.saturating_sub(1);
        due
    }

    /// The scripted answer to a call, if there is one.
    pub(crate) fn strike(&mut self, method: &str, path: &str, now: u64) -> Option<Reply> {
        if let Some(at) = self.failures.iter().position(|(calls, _)| is_for(calls, method, path)) {
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
