//! The service over HTTPS: whether it answers, the login, and what it permits.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, StatusCode, header};
use ringcentral_ws_api::TokenSet;
use ringcentral_ws_core::classify::{ApiError, Class, lookup};
use ringcentral_ws_core::{AccessToken, AuthFailure, AuthFailureKind, AuthReason, HttpFailure, Masker};
use ringcentral_ws_driver::{CredentialSource, HttpsSender, TokenRequest};
use url::Url;

use super::clock;
use super::report::{Found, Problem};

/// What to do about answers that may be other ones later.
pub(super) fn later(retry_after: Option<Duration>) -> String {
    let wait = retry_after.map_or_else(|| "a few minutes".to_owned(), |wait| format!("{} s", wait.as_secs()));
    format!("wait {wait} and try again; https://status.ringcentral.com says whether the service has a fault")
}

fn fewer_calls(retry_after: Option<Duration>) -> String {
    let wait = retry_after.unwrap_or(Duration::from_secs(60)).as_secs();
    format!("wait {wait} s and try again; a user and app have 5 calls a minute, which all programs that log in share")
}

/// An answer that is an error, and how to mend it.
pub(super) fn refusal(error: &ApiError) -> Problem {
    let mend = match error.class() {
        Class::RateLimited => fewer_calls(error.retry_after),
        Class::Transient => later(error.retry_after),
        _ => error.remedy().to_owned(),
    };
    Problem::new(error, mend).with_code(error.error_code())
}

/// A call that got no answer.
fn unanswered(failure: &HttpFailure) -> Problem {
    let what = format!("{} failed: {}", failure.phase, failure.message);
    Problem::new(what, "check the network and the proxy; the steps above say how far the way is free")
}

/// Whether the server answers at all, and what its clock says.
pub(super) async fn answers(https: &dyn HttpsSender, server: &Url) -> Found<()> {
    let address = format!("{}/restapi/v1.0", server.as_str().trim_end_matches('/'));
    let Ok(request) = Request::get(&address).body(Bytes::new()) else {
        return Found::bad(Problem::new("the server's address cannot be called", "check RC_SERVER_URL"));
    };
    let answer = match https.send(request).await {
        Ok(answer) => answer,
        Err(failure) => return Found::bad(unanswered(&failure)),
    };
    let (said, problem) = clock::compare(answer.headers(), SystemTime::now());
    let status = answer.status();
    let mut found = Found::good((), format!("it answers (HTTP {}); {said}", status.as_u16())).but(problem);
    if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
        found.problems.push(refusal(&ApiError::from_reply(status.as_u16(), answer.headers(), answer.body())));
    }
    found
}

/// What a login gives to the next steps.
pub(super) struct LoggedIn {
    pub(super) token: AccessToken,
    pub(super) tokens: Option<TokenSet>,
}

/// Where the callback of a credential source puts new tokens.
pub(super) type Kept = Arc<Mutex<Option<TokenSet>>>;

/// Logs in.
pub(super) async fn log_in(https: &dyn HttpsSender, source: &dyn CredentialSource, kept: &Kept) -> Found<LoggedIn> {
    match source.access_token(TokenRequest { reason: AuthReason::Missing, held: None, https }).await {
        Err(failure) => Found::bad(login_refused(&failure)),
        Ok(token) => {
            let tokens = kept.lock().ok().and_then(|mut kept| kept.take());
            let life = token.expires_in.map_or_else(String::new, |life| format!(" for {} s", life.as_secs()));
            let refresh = tokens.as_ref().is_some_and(|tokens| tokens.refresh_token.is_some());
            let mut found = Found::good(LoggedIn { token, tokens }, format!("an access token{life}"));
            if !refresh {
                let what = "the login has no refresh token, so every new token is a new login, which loses the session";
                let mend = "allow the app refresh tokens (grant type \"Refresh token\") in the developer console";
                found.problems.push(Problem::new(what, mend).minor());
            }
            found
        }
    }
}

