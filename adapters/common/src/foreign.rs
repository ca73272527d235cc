//! What is said of stored files that belong to somebody else (TOK-10).

use std::fmt;

use ringcentral_ws_api::ForeignTokens;
use ringcentral_ws_core::RestoreError;

/// The names of the files of a [`StateFile`](crate::StateFile) that belong to one login.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateNames {
    /// The file of the session.
    pub session: String,
    /// The file of the login.
    pub login: String,
}

impl StateNames {
    fn instead(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "delete {} and {}, or use other files", self.session, self.login)
    }
}

/// The login in the files of a [`StateFile`](crate::StateFile) is of another server, app or user
/// ([TOK-10](ringcentral_ws_core::protocol#tok-10)). Nothing of it is used.
///
/// `Display` names the files and says what to do. `Debug` prints the same sentence, because that is what a `main` shows
/// which returns the error.
#[derive(Clone, PartialEq, Eq)]
pub struct ForeignState {
    names: StateNames,
    why: ForeignTokens,
}

impl ForeignState {
    #[doc(hidden)]
    #[must_use]
    pub const fn new(names: StateNames, why: ForeignTokens) -> Self {
        Self { names, why }
    }

    /// Whose the login is.
    #[must_use]
    pub const fn why(&self) -> ForeignTokens {
        self.why
    }
}

impl fmt::Display for ForeignState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = if self.why == ForeignTokens::User { "another user" } else { "another server or app" };
        write!(f, "the login in {} belongs to {whose}, and is not used: ", self.names.login)?;
        self.names.instead(f)
    }
}

impl fmt::Debug for ForeignState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ForeignState {}

/// A snapshot that cannot be used, and the files that it came from.
#[derive(Clone, PartialEq, Eq)]
pub struct RefusedState {
    names: StateNames,
    why: RestoreError,
}

impl RefusedState {
    pub(crate) const fn new(names: StateNames, why: RestoreError) -> Self {
        Self { names, why }
    }

    /// Why it cannot be used.
    #[must_use]
    pub const fn why(&self) -> &RestoreError {
        &self.why
    }
}

impl fmt::Display for RefusedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = match &self.why {
            RestoreError::OtherServer => "another server",
            RestoreError::OtherIdentity => "the login of another user or app",
            other => return write!(f, "{}: {other}", self.names.session),
        };
        write!(f, "the session in {} belongs to {whose}, and is not used: ", self.names.session)?;
        self.names.instead(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // CLAUSE TOK-10
    #[test]
    fn the_words_name_the_files_and_say_what_to_do() {
        let names = || StateNames { session: "a.state".into(), login: "a.state.login".into() };
        let remedy = "and is not used: delete a.state and a.state.login, or use other files";
        for (why, begins) in [
            (ForeignTokens::User, "the login in a.state.login belongs to another user, "),
            (ForeignTokens::App, "the login in a.state.login belongs to another server or app, "),
        ] {
            let error = ForeignState::new(names(), why);
            assert_eq!(error.to_string(), format!("{begins}{remedy}"));
            assert_eq!((format!("{error:?}"), error.why()), (error.to_string(), why));
        }
        for (why, begins) in [
            (RestoreError::OtherServer, "the session in a.state belongs to another server, "),
            (RestoreError::OtherIdentity, "the session in a.state belongs to the login of another user or app, "),
        ] {
            assert_eq!(RefusedState::new(names(), why).to_string(), format!("{begins}{remedy}"));
        }
        let newer = RefusedState::new(names(), RestoreError::Newer { found: 9, known: 1 });
        assert!(newer.to_string().starts_with("a.state: the snapshot has version 9"), "{newer}");
        assert!(matches!(newer.why(), RestoreError::Newer { .. }));
    }
}
