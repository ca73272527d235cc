//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use clap_complete::Shell;
use ringcentral_ws_adapter::{replay, watch};

const ENVIRONMENT: &str = "\
Credentials come from the environment: RC_APP_CLIENT_ID, RC_APP_CLIENT_SECRET, RC_USER_JWT and, unless it is
https://platform.ringcentral.com, RC_SERVER_URL; or RINGCENTRAL_CLIENT_ID, RINGCENTRAL_CLIENT_SECRET,
RINGCENTRAL_JWT_TOKEN and RINGCENTRAL_SERVER_URL.

Exit status: 0 after an orderly end, 1 when something failed for good, 2 for bad usage.";

/// RingCentral's notifications over a WebSocket, and what is wrong when none come.
#[derive(Debug, Parser)]
#[command(name = "ringcentral-ws", version, after_help = ENVIRONMENT, disable_help_subcommand = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show notifications as they come, until Ctrl-C
    Tail(TailArgs),
    /// Log in by the browser (authorization code with PKCE), and keep the tokens in a file for --login
    Login(LoginArgs),
    /// Walk from the environment to a recovered session, and say of each step what is wrong and how to mend it
    Doctor(DoctorArgs),
    /// Replay a recording of the flight recorder and compare every output, and draw it
    Replay(ReplayArgs),
    /// Play RingCentral: a server on this machine to try programs against (`stand-in --help` lists its options)
    #[command(disable_help_flag = true)]
    StandIn {
        /// Options of the server
        #[arg(value_name = "OPTIONS", trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Print what a shell needs to complete this command
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page
    Man,
}

const TAIL: &str = "\
Without credentials in the environment a server that plays RingCentral is started in this process and a demonstration
runs. A second Ctrl-C ends it at once.

Short names of filters: sms, message-store, voicemail, fax, presence, detailed-presence, account-presence, dnd, calls,
account-calls, team-posts.