fn login_refused(failure: &AuthFailure) -> Problem {
    let code = failure.code.as_deref();
    let mend = match (failure.kind, code) {
        (AuthFailureKind::RateLimited, _) => fewer_calls(failure.retry_after),
        (AuthFailureKind::Unavailable, _) => later(failure.retry_after),
        (AuthFailureKind::Network { .. }, _) => {
            "check the network and the proxy; the steps above say how far the way is free".to_owned()
        }
        (_, Some("OAU-146" | "OAU-153" | "invalid_client")) => {
            "check RC_APP_CLIENT_ID and RC_APP_CLIENT_SECRET: both of one app, and of this server (sandbox and production \
             have their own)"
                .to_owned()
        }
        (_, Some("OAU-140" | "OAU-141" | "OAU-142" | "OAU-213" | "invalid_grant")) => {
            "check RC_USER_JWT: make a new JWT credential in the developer console, for this app and this server; it may \
             have expired, been revoked, or be of another app"
                .to_owned()
        }
        (_, Some("OAU-112" | "OAU-250" | "unauthorized_client" | "unsupported_grant_type")) => {
            "turn on the JWT auth flow of the app in the developer console".to_owned()
        }
        // Of other rows the remedy is that of a call, such as to repeat it, which mends no login that is refused for good.
        (_, code) => code.and_then(lookup).filter(|row| row.class == Class::Permanent).map_or_else(
            || "check RC_SERVER_URL, RC_APP_CLIENT_ID, RC_APP_CLIENT_SECRET and RC_USER_JWT".to_owned(),
            |row| row.remedy.to_owned(),
        ),
    };
    Problem::new(&failure.message, mend).with_code(code)
}

/// Reads the extension, and the permissions that came with the login.
pub(super) async fn permissions(https: &dyn HttpsSender, server: &Url, login: &LoggedIn) -> Found<()> {
    let address = format!("{}/restapi/v1.0/account/~/extension/~", server.as_str().trim_end_matches('/'));
    let request = Request::get(&address)
        .header(header::AUTHORIZATION, format!("Bearer {}", login.token.secret.expose()))
        .body(Bytes::new());
    let Ok(request) = request else {
        return Found::bad(Problem::new("the server's address cannot be called", "check RC_SERVER_URL"));
    };
    let mut masker = Masker::new();
    masker.learn(login.token.secret.expose());
    let answer = match https.send(request).await {
        Ok(answer) => answer,
        Err(failure) => return Found { value: Some(()), ..Found::bad(unanswered(&failure)) },
    };
    let mut found = if answer.status().is_success() {
        let me: serde_json::Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        let text = |key: &str| me[key].as_str().unwrap_or("?").to_owned();
        Found::good((), format!("{}, extension {}", text("name"), text("extensionNumber")))
    } else {
        let error = ApiError::from_reply_masked(answer.status().as_u16(), answer.headers(), answer.body(), &masker);
        let mut problem = refusal(&error);
        if answer.status() == StatusCode::FORBIDDEN {
            problem = Problem { mend: format!("{}; here \"Read Accounts\"", problem.mend), ..problem }.minor();
        }
        Found { value: Some(()), ..Found::bad(problem) }
    };
    if let Some(scope) = login.tokens.as_ref().and_then(|tokens| tokens.scope.as_deref()) {
        found.good = format!("{}; permissions: {scope}", found.good);
        if !scope.to_ascii_lowercase().contains("websocket") {
            let what = "the permissions of the login do not name WebSocket subscriptions";
            let mend = "add the app permission \"WebSocket Subscriptions\" in the developer console, then log in again";
            found.problems.push(Problem::new(what, mend).minor());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mend(code: &str) -> String {
        let failure = AuthFailure { code: Some(code.into()), ..AuthFailure::permanent("m") };
        login_refused(&failure).mend
    }

    #[test]
    fn a_login_refused_for_good_is_not_told_to_repeat_calls() {
        let general = "check RC_SERVER_URL, RC_APP_CLIENT_ID, RC_APP_CLIENT_SECRET and RC_USER_JWT";
        for code in ["CMN-203", "CMN-301", "OAU-123", "CMN-102", "NEW-1"] {
            assert_eq!(mend(code), general, "{code}");
        }
        assert_eq!(Some(&*mend("CMN-401")), lookup("CMN-401").map(|row| row.remedy));
    }
}
