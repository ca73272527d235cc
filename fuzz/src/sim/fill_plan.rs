//! What a day looks like on which the application fills gaps, beside what every day looks like.

use std::time::Duration;

use ringcentral_ws_api::{Backfill, CallGroup};
use ringcentral_ws_gateway::RestLimits;

use super::plan::{Fault, Plan};
use crate::oracle::Topic;
use crate::rng::Rng;
use crate::time::MINUTE;

/// How gaps are filled.
#[derive(Clone, Debug)]
pub(crate) struct FillPlan {
    pub(crate) settings: Backfill,
    /// What the application subscribes to, `Topic::Sms` first.
    pub(crate) topics: Vec<Topic>,
    /// On days with posts: in how many chats they are.
    pub(crate) chats: Option<u64>,
    /// It subscribes to another part of them each time.
    pub(crate) varies: bool,
    /// The client's clock is so many milliseconds ahead of the server's.
    pub(crate) ahead: i64,
}

impl Plan {
    /// The same day with an application that fills gaps.
    pub(crate) fn filling(mut self, seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0x6669_6c6c);
        let r = &mut rng;
        let mut settings = Backfill::new().attempts(*r.pick(&[6, 6, 20]));
        let is_odd = r.chance(300);
        if is_odd {
            settings = settings
                .settle(Duration::from_secs(*r.pick(&[0, 5, 30])))
                .spread(Duration::from_secs(*r.pick(&[0, 5, 60])))
                .calls_per_minute(CallGroup::Light, *r.pick(&[10, 25, 50]))
                .calls_per_minute(CallGroup::Heavy, *r.pick(&[1, 5, 10]))
                .remember(*r.pick(&[16, 256, 2048]));
        }
        if r.chance(50) {
            settings = settings.most(*r.pick(&[20, 1000]), *r.pick(&[20_000, 1 << 20]));
        }
        let others = Topic::DAILY.iter().copied().filter(|topic| *topic != Topic::Sms && r.chance(700));
        let topics = std::iter::once(Topic::Sms).chain(others).collect();
        let ahead = *r.pick(&[0, 0, 1, 60, 120, 3600]) * 1000;
        self.fill = Some(FillPlan {
            settings,
            topics,
            chats: None,
            varies: r.chance(200),
            ahead: if r.chance(500) { ahead } else { -ahead },
        });
        if !self.faults.is_empty() {
            let more = Fault::ALL.iter().copied().filter(|fault| fault.is_for_filling() && r.chance(400));
            self.faults.extend(more);
        }
        // What a crash leaves is worth something only if something was written down.
        self.publish_every = self.publish_every.or_else(|| Some(*r.pick(&[0, MINUTE])));
        let g = &mut self.gateway;
        (g.message_store_size, g.call_log_size) = (1_000_000, 1_000_000);
        // Few of them make for many calls.
        g.sync_records = *r.pick(&[250, 40, 40, 20, 20, if is_odd { 20 } else { 3 }]);
        g.rest_limits = r.chance(300).then(RestLimits::default);
        self.with_posts(seed)
    }

    /// On some days there are posts too. They are drawn apart, so that all other days, and what their seeds mean, stay as
    /// they were.
    fn with_posts(mut self, seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0x706f_7374);
        let r = &mut rng;
        let Some(fill) = self.fill.as_mut().filter(|_| r.chance(400)) else { return self };
        let chats = *r.pick(&[1, 1, 3, 10]);
        fill.chats = Some(chats);
        fill.topics.push(Topic::Posts);
        if r.chance(300) {
            fill.settings = fill.settings.clone().calls_per_minute(CallGroup::Medium, *r.pick(&[5, 20, 40]));
        }
        self.gateway.chat_size = 1_000_000;
        // Few of them make for many calls.
        self.gateway.post_records = *r.pick(&[250, 40, 20, if chats == 1 { 3 } else { 20 }]);
        self
    }
}
