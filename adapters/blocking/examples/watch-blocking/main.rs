//! Shows RingCentral notifications as they come; `--help` says more. Without credentials in the environment it plays
//! a demonstration on a server in this process.

mod login;
mod running;

use std::process::ExitCode;
use std::sync::Arc;

use ringcentral_ws_adapter::watch::reach::{LoginCalls, Reach};
use ringcentral_ws_adapter::watch::run::Run;
use ringcentral_ws_adapter::watch::screen::fit_complaints;
use ringcentral_ws_adapter::watch::start::{self, KeptLogin};
use ringcentral_ws_blocking::{Client, CredentialSource as _, Jwt};
use ringcentral_ws_conformance::demo;

use self::login::Login;
use self::running::{Happenings, Running};

/// The program's name.
const NAME: &str = "watch-blocking";

fn main() -> ExitCode {
    ExitCode::from(watch().unwrap_or_else(|status| status))
}

/// Gives the exit status, early or late.
fn watch() -> Result<u8, u8> {
    fit_complaints();
    let mut options = start::ask(NAME, std::env::args_os().skip(1))?;
    let happenings = Happenings::begin();
    let (credentials, perform) = start::credentials(NAME, Jwt::from_env(), Box::new(demo::start), Jwt::new)?;
    let files = start::claim(NAME, &mut options, perform.is_some())?;
    let app = credentials.app().clone();
    let kept = KeptLogin::of(NAME, files.state.as_ref(), &app, credentials.identity());
    let login = Arc::new(Login { jwt: keep_login(kept, credentials), calls: LoginCalls::default() });
    let reach = Reach::new(app.server.origin().ascii_serialization(), login.calls.clone());
    let (client, events) = start::start(NAME, &options, files.state.as_ref(), &app, perform.is_some(), |settings| {
        Client::builder(Arc::clone(&login)).settings(settings).start()
    })?;
    let run = Run::new(NAME, options, files, reach, perform, None);
    Ok(Running::run(run, client, events, happenings))
}

/// With a state file the login is kept too.
fn keep_login(kept: Option<KeptLogin>, mut credentials: Jwt) -> Jwt {
    let Some(kept) = kept else { return credentials };
    if let Some(token) = kept.token() {
        credentials = credentials.with_refresh_token(token);
    }
    credentials.on_tokens(move |tokens| kept.keep(tokens))
}
