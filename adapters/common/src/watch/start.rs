//! What comes before the loop: the command line, the credentials, the files, and the start of the client.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use ringcentral_ws_api::{Backfill, ClientApp, EnvError, Filter, TokenSet};
use ringcentral_ws_core::{Config, Identity, Secret, Snapshot, recorder};
use rustls::ClientConfig;

use super::args::{self, Ask, Options};
use super::demo::{self, Perform, StartDemo};
use super::state::{self, StateFile};
use super::{FAILED, Files, USAGE, complain};
use crate::setup::Settings;
use crate::start_error::StartError;
use crate::terminal;
use crate::tls::TlsSettings;

/// What the command line asks to watch; the status to end with when it asks for something else.
///
/// # Errors
///
/// The exit status.
pub fn ask(name: &str, arguments: impl IntoIterator<Item = OsString>) -> Result<Options, u8> {
    let text = match args::parse(arguments) {
        Ok(Ask::Watch(options)) => return Ok(options),
        Ok(Ask::Help) => args::help(name),
        Ok(Ask::Version) => format!("{name} {}\n", env!("CARGO_PKG_VERSION")),
        Err(why) => return Err(complain(name, &why, USAGE)),
    };
    Err(u8::from(io::stdout().write_all(text.as_bytes()).is_err()))
}

/// The credentials of the environment, or those of a demonstration, and what makes its server do something.
///
/// # Errors
///
/// The exit status, after a line on stderr.
pub fn credentials<J>(
    name: &str,
    from_env: Result<J, EnvError>,
    start_demo: StartDemo,
    jwt: impl FnOnce(ClientApp, Secret) -> J,
) -> Result<(J, Option<Perform>), u8> {
    match from_env {
        Ok(credentials) => Ok((credentials, None)),
        Err(EnvError::Nothing) => match start_demo() {
            Ok(server) => Ok((jwt(server.app, server.jwt), Some(server.perform))),
            Err(why) => Err(complain(name, &format!("the demonstration's server did not start: {why}"), FAILED)),
        },
        Err(error) => Err(complain(name, &error.to_string(), USAGE)),
    }
}

/// Looks at the options once more and takes the files they name.
///
/// # Errors
///
/// The exit status, after a line on stderr.
pub fn claim(name: &str, options: &mut Options, is_demo: bool) -> Result<Files, u8> {
    if is_demo {
        terminal::complain(name, "no credentials in the environment, so this is a demonstration; see --help");
        if !options.filters.iter().any(|filter| *filter == demo::FILTER.as_str()) {
            options.filters.push(demo::FILTER.into());
        }
    } else if options.filters.is_empty() && !options.json && options.state.is_none() {
        let why = format!("no event filter: give at least one, such as {}", Filter::presence());
        return Err(complain(name, &why, USAGE));
    }
    let files = Files::claim(options).map_err(|why| complain(name, &why.to_string(), USAGE))?;
    files.notices().for_each(|notice| terminal::complain(name, &notice));
    Ok(files)
}

/// Starts a client by `begin`, with the kept session if there is one, and without it if it cannot be used.
///
/// # Errors
///
/// The exit status, after a line on stderr.
pub fn start<T>(
    name: &str,
    options: &Options,
    file: Option<&StateFile>,
    app: &ClientApp,
    is_demo: bool,
    begin: impl Fn(Settings) -> Result<T, StartError>,
) -> Result<T, u8> {
    let unusable = |why: &str| state::unusable(name, options.json, why);
    let lost = || Some(state::lost(app));
    let snapshot = match file.map(StateFile::load) {
        None => None,
        Some(Ok(snapshot)) => snapshot,
        Some(Err(why)) => {
            unusable(&why);
            lost()
        }
    };
    let tls = trusted(name, options.ca_file.as_deref())?;
    let begin = |snapshot| begin(Settings { tls: tls.clone(), ..settings(options, app, is_demo, snapshot) });
    let started = match begin(snapshot) {
        Err(StartError::Snapshot(why)) => {
            unusable(&why.to_string());
            file.inspect(|file| file.refused(&why));
            begin(lost())
        }
        started => started,
    };
    started.map_err(|why| complain(name, &why.to_string(), USAGE))
}

