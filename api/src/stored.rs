//! Tokens as they are stored, and whose they may be.

use std::fmt;
use std::time::Duration;

use ringcentral_ws_core::{Identity, Secret, UnixMillis};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::TokenSet;

/// The form of a [`TokenSet`] in a store. Times are whole seconds.
#[derive(Serialize, Deserialize)]
struct Stored {
    access_token: Box<str>,
    expires_in: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_token: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_expires_in: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner_id: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issued_at: Option<UnixMillis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    app: Option<Identity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identity: Option<Identity>,
}

impl Serialize for TokenSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let stored = Stored {
            access_token: self.access_token.expose().into(),
            expires_in: self.expires_in.as_secs(),
            refresh_token: self.refresh_token.as_ref().map(|token| token.expose().into()),
            refresh_expires_in: self.refresh_expires_in.map(|life| life.as_secs()),
            scope: self.scope.clone(),
            owner_id: self.owner_id.clone(),
            issued_at: self.issued_at,
            app: self.app,
            identity: self.identity,
        };
        stored.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TokenSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Stored::deserialize(deserializer)?;
        Ok(Self {
            access_token: Secret::new(stored.access_token),
            expires_in: Duration::from_secs(stored.expires_in),
            refresh_token: stored.refresh_token.map(Secret::new),
            refresh_expires_in: stored.refresh_expires_in.map(Duration::from_secs),
            scope: stored.scope,
            owner_id: stored.owner_id,
            issued_at: stored.issued_at,
            app: stored.app,
            identity: stored.identity,
        })
    }
}

/// Stored tokens belong to another login than the one that was to use them
/// ([TOK-10](ringcentral_ws_core::protocol#tok-10)). Nothing of them is used.
///
/// `Debug` prints the same sentence as `Display`, because that is what a `main` shows which returns the error.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForeignTokens {
    /// They are for another server or app.
    App,
    /// They are of another user of the app.
    User,
}

impl fmt::Display for ForeignTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whose, instead) = match self {
            Self::App => ("another server or app", "with the settings it was stored with"),
            Self::User => ("another user", "as that user"),
        };
        write!(f, "the stored login belongs to {whose}, and is not used: delete it, or start {instead}")
    }
}

