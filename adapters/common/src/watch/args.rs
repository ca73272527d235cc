//! The command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use lexopt::prelude::*;
use ringcentral_ws_api::Filter;
use ringcentral_ws_core::Filters;

use super::record::{is_stdout, is_stream};
use crate::file::{beside_target, is_same};

/// What was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// One JSON object a line.
    pub json: bool,
    /// Where the session is kept.
    pub state: Option<PathBuf>,
    /// REST calls over the WebSocket.
    pub rest_over_websocket: bool,
    /// What may have been missed in a gap is fetched.
    pub backfill: bool,
    /// After a loss nothing is tried until `recover`.
    pub no_auto_recover: bool,
    /// Where the flight recorder's text goes.
    pub record: Option<PathBuf>,
    /// Logins and token calls allowed in a minute, if not as many as RingCentral documents.
    pub auth_calls: Option<usize>,
    /// A file of certificates in PEM that are trusted too.
    pub ca_file: Option<PathBuf>,
    /// The login of this file in place of the environment's. Not an option of the examples.
    pub login: Option<PathBuf>,
    /// Whether the login is given back at the end; `None` where the program has no such option.
    pub revoke_login: Option<bool>,
    /// Each message on stderr.
    pub debug: bool,
    /// Event filters.
    pub filters: Vec<String>,
}

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Ask {
    /// Watch.
    Watch(Options),
    /// Show the help.
    Help,
    /// Show the version.
    Version,
}

/// The arguments, in one line.
pub const USAGE: &str = "[--json] [--state FILE] [--record FILE] [--backfill] [--rest-over-websocket] [--no-auto-recover] [--auth-calls N] \
     [--ca-file FILE] [--debug] FILTER…";

/// A short name, and its filter.
type Named = (&'static str, fn() -> Filter);

/// Filters that have a short name.
const NAMED: [Named; 11] = [
    ("sms", Filter::sms),
    ("message-store", Filter::message_store),
    ("voicemail", Filter::voicemail),
    ("fax", Filter::fax),
    ("presence", Filter::presence),
    ("detailed-presence", || Filter::presence().detailed()),
    ("account-presence", Filter::account_presence),
    ("dnd", Filter::dnd),
    ("calls", Filter::telephony_sessions),
    ("account-calls", Filter::account_telephony_sessions),
    ("team-posts", Filter::team_posts),
];

/// The names of filters that have a short one, in the order of the help.
pub fn filter_names() -> impl Iterator<Item = &'static str> {
    NAMED.iter().map(|(name, _)| *name)
}

/// The event filter that a short name stands for, or that is written out.
///
/// # Errors
///
/// One line that names what there is.
pub fn filter(text: &str) -> Result<String, String> {
    if let Some((_, filter)) = NAMED.iter().find(|(name, _)| *name == text) {
        return Ok(filter().into());
    }
    if text.starts_with('/') {
        return Ok(text.to_owned());
    }
    let names: Vec<_> = filter_names().collect();
    Err(format!("{text:?} is no event filter: one has to begin with '/', or to be one of {}", names.join(", ")))
}