/// The TLS settings with the certificates that `--ca-file` or `SSL_CERT_FILE` names; `None` without either.
///
/// # Errors
///
/// The exit status, after a line on stderr: the file of the option cannot be used. That of the environment may be meant
/// for other programs, so a fault of it is said and stops nothing.
pub fn trusted(name: &str, ca_file: Option<&Path>) -> Result<Option<Arc<ClientConfig>>, u8> {
    if let Some(file) = ca_file {
        return trust(file).map(Some).map_err(|why| complain(name, &format!("--ca-file: {why}"), USAGE));
    }
    let Some(file) = std::env::var_os("SSL_CERT_FILE").filter(|file| !file.is_empty()) else { return Ok(None) };
    Ok(trust(Path::new(&file))
        .map_err(|why| terminal::complain(name, &format!("SSL_CERT_FILE is not used: {why}")))
        .ok())
}

fn trust(file: &Path) -> Result<Arc<ClientConfig>, String> {
    let pem = std::fs::read(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    let made = TlsSettings::new().trust_pem(&pem).and_then(TlsSettings::build);
    made.map_err(|error| format!("{}: {error}", file.display()))
}

fn settings(options: &Options, app: &ClientApp, is_demo: bool, snapshot: Option<Snapshot>) -> Settings {
    let mut config = if is_demo { demo::config(&app.server) } else { Config::default() };
    config.rest_over_websocket = options.rest_over_websocket;
    config.auto_recover = !options.no_auto_recover;
    config.retry.auth_calls_per_minute = options.auth_calls.unwrap_or(config.retry.auth_calls_per_minute);
    let mut settings = Settings { config, snapshot, filters: options.filters.clone(), ..Settings::default() };
    if options.debug {
        settings.debug = Some(Arc::new(terminal::note));
    }
    settings.backfill = options.backfill.then(|| if is_demo { demo::backfill() } else { Backfill::new() });
    settings.recorder = options.record.as_ref().map(|_| recorder::Options::default());
    settings
}

/// The login beside a state file: the server recovers a session only for the login that made it.
pub struct KeptLogin {
    name: &'static str,
    file: StateFile,
    app: ClientApp,
    user: Option<Identity>,
}

impl KeptLogin {
    /// The login of this user of this app, if there is a state file.
    #[must_use]
    pub fn of(name: &'static str, file: Option<&StateFile>, app: &ClientApp, user: Option<Identity>) -> Option<Self> {
        Some(Self { name, file: file?.clone(), app: app.clone(), user })
    }

    /// The refresh token of an earlier run.
    #[must_use]
    pub fn token(&self) -> Option<Secret> {
        let kept = self.file.load_login(&self.app, self.user);
        kept.unwrap_or_else(|why| {
            terminal::complain(self.name, why);
            None
        })
    }

    /// Keeps the refresh token of these.
    pub fn keep(&self, tokens: &TokenSet) {
        if let Some(token) = &tokens.refresh_token
            && let Err(error) = self.file.save_login(&self.app, self.user, token)
        {
            let why = format!("the login cannot be kept, so the next start cannot recover: {error}");
            terminal::complain(self.name, &why);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_filled_if_that_is_asked_for() {
        let server = url::Url::parse("http://127.0.0.1:1").unwrap();
        let app = ClientApp { server, client_id: "id".to_owned(), client_secret: None };
        let made =
            |backfill, is_demo| settings(&Options { backfill, ..Options::default() }, &app, is_demo, None).backfill;
        assert_eq!((made(false, false), made(false, true)), (None, None));
        assert_eq!(made(true, false), Some(Backfill::new()));
        assert_eq!(made(true, true), Some(demo::backfill()));
    }
}
