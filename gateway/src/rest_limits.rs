//! The rate-limit groups of REST calls.

use std::time::Duration;

use crate::config::micros;
use crate::gateway::Gateway;
use crate::http::Reply;
use crate::limit::Verdict;
use crate::output::GatewayEvent;
use crate::rest::Call;

/// Calls of each rate-limit group that a user may make in a window. When it is set, the answers have the
/// `X-Rate-Limit-*` headers over HTTPS and over the socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestLimits {
    /// Most resources (50).
    pub light: u32,
    /// Messages that are sent, subscriptions, posts of a chat (40).
    pub medium: u32,
    /// The call log, calls that go on, presence of an account (10).
    pub heavy: u32,
    /// The window, and the pause after a call too many (60 s). Calls in it prolong it.
    pub window: Duration,
}

impl Default for RestLimits {
    fn default() -> Self {
        Self { light: 50, medium: 40, heavy: 10, window: Duration::from_secs(60) }
    }
}

impl RestLimits {
    fn of(&self, call: &Call<'_>) -> (&'static str, u32) {
        let path = call.path.trim_end_matches('/');
        let is_heavy = path.contains("/call-log")
            || path.ends_with("/active-calls")
            || path.ends_with("/presence") && !path.contains("/extension/");
        if is_heavy {
            ("heavy", self.heavy)
        } else if path.contains("/restapi/v1.0/subscription")
            || path.starts_with("/team-messaging/v1/chats/")
            || call.method == "POST"
        {
            ("medium", self.medium)
        } else {
            ("light", self.light)
        }
    }
}

impl Gateway {
    /// The headers that belong to the answer of this call, or the refusal.
    pub(crate) fn rest_limited(&mut self, call: &Call<'_>) -> Result<Vec<(&'static str, String)>, Reply> {
        let Some(limits) = self.config.rest_limits.clone() else { return Ok(Vec::new()) };
        let ((group, limit), window) = (limits.of(call), micros(limits.window));
        let limiter = self.rest_limiters.entry((call.user, group)).or_default();
        let verdict = limiter.call(limit, window, window, self.now);
        let headers = |left: u32| {
            vec![
                ("X-Rate-Limit-Group", group.to_owned()),
                ("X-Rate-Limit-Limit", limit.to_string()),
                ("X-Rate-Limit-Remaining", left.to_string()),
                ("X-Rate-Limit-Window", limits.window.as_secs().to_string()),
            ]
        };
        let restarted = match verdict {
            Verdict::Pass { remaining } => return Ok(headers(remaining)),
            Verdict::Exceeded => false,
            Verdict::Trapped => true,
        };
        self.stats.rate_limited += 1;
        self.stats.penalties_restarted += u64::from(restarted);
        self.event(GatewayEvent::RateLimited { user: call.user, restarted });
        let reply = Reply::error(429, "CMN-301", "Request rate exceeded");
        let reply = reply.with("Retry-After", window.div_ceil(1_000_000).to_string());
        Err(headers(0).into_iter().fold(reply, |reply, (name, value)| reply.with(name, value)))
    }
}
