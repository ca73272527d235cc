//! Every code the gateway and the REST API are known to give, in one table.

use super::{Class, CodeRow, Ran};
use crate::classify::Cause;

const ADD_WEBSOCKET: &str =
    "add the app permission \"WebSocket Subscriptions\" in the developer console, then log in again";
const ADD_NAMED: &str = "add the app permission the message names (\"WebSocket Subscriptions\" for the WebSocket itself), then log in again";
const USER_RIGHTS: &str = "use an account that has this right, or ask its administrator for it";
const FILTERS: &str = "correct the event filter the message names";
const RELOGIN: &str = "none: a new access token is asked for once";
const NEW_LOGIN: &str = "log in again: this grant or client is not accepted any more";
const RECOVER: &str = "none: the session is recovered";
const WAIT: &str = "none: the call is repeated after Retry-After";
const LATER: &str = "none: the call is repeated later";
const RENEW: &str = "none: the subscription is created again";
const REQUEST: &str = "correct the request";
const TRANSPORT: &str = "correct the delivery mode: this client sends only the WebSocket transport";

const fn row(
    code: &'static str,
    http: u16,
    meaning: &'static str,
    class: Class,
    ran: Ran,
    remedy: &'static str,
) -> CodeRow {
    CodeRow { code, http: if http == 0 { None } else { Some(http) }, meaning, class, ran, remedy, ending: None }
}

