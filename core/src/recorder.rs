//! The flight recorder: the last inputs and outputs of a Session in bounded memory, without secrets, as text that can
//! be replayed into the same Session. Feature `recorder`.
//!
//! [`Recorded`] has the calls of a [`Session`](crate::Session), so a loop that holds one in its place records. A
//! [`FlightRecorder`] gives the text at any time, from any thread; [`Recording::parse`] reads it, and
//! [`Recording::replay`] gives it to a Session again and compares every output. `cargo run -p ringcentral-ws-fuzz --bin
//! replay -- FILE` does both, and draws the exchange.
//!
//! # The text
//!
//! ```text
//! ringcentral-ws recording 1
//! config {"rest_over_websocket":true}
//! checkpoint {"now":0,…}
//! 0.25 authorized 1 life=3600 "***1"
//!   http 2 POST https://platform.ringcentral.com/restapi/oauth/wstoken bearer=***1
//!   wait 30.25 TokenCall
//! ```
//!
//! Lines at the margin are inputs with their time in seconds; the indented ones below are what came of it. The ring
//! consists of four segments, each of which begins with a checkpoint: all that the Session knew then. When the memory
//! is full the oldest segment goes, so at least three quarters of it are history, and what is left can be replayed
//! from its first line. A checkpoint needs a drained Session that holds no whole request and no held notification; if
//! there is none for so long that the memory fills up, the older half goes and `forgotten` takes its place, as it does
//! for a line larger than a segment: what follows can be read, but is replayed only from the next checkpoint on.
//!
//! # What is not in it (SEC-1)
//!
//! - Tokens and ids are replaced by names (`***1`), the same secret by the same name as long as it is among the last
//!   128 tokens and kept ids (or 128 other ids): so what compares them goes on as it did. Also ids in paths, and all
//!   values of queries but a few words of the API.
//! - Of bodies only fields that the Session acts on are kept, of others the size. Notifications keep uuid, event,
//!   subscription and size; [`Options::keep_bodies`] keeps their content too, but for fields named like secrets.
//! - Of addresses only hosts that the settings allow; others are `refused.invalid`.
//! - Frames that cannot be read are kept as their size, codes that are no plain word as `***`.
//! - In the reason of a close or of a failed login, long words and those of many digits are `***`: the server may have
//!   quoted something there.
//! - Kept are: hosts, event filters, status and error codes, message ids, the time of everything, and the lines for
//!   people that drivers give with failures, cut at 120 characters; they hold no secret by contract.
//!
//! # What a replay can show
//!
//! Every decision of the Session: which output, in which order, at which time, with which state after it. It cannot
//! show the driver (whether an action was carried out), what the application did with an event, how long a secret was
//! or what a body said, and which notification was a duplicate of one delivered long before the recording begins (it
//! keeps some hundred keys). It is for the version that recorded: another one may rightly decide otherwise.
//!
//! # Cost
//!
//! Memory is at most [`Options::limit`] bytes of text, and at most 8 kB for names. Every input and output costs its
//! line; a frame is read a second time. Without a recorder a call costs one comparison and no allocation.

mod options;
mod parse;
mod print;
mod recorded;
mod refused;
mod replay;
mod ring;
mod scrub;

pub use self::options::{MAX_LIMIT, MIN_LIMIT, Options};
pub use self::parse::{Entry, EntryKind, Recording, RecordingError};
pub use self::recorded::{FlightRecorder, Recorded};
pub use self::replay::{ReplayError, Replayed};