impl fmt::Debug for ForeignTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ForeignTokens {}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Response;
    use ringcentral_ws_core::{AuthFailure, AuthReason, Timestamp};

    use super::*;
    use crate::{ClientApp, Login, LoginStep, TokenBudget};

    const ANSWER: &str = r#"{"access_token":"a1","expires_in":3600,"refresh_token":"r1",
        "refresh_token_expires_in":7200,"scope":"s t","owner_id":"7"}"#;
    const ISSUED: UnixMillis = UnixMillis(1_700_000_000_000);

    fn app(host: &str) -> ClientApp {
        let server = format!("https://{host}").parse().unwrap();
        ClientApp { server, client_id: "id".to_owned(), client_secret: Some("cs".into()) }
    }

    fn later(secs: u64) -> UnixMillis {
        UnixMillis(ISSUED.0 + 1000 * secs)
    }

    /// What a login hands out, as the store has it.
    fn stored(login: &mut Login) -> String {
        let (budget, now) = (TokenBudget::new(), Timestamp::ZERO);
        assert!(matches!(login.begin(AuthReason::Missing, None, &budget, now), LoginStep::Call(_)));
        let answer = Ok(Response::new(Bytes::from(ANSWER)));
        let LoginStep::Token { issued, .. } = login.answered(answer, &budget, now) else { panic!() };
        serde_json::to_string(&TokenSet { issued_at: Some(ISSUED), ..*issued.unwrap() }).unwrap()
    }

    fn read(json: &str, at: UnixMillis) -> TokenSet {
        serde_json::from_str::<TokenSet>(json).unwrap().aged(at)
    }

    /// The token it gives, and for how many seconds; `None` when it makes a call.
    fn first(login: &mut Login) -> Result<Option<(String, u64)>, AuthFailure> {
        match login.begin(AuthReason::Missing, None, &TokenBudget::new(), Timestamp::ZERO) {
            LoginStep::Token { token, .. } => {
                Ok(Some((token.secret.expose().to_owned(), token.expires_in.unwrap().as_secs())))
            }
            LoginStep::Call(_) => Ok(None),
            LoginStep::Failed(failure) => Err(failure),
        }
    }

    #[test]
    fn a_set_is_read_as_it_was_stored() {
        let set: TokenSet = serde_json::from_str(&stored(&mut Login::jwt(app("h"), "j"))).unwrap();
        assert_eq!((set.access_token.expose(), set.expires_in.as_secs()), ("a1", 3600));
        assert_eq!(set.refresh_token.as_ref().unwrap().expose(), "r1");
        assert_eq!((set.refresh_expires_in, set.scope.as_deref()), (Some(Duration::from_secs(7200)), Some("s t")));
        assert_eq!((set.owner_id.as_deref(), set.issued_at), (Some("7"), Some(ISSUED)));
        assert!(set.app.is_some() && set.identity.is_some());
        let again: TokenSet = serde_json::from_str(&serde_json::to_string(&set).unwrap()).unwrap();
        assert_eq!(again, set);
        let bare: TokenSet = serde_json::from_str(r#"{"access_token":"a","expires_in":60,"new":[]}"#).unwrap();
        assert_eq!(serde_json::to_string(&bare).unwrap(), r#"{"access_token":"a","expires_in":60}"#);
    }

    #[test]
    fn a_set_is_as_old_as_the_time_since_it_was_issued() {
        let json = stored(&mut Login::jwt(app("h"), "j"));
        let lives = |set: TokenSet| (set.expires_in.as_secs(), set.refresh_expires_in.unwrap().as_secs());
        assert_eq!(lives(read(&json, later(600))), (3000, 6600));
        assert_eq!(lives(read(&json, later(600)).aged(later(700))), (2900, 6500), "once is once");
        assert_eq!(lives(read(&json, later(1 << 40))), (0, 0));
        assert_eq!(lives(read(&json, UnixMillis(5))), (3600, 7200), "a clock that was put back");
        let set = TokenSet { issued_at: None, ..read(&json, ISSUED) };
        assert_eq!(set.clone().aged(later(600)), set, "nobody knows how old");
    }

    #[test]
    fn a_restart_uses_the_access_token_while_it_is_good() {
        let json = stored(&mut Login::jwt(app("h"), "j"));
        let restarted = |secs| {
            let mut login = Login::jwt(app("h"), "j");
            login.set_tokens(&read(&json, later(secs)), Timestamp::ZERO).unwrap();
            login
        };
        assert_eq!(first(&mut restarted(600)), Ok(Some(("a1".to_owned(), 3000))));
        let mut old = restarted(3_600);
        assert_eq!(first(&mut old), Ok(None));
        assert_eq!(&old.revoke().unwrap().body()[..], b"token=r1", "the refresh token is kept");
    }

    #[test]
    fn tokens_of_another_login_are_refused_with_words() {
        let json = stored(&mut Login::jwt(app("h"), "j"));
        let tokens = || read(&json, later(1));
        let mut other = Login::jwt(app("other"), "j");
        assert_eq!(other.set_tokens(&tokens(), Timestamp::ZERO), Err(ForeignTokens::App));
        assert!(other.revoke().is_none() && first(&mut other) == Ok(None), "nothing of them is used");
        let error = Login::jwt(app("h"), "k").set_tokens(&tokens(), Timestamp::ZERO).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the stored login belongs to another user, and is not used: delete it, or start as that user"
        );
        assert_eq!(format!("{error:?}"), error.to_string(), "what `main` prints");
        let words = "the stored login belongs to another server or app, and is not used: delete it, or start with the \
                   settings it was stored with";
        assert_eq!(format!("{:?}", ForeignTokens::App), words);
        // There is no other credential than the set: the failure says what is wrong with it.
        let mut foreign = Login::from_tokens(app("other"), tokens(), Timestamp::ZERO);
        assert!(foreign.revoke().is_none());
        let failure = first(&mut foreign).unwrap_err();
        assert!(failure.is_permanent() && failure.message.contains("another server or app"), "{failure:?}");
        let mut own = Login::from_tokens(app("h"), tokens(), Timestamp::ZERO);
        assert_eq!(first(&mut own).unwrap().unwrap().0, "a1");
        assert_eq!(own.identity(), Login::jwt(app("h"), "j").identity(), "it goes on as whose they are");
    }

    #[test]
    fn a_login_without_a_user_says_whose_tokens_they_are() {
        let mut login = Login::refresh_token(app("h"), "r0");
        let set: TokenSet = serde_json::from_str(&stored(&mut login)).unwrap();
        assert_eq!(set.identity, Some(app("h").user_identity("7")));
    }

    #[test]
    fn a_set_does_not_show_its_tokens() {
        let json = stored(&mut Login::jwt(app("h"), "j")).replace("a1", "hunter2").replace("r1", "hunter3");
        let shown = format!("{:?}", read(&json, ISSUED));
        assert!(shown.contains("***") && !shown.contains("hunter"), "{shown}");
    }
}
