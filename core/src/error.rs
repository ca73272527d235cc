//! Errors of calls that are used in a wrong way. Such a call changes nothing.

use std::fmt;

/// Outputs are waiting: call [`poll_output`](crate::Session::poll_output) until it returns `Wait`, then repeat the
/// call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotDrained;

impl fmt::Display for NotDrained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("outputs are waiting: call poll_output until it returns Wait, then repeat the call")
    }
}

impl std::error::Error for NotDrained {}

/// A command that was refused, with its argument. Nothing has changed.
///
/// `Debug` does not show the argument, because a request contains its caller's query and headers.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandError<T> {
    /// Outputs are waiting: drain them, then repeat the call. See [`NotDrained`](crate::NotDrained).
    NotDrained(T),
    /// The queue of requests is full: repeat the call when a request has ended.
    Full(T),
    /// The command can never be carried out as it is.
    Invalid(T, InvalidReason),
    /// The session has ended or is closing.
    Closed(T),
}

impl<T> fmt::Display for CommandError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotDrained(_) => NotDrained.fmt(f),
            Self::Full(_) => f.write_str("the request queue is full: repeat when a request has ended"),
            Self::Invalid(_, why) => why.fmt(f),
            Self::Closed(_) => f.write_str("the session has ended or is closing"),
        }
    }
}

impl<T> fmt::Debug for CommandError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotDrained(_) => f.write_str("NotDrained(..)"),
            Self::Full(_) => f.write_str("Full(..)"),
            Self::Invalid(_, why) => write!(f, "Invalid(.., {why:?})"),
            Self::Closed(_) => f.write_str("Closed(..)"),
        }
    }
}

impl<T> std::error::Error for CommandError<T> {}

/// Why a command can never be carried out as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidReason {
    /// The path does not begin with `/`.
    RelativePath,
    /// The URI names another host than the configured server. Tokens go nowhere else.
    ForeignHost,
    /// The body is neither a JSON object nor a JSON string, which are all that the WebSocket carries
    /// ([REQ-6](crate::protocol#req-6)).
    Body,
    /// There is no subscription.
    NoSubscription,
    /// The configured server is a plain one on another machine, and the settings do not allow that
    /// ([TOK-8](crate::protocol#tok-8)).
    Insecure,
    /// Path and query make an address of more than 65,534 bytes.
    TooLong,
    /// With those of the client's listeners there would be more than [`MAX_FILTERS`](crate::MAX_FILTERS) event filters.
    TooManyFilters,
}

impl fmt::Display for InvalidReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RelativePath => "the path must begin with `/`, such as /restapi/v1.0/account/~",
            Self::ForeignHost => "the request names another host than the configured server; give only the path",
            Self::Body => "over the WebSocket a body must be a JSON object or a JSON string",
            Self::NoSubscription => "there is no subscription",
            Self::Insecure => "the configured server is neither https nor this machine; allow_insecure permits it",
            Self::TooLong => "path and query are too long for an address; send the rest as a body",
            Self::TooManyFilters => {
                "with those of the listeners there are too many event filters; split them over several clients"
            }
        })
    }
}

impl std::error::Error for InvalidReason {}

/// Why a snapshot cannot be used ([PST-3](crate::protocol#pst-3)). Starting without it is always possible; see
/// [`Snapshot::lost`](crate::Snapshot::lost).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RestoreError {
    /// It is truncated, damaged, or something else than a snapshot. The text says where.
    Corrupt(Box<str>),
    /// A newer version of this library wrote it.
    Newer {
        /// The version found.
        found: u32,
        /// The newest version that this library reads.
        known: u32,
    },
    /// It belongs to another server than [`Config::server`](crate::Config::server).
    OtherServer,
    /// It belongs to another user or app than [`Config::identity`](crate::Config::identity)
    /// ([TOK-10](crate::protocol#tok-10)). Nothing of it may be used.
    OtherIdentity,
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupt(why) => write!(f, "the snapshot is damaged ({why}); start without it"),
            Self::Newer { found, known } => {
                write!(f, "the snapshot has version {found}, newer than {known}: upgrade, or start without it")
            }
            Self::OtherServer => f.write_str("the snapshot belongs to another server; start without it"),
            Self::OtherIdentity => f.write_str(
                "the snapshot belongs to the login of another user or app; start without it, or as that user",
            ),
        }
    }
}

impl std::error::Error for RestoreError {}

#[cfg(test)]
mod tests {
    use super::*;

    // CLAUSE SEC-1 SEC-6
    #[test]
    fn what_is_handed_back_is_not_shown() {
        let request =
            || http::Request::get("/p?key=hunter2").header("Authorization", "Bearer hunter2").body(()).unwrap();
        for refused in [
            CommandError::NotDrained(request()),
            CommandError::Full(request()),
            CommandError::Invalid(request(), InvalidReason::Body),
            CommandError::Closed(request()),
        ] {
            let shown = format!("{refused:?} {refused:#?} {refused}");
            assert!(!shown.contains("hunter2"), "{shown}");
        }
        assert_eq!(format!("{:?}", CommandError::Invalid((), InvalidReason::Body)), "Invalid(.., Body)");
    }
}
