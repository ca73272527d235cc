//! Fills gaps: fetches over REST what may have been missed, as a state machine without I/O.
//!
//! RingCentral sends a notification once. When its buffer for a lost connection does not suffice, a session reports a
//! [`Gap`](ringcentral_ws_core::Gap), and REST still has most of what was in it. [`GapFiller`] knows which resources
//! belong to the filters of a subscription, asks them within their rate limits, leaves out what was delivered, and says
//! what is missing for good: every message is delivered, or its loss is reported together with what could not be fetched.
//!
//! | filter | resource | group |
//! |---|---|---|
//! | instant messages, voicemail, fax, message store | `…/message-sync` | Light |
//! | telephony sessions, call log | `…/call-log-sync` for calls that are over, `…/active-calls` for those now | Heavy |
//! | presence, do-not-disturb of an extension | `…/extension/…/presence`, as it is now | Light |
//! | presence of the account | `…/account/…/presence`, as it is now | Heavy |
//! | posts of team messaging | `/team-messaging/v1/recent/chats`, then `…/chats/{id}/posts` of each | Light, Medium |
//!
//! What no resource has is named in [`unfilled`](ringcentral_ws_core::Backfilled::unfilled).
//!
//! # Messages and the call log
//!
//! A sync token is asked for when a subscription begins (`FSync`), and each gap is filled from a token that was made
//! before it (`ISync`), so that changes of older messages come too. A token that the service does not know any more
//! (`CMN-101`, `MSG-333`, any 400), or that was made within the gap, is replaced by a full sync from a minute before the
//! gap on (eleven while the server's clock is unknown; each answer says what time it is there, by its `syncTime` or its
//! `Date`). There are no pages: while an answer says `olderRecordsExist`, what is older is asked for by its time, 40
//! answers at most.
//!
//! # Once
//!
//! A message that was delivered as a notification has its id and time remembered, and so has each record that was handed
//! out. What comes again is left out. Filters for new messages only (instant, voicemail, fax) count a message once,
//! whatever becomes of it; `message-store` counts it again for each change. A notification that comes after its record
//! was handed out is delivered all the same, because a session delivers everything: so a gap is asked about only 10 s
//! after it ([`Backfill::settle`]), and records of later than 5 s after it are left to the notifications.
//!
//! # Rate limits
//!
//! Each group has a budget of its own for any rolling minute ([`Backfill::calls_per_minute`]), and what an answer says is
//! left (`X-Rate-Limit-Remaining`) or is to be waited for (`Retry-After`, 60 s after a 429 without it, and up to 20 s more)
//! is kept to. A call during a penalty prolongs it, so the filler goes last: when a call of the subscription was refused
//! with a 429 no posts are fetched until ten seconds after the time of its repetition
//! ([`GapFiller::yield_to_subscription`]), and after a 429 to a call of the application nothing of its group until ten
//! seconds after that penalty, for an hour at most ([`GapFiller::yield_to_call`]).
//!
//! # Memory
//!
//! At most 8 gaps wait; when there are more, the last two become one. Of the records of one gap there are at most 10,000
//! and 16 MiB ([`Backfill::most`]), and they are not part of the state: after a restart a gap is asked about from its
//! beginning. 2048 keys of what was handed out take 16 bytes each in the state, and about 100 in memory
//! ([`Backfill::remember`]). There are at most 64 resources, 4 sync tokens of 8 KiB for each, 250 chats, and 1000
//! calls for one gap.

mod budget;
mod filler;
mod known;
mod noted;
mod outcome;
mod plan;
mod record;
mod settings;
mod state;
mod task;
#[cfg(test)]
mod tests;
mod window;

use std::time::Duration;

pub use self::budget::CallGroup;
pub use self::filler::{FillStep, GapCall, GapFiller};
pub use self::record::{FetchedRecordExt, RecordContent};
pub use self::settings::Backfill;
pub use self::state::BackfillState;

/// How far before a gap a query looks: notifications may have been on their way, and the clocks of server and client
/// differ. As [`Gap::message_store_query`](ringcentral_ws_core::Gap::message_store_query).
const MARGIN: Duration = Duration::from_secs(60);