/// What `--help` shows.
#[must_use]
pub fn help(name: &str) -> String {
    let names: Vec<_> = filter_names().collect();
    let (first, last) = names.split_at(names.len() / 2);
    let names = format!("{},\n  {}", first.join(", "), last.join(", "));
    format!(
        "Shows RingCentral notifications as they come, until Ctrl-C. A second Ctrl-C ends it at once.

Usage: {name} {USAGE}

FILTER is an event filter, such as
  /restapi/v1.0/account/~/extension/~/message-store/instant?type=SMS
or a short name: {names}

  --json                 one JSON object a line on stdout; commands, one a line, on stdin
  --state FILE           keep the session in FILE and the login in FILE.login, so that the next start continues it;
                         both are secret. They must be regular files of yours and are made private; no other process
                         can use them meanwhile, for which FILE.rcws.lock is beside them.
                         A file that holds something else is refused; a damaged one is kept as FILE.bad,
                         later ones as FILE.bad.1 to FILE.bad.8
  --record FILE          write what the flight recorder holds to FILE after trouble and at the end, secrets masked;
                         a file like those of --state, or a stream: -, /dev/stdout, /dev/stderr
  --backfill             after each gap fetch over REST what may have been missed, and show it with what cannot be fetched;
                         with --state a later start goes on with it
  --rest-over-websocket  send REST calls over the WebSocket where it can carry them
  --no-auto-recover      after a loss wait for the command `recover`
  --auth-calls N         make at most N logins and token calls a minute; 5 if not given, the documented limit of a user
                         and app. With --state it holds over restarts
  --ca-file FILE         trust the certificates in FILE (PEM) too, such as those of a company's proxy; without it the
                         file that SSL_CERT_FILE in the environment names
  --debug                show each message on stderr, with secrets masked
  --help, --version

Credentials come from the environment: RC_APP_CLIENT_ID, RC_APP_CLIENT_SECRET, RC_USER_JWT and, unless it is
https://platform.ringcentral.com, RC_SERVER_URL; or RINGCENTRAL_CLIENT_ID, RINGCENTRAL_CLIENT_SECRET,
RINGCENTRAL_JWT_TOKEN and RINGCENTRAL_SERVER_URL. Without any, a server that plays RingCentral is started in this
process and a demonstration runs.

Commands for --json:
  {{\"cmd\":\"subscribe\",\"filters\":[\"/…\"]}}
  {{\"cmd\":\"unsubscribe\"}}
  {{\"cmd\":\"request\",\"id\":1,\"method\":\"GET\",\"path\":\"/restapi/v1.0/account/~\",\"query\":{{}},\"headers\":{{}},\"body\":null}}
  {{\"cmd\":\"recover\"}}
  {{\"cmd\":\"close\",\"mode\":\"revoke\"}}   or \"detach\"

Exit status: 0 after close, 1 after a permanent error or when the server cannot be reached at the start (3 attempts),
2 for bad usage.
"
    )
}

/// Reads the command line, without the program's name.
///
/// # Errors
///
/// One line that says what to change.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Ask, String> {
    let mut options = Options::default();
    let mut parser = lexopt::Parser::from_args(args);
    while let Some(arg) = parser.next().map_err(|error| error.to_string())? {
        match arg {
            Long("json") => options.json = true,
            Long("state") => {
                let file = parser.value().map_err(|_| "--state needs the name of a file".to_owned())?;
                options.state = Some(PathBuf::from(file));
            }
            Long("record") => {
                let file = parser.value().map_err(|_| "--record needs the name of a file".to_owned())?;
                options.record = Some(PathBuf::from(file));
            }
            Long("backfill") => options.backfill = true,
            Long("rest-over-websocket") => options.rest_over_websocket = true,
            Long("no-auto-recover") => options.no_auto_recover = true,
            Long("auth-calls") => {
                let number = parser.value().ok().and_then(|value| value.into_string().ok()?.parse().ok());
                let number = number.filter(|number| *number > 0);
                options.auth_calls = Some(number.ok_or("--auth-calls needs a number of at least 1")?);
            }
            Long("ca-file") => {
                let file = parser.value().map_err(|_| "--ca-file needs the name of a file".to_owned())?;
                options.ca_file = Some(PathBuf::from(file));
            }
            Long("debug") => options.debug = true,
            Short('h') | Long("help") => return Ok(Ask::Help),
            Short('V') | Long("version") => return Ok(Ask::Version),
            Value(filter) => {
                options.filters.push(filter.into_string().map_err(|_| "a filter is not UTF-8".to_owned())?)
            }
            other => return Err(format!("{}; --help shows what there is", other.unexpected())),
        }
    }
    options.checked().map(Ask::Watch)
}

impl Options {
    /// The same with the filters written out, when all of it can be done.
    ///
    /// # Errors
    ///
    /// One line that says what to change.
    pub fn checked(mut self) -> Result<Self, String> {
        for (option, file) in [("--state", &self.state), ("--record", &self.record)] {
            file.as_deref().map_or(Ok(()), |file| check_file(option, file))?;
        }
        self.check_names()?;
        if self.json && self.record.as_deref().is_some_and(is_stdout) {
            return Err(
                "--record: with --json standard output is taken; give the name of a file, or /dev/stderr".to_owned()
            );
        }
        self.filters = self.filters.iter().map(|text| filter(text)).collect::<Result<_, _>>()?;
        if !self.filters.is_empty() {
            Filters::new(&self.filters).map_err(|error| error.to_string())?;
        }
        Ok(self)
    }

    /// Each file has one use.
    fn check_names(&self) -> Result<(), String> {
        let of_state = self.state.as_deref().map(|file| beside_target(file, "login"));
        let record = self.record.as_deref().filter(|file| !is_stream(file));
        let files = [
            ("--state", self.state.as_deref()),
            ("the login of --state", of_state.as_deref()),
            ("--record", record),
            ("--login", self.login.as_deref()),
        ];
        for (at, (one, first)) in files.iter().enumerate() {
            for (other, second) in &files[at + 1..] {
                if let (Some(first), Some(second)) = (first, second)
                    && is_same(first, second)
                {
                    return Err(format!("{one} and {other} name the same file; give each its own"));
                }
            }
        }
        Ok(())
    }
}

fn check_file(option: &str, file: &Path) -> Result<(), String> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(format!("{option}: the folder {} does not exist", folder.display()));
    }
    if file.is_dir() || file.file_name().is_none() {
        return Err(format!("{option}: {} is a folder; give the name of a file", file.display()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &[&str]) -> Result<Ask, String> {
        parse(args.iter().map(OsString::from))
    }

    #[test]
    fn everything_is_read() {
        let all = [
            "--json",
            "--state",
            "s",
            "--record",
            "r",
            "--backfill",
            "--rest-over-websocket",
            "--no-auto-recover",
            "--auth-calls",
            "7",
            "--ca-file",
            "c",
            "--debug",
            "/a",
            "/b",
        ];
        let expected = Options {
            json: true,
            state: Some("s".into()),
            record: Some("r".into()),
            backfill: true,
            rest_over_websocket: true,
            no_auto_recover: true,
            auth_calls: Some(7),
            ca_file: Some("c".into()),
            login: None,
            revoke_login: None,
            debug: true,
            filters: vec!["/a".into(), "/b".into()],
        };
        assert_eq!(read(&all), Ok(Ask::Watch(expected)));
        assert_eq!(read(&[]), Ok(Ask::Watch(Options::default())));
        assert_eq!(read(&["--nope", "-h"]).map_err(|_| ()), Err(()));
        let Ok(Ask::Watch(named)) = read(&["sms", "detailed-presence"]) else { panic!("short names") };
        assert_eq!(named.filters, [Filter::sms().to_string(), Filter::presence().detailed().to_string()]);
        assert_eq!(read(&["--help"]), Ok(Ask::Help));
        assert!(help("watch").contains(USAGE));
    }

    #[test]
    fn mistakes_get_one_clear_line() {
        for (args, part) in [
            (&["--jsn"][..], "--jsn"),
            (&["--record"], "needs the name of a file"),
            (&["--record", "/nowhere/at/all/r"], "does not exist"),
            (&["--state"], "needs the name of a file"),
            (&["--json=1"], "--json"),
            (&["--state", "/nowhere/at/all/s"], "does not exist"),
            (&["--state", "/"], "is a folder"),
            (&["--state", "x", "--record", "x"], "--state and --record name the same file"),
            (&["--state", "x", "--record", "./x"], "--state and --record name the same file"),
            (&["--state", "x", "--record", "../common/x.login"], "login of --state and --record name the same file"),
            (&["--json", "--record", "-"], "standard output is taken"),
            (&["--record=/dev/stdout", "--json"], "standard output is taken"),
            (&["smss"], "begin with '/'"),
            (&["smss"], "voicemail"),
            (&["--ca-file"], "needs the name of a file"),
            (&["/a b"], "%20"),
        ] {
            let error = read(args).unwrap_err();
            assert!(error.contains(part) && !error.contains('\n'), "{args:?}: {error}");
        }
    }
}
