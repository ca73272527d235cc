//! What an error means for a client, and what can be done about it.

mod api_error;
mod cause;
mod codes;
mod reply;

pub use self::api_error::ApiError;
pub use self::cause::Cause;
pub(crate) use self::cause::EndedBy;
pub use self::codes::{CODES, Class, CodeRow, classify, lookup};
pub(crate) use self::codes::{Ending, NO_SUBSCRIPTION};
pub(crate) use self::reply::MAX_RETRY_AFTER;
pub(crate) use self::reply::says_something;
pub use self::reply::{RateLimit, retry_after};