/// What a code says about the end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The server could not read the recovery handle.
    MalformedHandle,
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

    /// The cause that the application sees. `code` is that of the close frame.
    pub(crate) const fn cause(self, code: Option<u16>) -> Cause {
        match self {
            Self::MalformedHandle => Cause::MalformedWsc,
            Self::Idle => Cause::IdleTimeout,
            Self::TooOld => Cause::AbsoluteTimeout,
            Self::NoAuthorization => Cause::NoAuthorization,
            Self::Lost => Cause::SocketLost,
            Self::Away | Self::Closed => Cause::ServerClosed { code },
        }
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
use Ran::{Maybe, No};

/// One row for each code; a code with two meanings has one row for each HTTP status.
#[rustfmt::skip]
pub static CODES: &[CodeRow] = &[
    // The WebSocket gateway.
    row("WSG-400", 0, "malformed session context token", ForgetWsc, No, "none: the next connection is a fresh one")
        .ends(Ending::MalformedHandle),
    row("WSG-808", 400, "the body is neither an object nor a string", CallerBug, No,
        "send a JSON object or string, or no body"),
    row("WSG-902", 0, "idle timeout", RecoverSession, Maybe, RECOVER).ends(Ending::Idle),
    row("WSG-903", 0, "absolute timeout", RecoverSession, Maybe, RECOVER).ends(Ending::TooOld),
    row("WSG-1003", 0, "the session belongs to another login", Resubscribe, Maybe,
        "refresh tokens instead of logging in anew, so that sessions can be recovered"),
    row("WSG-1005", 0, "the session had no subscription to recover", Resubscribe, Maybe, RENEW),
    // Close codes.
    row("1000", 0, "closed by the server", RecoverSession, Maybe, RECOVER).ends(Ending::Closed),
    row("1001", 0, "the server is going away", RecoverSession, Maybe, RECOVER).ends(Ending::Away),
    row("1006", 0, "the connection was lost", RecoverSession, Maybe, RECOVER).ends(Ending::Lost),
    row("1012", 0, "the service restarts", RecoverSession, Maybe, RECOVER).ends(Ending::Away),
    row("1013", 0, "the service asks to try again later", RecoverSession, Maybe, RECOVER).ends(Ending::Away),
    row("4400", 0, "no authorization", RefreshToken, Maybe, RELOGIN).ends(Ending::NoAuthorization),
    // Subscriptions.
    row("SUB-402", 403, "the presence feature is disabled", Permanent, No, USER_RIGHTS),
    row("SUB-403", 403, "may not monitor this presence", Permanent, No, USER_RIGHTS),
    row("SUB-404", 403, "may not pick up calls of this extension", Permanent, No, USER_RIGHTS),
    row("SUB-405", 403, "may not subscribe to messages of other extensions", Permanent, No, USER_RIGHTS),
    row("SUB-406", 403, "the filter names another account", Permanent, No, FILTERS),
    row("SUB-407", 403, "only for the APNS transport", Permanent, No, FILTERS),
    row("SUB-408", 403, "the filter names an unknown user", Permanent, No, FILTERS),
    row("SUB-505", 403, "too many subscriptions", FreeSubscriptions, No,
        "list the subscriptions of this user and app and delete those not in use"),
    row("SUB-507", 404, "the subscription has expired", Resubscribe, No, RENEW),
    row("SUB-508", 400, "invalid event filters", Permanent, No, FILTERS),
    row("SUB-511", 405, "only for the APNS transport", Permanent, No, TRANSPORT),
    row("SUB-515", 0, "wrong transport parameter", Permanent, No, TRANSPORT),
    row("SUB-518", 0, "wrong transport parameter", Permanent, No, TRANSPORT),
    row("SUB-522", 0, "wrong transport parameter", Permanent, No, TRANSPORT),
    row("SUB-525", 0, "wrong transport parameter", Permanent, No, TRANSPORT),
    row("SUB-527", 0, "wrong transport parameter", Permanent, No, TRANSPORT),
    row("SUB-528", 403, "the app may not use the WebSocket transport", Permanent, No, ADD_WEBSOCKET),
    row("SUB-530", 0, "wrong transport parameter", Permanent, No, TRANSPORT),
    row("SUB-531", 0, "wrong transport parameter", Permanent, No, TRANSPORT),
    // Common: requests and permissions.
    row("CMN-101", 400, "a parameter is invalid", Permanent, No, REQUEST),
    row("CMN-102", 404, "the resource was not found", Resubscribe, No, RENEW),
    row("CMN-103", 400, "the JSON cannot be parsed", CallerBug, No, REQUEST),
    row("CMN-104", 400, "the request cannot be parsed", CallerBug, No, REQUEST),
    row("CMN-106", 400, "too many ids in one batch", CallerBug, No, "ask for at most 30 ids at once"),
    row("CMN-120", 404, "invalid URI", Permanent, No, REQUEST),
    row("CMN-401", 403, "the app lacks a permission", Permanent, No, ADD_NAMED),
    row("InsufficientPermissions", 403, "the app lacks a permission", Permanent, No, ADD_NAMED),
    row("CMN-402", 403, "an administrator is needed", Permanent, No, USER_RIGHTS),
    row("CMN-403", 403, "not for this type of extension", Permanent, No, USER_RIGHTS),
    row("CMN-404", 403, "not for another extension", Permanent, No, USER_RIGHTS),
    row("CMN-405", 401, "a login to the extension is needed", RefreshToken, No, RELOGIN),
    row("CMN-408", 403, "the user lacks the permission the message names", Permanent, No, USER_RIGHTS),
    // Tokens and logins.
    row("OAU-112", 403, "this grant type is refused", Permanent, No, NEW_LOGIN),
    row("OAU-123", 401, "the access token has expired", RefreshToken, No, RELOGIN),
    row("OAU-128", 401, "the access token is corrupted", RefreshToken, No, RELOGIN),
    row("OAU-129", 401, "the access token is corrupted", RefreshToken, No, RELOGIN),
    row("OAU-134", 401, "the authorization header is wrong", RefreshToken, No, RELOGIN),
    row("OAU-140", 401, "the login is refused", Permanent, No, NEW_LOGIN),
    row("OAU-141", 401, "the login is refused", Permanent, No, NEW_LOGIN),
    row("OAU-142", 401, "the login is refused", Permanent, No, NEW_LOGIN),
    row("OAU-146", 401, "the client is refused", Permanent, No, "check the client id and secret"),
    row("OAU-149", 401, "the token cannot be parsed", RefreshToken, No, RELOGIN),
    row("OAU-151", 401, "the token cannot be used", RefreshToken, No, RELOGIN),
    row("OAU-213", 401, "the token was not found", RefreshToken, No, RELOGIN),
    row("OAU-213", 400, "the refresh token is dead", Permanent, No, NEW_LOGIN),
    row("invalid_grant", 400, "the refresh token or assertion is dead", Permanent, No, NEW_LOGIN),
    row("AGW-401", 401, "the authorization header is missing", RefreshToken, No, RELOGIN),
    row("AGW-402", 401, "the authorization header is invalid", RefreshToken, No, RELOGIN),
    // Rates.
    row("CMN-301", 429, "too many requests", RateLimited, No, WAIT),
    row("CMN-302", 429, "too many requests", RateLimited, No, WAIT),
    row("CMN-303", 429, "too many requests", RateLimited, No, WAIT),
    row("CMN-304", 429, "too many requests", RateLimited, No, WAIT),
    row("CMN-310", 429, "too many requests", RateLimited, No, WAIT),
    // The server.
    row("CMN-201", 503, "temporarily unavailable", Transient, Maybe, LATER),
    row("CMN-202", 501, "not available", Transient, Maybe, LATER),
    row("CMN-203", 500, "internal error", Transient, Maybe, LATER),
    row("CMN-211", 503, "temporarily unavailable (high availability)", Transient, Maybe, LATER),
    row("MaintenanceMode", 503, "maintenance", Transient, Maybe, LATER),
];
