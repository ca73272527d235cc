//! What a call returns, as a line.

use std::fmt::Display;

use crate::error::{CommandError, NotDrained};

/// Nothing was done, and nothing is recorded.
pub(crate) const NOT_DRAINED: &str = "refused not-drained";

pub(crate) fn plain(result: &Result<(), NotDrained>) -> Option<String> {
    result.is_err().then(|| NOT_DRAINED.to_owned())
}

pub(crate) fn command(result: &Result<(), CommandError<()>>) -> Option<String> {
    result.as_ref().err().map(why)
}

pub(crate) fn with_id<T, E>(result: &Result<T, CommandError<E>>) -> Option<String>
where
    T: Display,
{
    Some(match result {
        Ok(id) => format!("accepted {id}"),
        Err(error) => why(error),
    })
}

fn why<E>(error: &CommandError<E>) -> String {
    match error {
        CommandError::NotDrained(_) => NOT_DRAINED.to_owned(),
        CommandError::Full(_) => "refused full".to_owned(),
        CommandError::Invalid(_, reason) => format!("refused {reason:?}"),
        CommandError::Closed(_) => "refused closed".to_owned(),
    }
}
