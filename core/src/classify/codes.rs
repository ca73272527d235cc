//! Every code the gateway and the REST API are known to give, in one table.

/// One code the server may give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeRow {
    /// The code as the server writes it; close codes in decimal.
    pub code: &'static str,
    /// The HTTP status it comes with, if it is tied to one.
    pub http: Option<u16>,
    /// What it means.
    pub meaning: &'static str,
    /// What a client does.
    pub class: Class,
    /// What a person can do; begins with `none` where nothing is needed.
    pub remedy: &'static str,
    /// How it ends a connection, if it does.
    pub(crate) ending: Option<Ending>,
}

/// What a client does about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Nothing: only a change by a person helps.
    Permanent,
    /// Asks for a new access token, at most twice in a row ([TOK-4](crate::protocol#tok-4)).
    RefreshToken,
    /// Waits as long as the server says.
    RateLimited,
    /// Tries again later.
    Transient,
    /// Creates the subscription again.
    Resubscribe,
    /// Frees subscriptions, then tries again slowly.
    FreeSubscriptions,
    /// Connects again with the recovery token.
    RecoverSession,
    /// Connects again without the recovery token.
    ForgetWsc,
    /// Nothing: the request itself is wrong.
    CallerBug,
}

/// The row of a code; the first one if it has several.
#[must_use]
pub fn lookup(code: &str) -> Option<&'static CodeRow> {
    CODES.iter().find(|row| row.code == code)
}

/// The row of a code, by preference the one for this status.
pub(super) fn lookup_for(status: u16, code: &str) -> Option<&'static CodeRow> {
    CODES.iter().find(|row| row.code == code && row.http == Some(status)).or_else(|| lookup(code))
}

/// The class of an answer: by its code if that is known, else by its status. 429 always counts as 429.
#[must_use]
pub fn classify(status: u16, code: Option<&str>) -> Class {
    if status == 429 {
        return Class::RateLimited;
    }
    if let Some(row) = code.and_then(|code| lookup_for(status, code)) {
        return row.class;
    }
    match status {
        401 => Class::RefreshToken,
        408 => Class::Transient,
        400..=499 => Class::Permanent,
        _ => Class::Transient,
    }
}

const ADD_WEBSOCKET: &str =
    "add the app permission \"WebSocket Subscriptions\" in the developer console, then log in again";
const ADD_NAMED: &str = "add the app permission the message names (\"WebSocket Subscriptions\" for the WebSocket itself), then log in again";
const USER_RIGHTS: &str = "use an account that has this right, or ask its administrator for it";
const FILTERS: &str = "correct the event filter the message names";
/// Not `none`: nobody asks for a token when the application calls over the socket.
pub(super) const RELOGIN: &str =
    "another access token is needed (the client asks for one after a 401 over HTTPS and for calls of its own)";
/// Of a JWT first, because that is what most programs log in with.
const NEW_GRANT: &str = "make a new JWT credential in the developer console, or let the user log in again: this grant is not accepted any more";
const NEW_LOGIN: &str = "log in again: this grant or client is not accepted any more";
const NEW_WS_TOKEN: &str = "none: a new WebSocket token is fetched, and the session is recovered";
const RECOVER: &str = "none: the session is recovered";
const OWN_NUMBER: &str = "send from a number of the user: /restapi/v1.0/account/~/extension/~/phone-number lists them";
pub(super) const WAIT: &str = "repeat the call after Retry-After (the client does so with calls of its own)";
pub(super) const LATER: &str = "repeat the call later (the client does so with calls of its own)";
const RENEW: &str = "subscribe again (the client does so when its own subscription has expired)";
const NOT_FOUND: &str = "check the ids: what the path or an event filter names does not exist";
const REQUEST: &str = "correct the request";
const TRANSPORT: &str = "correct the delivery mode: this client sends only the WebSocket transport";

const fn row(code: &'static str, http: u16, meaning: &'static str, class: Class, remedy: &'static str) -> CodeRow {
    CodeRow { code, http: if http == 0 { None } else { Some(http) }, meaning, class, remedy, ending: None }
}

/// What a code says about the end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The server could not read the recovery token.
    MalformedWsc,
    /// No data message came for too long.
    Idle,
    /// The connection grew too old.
    TooOld,
    /// The server saw no token.
    NoAuthorization,
    /// There was no close frame.
    Lost,
    /// The server goes away, for everybody.
    Away,
    /// The server closed this connection.
    Closed,
}

impl Ending {
    /// Of an `Error` message that is about the connection.
    pub(crate) fn of_error(code: &str) -> Option<Self> {
        CODES.iter().find(|row| row.code == code && row.close_code().is_none())?.ending
    }