Commands for --json, one a line on stdin:
  {\"cmd\":\"subscribe\",\"filters\":[\"/…\"]}
  {\"cmd\":\"unsubscribe\"}
  {\"cmd\":\"request\",\"id\":1,\"method\":\"GET\",\"path\":\"/restapi/v1.0/account/~\",\"query\":{},\"headers\":{},\"body\":null}
  {\"cmd\":\"recover\"}
  {\"cmd\":\"close\",\"mode\":\"revoke\"}   or \"detach\"

Exit status: 0 after close, 1 after a permanent error or when the server cannot be reached at the start (3 attempts),
2 for bad usage.";

#[derive(Debug, clap::Args)]
#[command(after_help = TAIL)]
pub(crate) struct TailArgs {
    /// Event filters: paths that begin with /restapi/, or short names such as sms
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
    /// One JSON object a line on stdout; commands, one a line, on stdin
    #[arg(long)]
    json: bool,
    /// Keep the session in FILE and the login in FILE.login, so that the next start continues it; both are secret
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Write what the flight recorder holds to FILE after trouble and at the end, secrets masked; `-` is stdout
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// After each gap fetch over REST what may have been missed, and show it with what cannot be fetched; with --state a
    /// later start goes on with it
    #[arg(long)]
    backfill: bool,
    /// Send REST calls over the WebSocket where it can carry them
    #[arg(long)]
    rest_over_websocket: bool,
    /// After a loss wait for the command `recover`
    #[arg(long)]
    no_auto_recover: bool,
    /// Make at most N logins and token calls a minute [default: 5, the documented limit of a user and app]
    #[arg(long, value_name = "N")]
    auth_calls: Option<std::num::NonZeroUsize>,
    /// Trust the certificates in FILE (PEM) too; without it those in the file that SSL_CERT_FILE names
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Use the login in FILE, which `ringcentral-ws login FILE` made, in place of the environment's
    #[arg(long, value_name = "FILE")]
    login: Option<PathBuf>,
    /// Give the login back to the server at the end, and remove the file of --login; what --state keeps could not be
    /// continued then
    #[arg(long, conflicts_with = "state")]
    revoke_login: bool,
    /// Show each message on stderr, with secrets masked
    #[arg(long)]
    debug: bool,
}

const LOGIN: &str = "\
The app's id comes from the environment, RC_APP_CLIENT_ID (or RINGCENTRAL_CLIENT_ID), and so do its secret, unless it is a
public app, and the server. The redirect address must be one of those that the developer console has for the app; it is
listened on here, so it must be of this machine.

FILE gets mode 0600 and holds no secret of the app. One program can use it at a time, because a refresh token is good for
one use.";

#[derive(Debug, clap::Args)]
#[command(after_help = LOGIN)]
pub(crate) struct LoginArgs {
    /// Where the tokens go
    pub(crate) file: PathBuf,
    /// Address that the browser comes back to; with port 0 any free port is taken
    #[arg(long, value_name = "URI", default_value = "http://127.0.0.1:8765/")]
    pub(crate) redirect_uri: String,
    /// Print the address to open, and open no browser
    #[arg(long)]
    pub(crate) no_browser: bool,
    /// Give the login in FILE back to the server, and remove FILE
    #[arg(long)]
    pub(crate) revoke: bool,
    /// Trust the certificates in FILE (PEM) too; without it those in the file that SSL_CERT_FILE names
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
}

impl TailArgs {
    /// The options of `watch`, which this command is.
    pub(crate) fn options(self) -> watch::args::Options {
        watch::args::Options {
            json: self.json,
            state: self.state,
            backfill: self.backfill,
            rest_over_websocket: self.rest_over_websocket,
            no_auto_recover: self.no_auto_recover,
            record: self.record,
            auth_calls: self.auth_calls.map(std::num::NonZeroUsize::get),
            ca_file: self.ca_file,
            login: self.login,
            revoke_login: Some(self.revoke_login),
            debug: self.debug,
            filters: self.filters,
        }
    }
}

#[derive(Debug, clap::Args)]
#[command(after_help = DOCTOR)]
pub(crate) struct DoctorArgs {
    /// Event filters to try, as for `tail`; without one the presence of the extension is tried
    #[arg(value_name = "FILTER")]
    pub(crate) filters: Vec<String>,
    /// Use the login in FILE, which `ringcentral-ws login FILE` made, in place of the environment's
    #[arg(long, value_name = "FILE", conflicts_with = "stand_in")]
    pub(crate) login: Option<PathBuf>,
    /// Start a server that plays RingCentral in this process, and walk all steps against it
    #[arg(long)]
    pub(crate) stand_in: bool,
    /// One JSON object a step on stdout
    #[arg(long)]
    pub(crate) json: bool,
    /// Trust the certificates in FILE (PEM) too; without it those in the file that SSL_CERT_FILE names
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
}

const DOCTOR: &str = "\
Each step says what it does, and then `ok`, or what is wrong and how to mend it. Steps that need one that failed are left
out. It logs in once and connects twice, which counts against the five calls a minute of a user and app, and it ends what
it began on the server, also when a signal interrupts it.

Exit status: 0 when nothing is wrong, 1 when something is, 2 for bad usage, 130 after Ctrl-C, 143 after SIGTERM.";

#[derive(Debug, clap::Args)]
pub(crate) struct ReplayArgs {
    /// What `flight_record()` gave, or `tail --record FILE` wrote; `-` is stdin
    pub(crate) file: PathBuf,
    /// Print a sequence diagram: application, session, server
    #[arg(long)]
    pub(crate) diagram: bool,
    /// The same without box drawing
    #[arg(long)]
    pub(crate) ascii: bool,
    /// Width of a line of the diagram, at least 80
    #[arg(long, value_name = "N", default_value_t = replay::WIDTH)]
    pub(crate) width: usize,
    /// Write the diagram as an SVG image
    #[arg(long, value_name = "OUT")]
    pub(crate) svg: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn tail_has_the_options_and_the_filters_of_watch() {
        let command = Args::command();
        let tail = command.find_subcommand("tail").unwrap();
        let help = watch::args::help("watch");
        let own = ["login", "revoke-login"];
        for option in tail.get_arguments().filter_map(|arg| arg.get_long()).filter(|name| !own.contains(name)) {
            assert!(help.contains(&format!("--{option}")), "watch has no --{option}");
        }
        let all = watch::args::USAGE.split("--").skip(1).map(|rest| rest.split([' ', ']']).next().unwrap());
        for option in all {
            assert!(tail.get_arguments().any(|arg| arg.get_long() == Some(option)), "tail has no --{option}");
        }
        assert!(watch::args::filter_names().all(|name| TAIL.contains(name)), "a short name is not in the help");
    }
}