    /// Of a close frame, if there was one. A code that is not in the table closes the connection like any other.
    pub(crate) fn of_close(code: Option<u16>) -> Self {
        let Some(code) = code else { return Self::Lost };
        CODES.iter().find(|row| row.close_code() == Some(code)).and_then(|row| row.ending).unwrap_or(Self::Closed)
    }
}

impl CodeRow {
    const fn ends(mut self, ending: Ending) -> Self {
        self.ending = Some(ending);
        self
    }

    /// The code as a number, if it is that of a close frame.
    fn close_code(&self) -> Option<u16> {
        self.code.parse().ok()
    }
}

use Class::{
    CallerBug, ForgetWsc, FreeSubscriptions, Permanent, RateLimited, RecoverSession, RefreshToken, Resubscribe,
    Transient,
};

/// Of a failed recovery: the session was there, without a subscription.
pub(crate) const NO_SUBSCRIPTION: &str = "WSG-1005";

/// One row for each code; a code with two meanings has one row for each HTTP status.
#[rustfmt::skip]
pub static CODES: &[CodeRow] = &[
    // The WebSocket gateway.
    row("WSG-400", 0, "malformed session context token", ForgetWsc, "none: the next connection is a fresh one")
        .ends(Ending::MalformedWsc),
    row("WSG-808", 400, "the body is neither an object nor a string", CallerBug,
        "send a JSON object or string, or no body"),
    row("WSG-902", 0, "idle timeout", RecoverSession, RECOVER).ends(Ending::Idle),
    row("WSG-903", 0, "absolute timeout", RecoverSession, RECOVER).ends(Ending::TooOld),
    row("WSG-1003", 0, "the session belongs to another login", Resubscribe,
        "refresh tokens instead of logging in anew, so that sessions can be recovered"),
    row(NO_SUBSCRIPTION, 0, "the session had no subscription to recover", Resubscribe,
        "none: the subscription is created again"),
    // Close codes. `ends` says what the client does; class and remedy say it to readers.
    row("1000", 0, "closed by the server", RecoverSession, RECOVER).ends(Ending::Closed),
    row("1001", 0, "the server is going away", RecoverSession, RECOVER).ends(Ending::Away),
    row("1006", 0, "the connection was lost", RecoverSession, RECOVER).ends(Ending::Lost),
    row("1012", 0, "the service restarts", RecoverSession, RECOVER).ends(Ending::Away),
    row("1013", 0, "the service asks to try again later", RecoverSession, RECOVER).ends(Ending::Away),
    row("4400", 0, "no authorization", RecoverSession, NEW_WS_TOKEN).ends(Ending::NoAuthorization),
    // Subscriptions.
    row("SUB-402", 403, "the presence feature is disabled", Permanent, USER_RIGHTS),
    row("SUB-403", 403, "may not monitor this presence", Permanent, USER_RIGHTS),
    row("SUB-404", 403, "may not pick up calls of this extension", Permanent, USER_RIGHTS),
    row("SUB-405", 403, "may not subscribe to messages of other extensions", Permanent, USER_RIGHTS),
    row("SUB-406", 403, "the filter names another account", Permanent, FILTERS),
    row("SUB-407", 403, "only for the APNS transport", Permanent, FILTERS),
    row("SUB-408", 403, "the filter names an unknown user", Permanent, FILTERS),
    row("SUB-505", 403, "too many subscriptions", FreeSubscriptions,
        "list the subscriptions of this user and app and delete those not in use"),
    row("SUB-507", 404, "the subscription has expired", Resubscribe, RENEW),
    row("SUB-508", 400, "invalid event filters", Permanent, FILTERS),
    row("SUB-511", 405, "only for the APNS transport", Permanent, TRANSPORT),
    row("SUB-515", 0, "wrong transport parameter", Permanent, TRANSPORT),
    row("SUB-518", 0, "wrong transport parameter", Permanent, TRANSPORT),
    row("SUB-522", 0, "wrong transport parameter", Permanent, TRANSPORT),
    row("SUB-525", 0, "wrong transport parameter", Permanent, TRANSPORT),
    row("SUB-527", 0, "wrong transport parameter", Permanent, TRANSPORT),
    row("SUB-528", 403, "the app may not use the WebSocket transport", Permanent, ADD_WEBSOCKET),
    row("SUB-530", 0, "wrong transport parameter", Permanent, TRANSPORT),
    row("SUB-531", 0, "wrong transport parameter", Permanent, TRANSPORT),
    // Common: requests and permissions.
    row("CMN-101", 400, "a parameter is invalid", Permanent, REQUEST),
    row("CMN-102", 404, "the resource was not found", Resubscribe, NOT_FOUND),
    row("CMN-103", 400, "the JSON cannot be parsed", CallerBug, REQUEST),
    row("CMN-104", 400, "the request cannot be parsed", CallerBug, REQUEST),
    row("CMN-106", 400, "too many ids in one batch", CallerBug, "ask for at most 30 ids at once"),
    row("CMN-120", 404, "invalid URI", Permanent, REQUEST),
    row("CMN-401", 403, "the app lacks a permission", Permanent, ADD_NAMED),
    row("InsufficientPermissions", 403, "the app lacks a permission", Permanent, ADD_NAMED),
    row("CMN-402", 403, "an administrator is needed", Permanent, USER_RIGHTS),
    row("CMN-403", 403, "not for this type of extension", Permanent, USER_RIGHTS),
    row("CMN-404", 403, "not for another extension", Permanent, USER_RIGHTS),
    row("CMN-405", 401, "a login to the extension is needed", RefreshToken, RELOGIN),
    row("CMN-408", 403, "the user lacks the permission the message names", Permanent, USER_RIGHTS),
    row("MSG-304", 403, "an SMS from a number that is not the user's", Permanent, OWN_NUMBER),
    // Tokens and logins.
    row("OAU-112", 403, "this grant type is refused", Permanent, NEW_LOGIN),
    row("OAU-123", 401, "the access token has expired", RefreshToken, RELOGIN),
    row("OAU-128", 401, "the access token is corrupted", RefreshToken, RELOGIN),
    row("OAU-129", 401, "the access token is corrupted", RefreshToken, RELOGIN),
    row("OAU-134", 401, "the authorization header is wrong", RefreshToken, RELOGIN),
    row("OAU-140", 401, "the login is refused", Permanent, NEW_GRANT),
    row("OAU-141", 401, "the login is refused", Permanent, NEW_LOGIN),
    row("OAU-142", 401, "the login is refused", Permanent, NEW_LOGIN),
    row("OAU-146", 401, "the client is refused", Permanent, "check the client id and secret"),
    row("OAU-149", 401, "the token cannot be parsed", RefreshToken, RELOGIN),
    row("OAU-151", 401, "the token cannot be used", RefreshToken, RELOGIN),
    row("OAU-213", 401, "the token was not found", RefreshToken, RELOGIN),
    row("OAU-213", 400, "the refresh token is dead", Permanent, NEW_LOGIN),
    row("invalid_grant", 400, "the refresh token or assertion is dead", Permanent, NEW_LOGIN),
    row("AGW-401", 401, "the authorization header is missing", RefreshToken, RELOGIN),
    row("AGW-402", 401, "the authorization header is invalid", RefreshToken, RELOGIN),
    // Rates.
    row("CMN-301", 429, "too many requests", RateLimited, WAIT),
    row("CMN-302", 429, "too many requests", RateLimited, WAIT),
    row("CMN-303", 429, "too many requests", RateLimited, WAIT),
    row("CMN-304", 429, "too many requests", RateLimited, WAIT),
    row("CMN-310", 429, "too many requests", RateLimited, WAIT),
    // The server.
    row("CMN-201", 503, "temporarily unavailable", Transient, LATER),
    row("CMN-202", 501, "not available", Transient, LATER),
    row("CMN-203", 500, "internal error", Transient, LATER),
    row("CMN-211", 503, "temporarily unavailable (high availability)", Transient, LATER),
    row("MaintenanceMode", 503, "maintenance", Transient, LATER),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_decides_where_no_code_is_known() {
        let by_status = [(401, Class::RefreshToken), (403, Class::Permanent), (404, Class::Permanent)];
        for (status, class) in by_status.into_iter().chain([(408, Class::Transient), (503, Class::Transient)]) {
            assert_eq!(classify(status, None), class);
            assert_eq!(classify(status, Some("NEW-1")), class);
        }
        assert_eq!(classify(429, Some("CMN-101")), Class::RateLimited);
        assert_eq!(classify(401, Some("OAU-213")), Class::RefreshToken);
        assert_eq!(classify(400, Some("OAU-213")), Class::Permanent);
        assert_eq!(classify(0, None), Class::Transient);
    }

    #[test]
    fn table_has_one_row_for_each_code_and_status() {
        for (i, row) in CODES.iter().enumerate() {
            assert!(!row.meaning.is_empty() && !row.remedy.is_empty());
            assert!(!CODES[..i].iter().any(|other| other.code == row.code && other.http == row.http), "{}", row.code);
        }
        // The same row is read by whom the client cannot help: a call of the application, or a subscription refused for good.
        for row in CODES.iter().filter(|row| row.http.is_some()) {
            assert!(!row.remedy.starts_with("none"), "{}", row.code);
        }
        assert_eq!(lookup("WSG-400").unwrap().class, Class::ForgetWsc);
        assert_eq!(lookup("4400").unwrap().class, Class::RecoverSession);
        assert_eq!(lookup(""), None);
    }
}
