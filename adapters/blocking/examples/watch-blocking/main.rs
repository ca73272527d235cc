//! Shows RingCentral notifications as they come; `--help` tells more. Without credentials in the environment it plays
//! a demonstration on a server in this process.

mod login;
mod program;

use std::process::ExitCode;
use std::sync::Arc;

use ringcentral_ws_adapter::terminal;
use ringcentral_ws_adapter::watch::args::{self, Ask, Options};
use ringcentral_ws_adapter::watch::demo::{self, Step};
use ringcentral_ws_adapter::watch::reach::{LoginCalls, Reach};
use ringcentral_ws_adapter::watch::state::{self, StateFile};
use ringcentral_ws_adapter::watch::{FAILED, Files, USAGE};
use ringcentral_ws_blocking::ClientApp;
use ringcentral_ws_blocking::{Client, CredentialSource as _, EnvError, Events, Jwt, StartError, filters};
use ringcentral_ws_blocking::{Config, Secret, Snapshot, recorder};
use ringcentral_ws_gateway::{Server, ServerConfig};

use self::login::Login;
use self::program::Program;

/// The program's name.
const NAME: &str = "watch-blocking";

/// Makes the demonstration's server do something.
type Perform = Box<dyn FnMut(Step)>;

fn main() -> ExitCode {
    ExitCode::from(run())
}

fn run() -> u8 {
    let options = match args::parse(std::env::args_os().skip(1)) {
        Ok(Ask::Watch(options)) => options,
        Ok(Ask::Help) => return say(&args::help(NAME)),
        Ok(Ask::Version) => return say(&format!("{NAME} {}\n", env!("CARGO_PKG_VERSION"))),
        Err(why) => return complain(&why, USAGE),
    };
    match Jwt::from_env() {
        Ok(credentials) => watch(options, credentials, None),
        Err(EnvError::Nothing) => match start_demo() {
            Ok((credentials, perform)) => watch(options, credentials, Some(perform)),
            Err(why) => complain(&format!("the demonstration's server did not start: {why}"), FAILED),
        },
        Err(error) => complain(&error.to_string(), USAGE),
    }
}

fn say(text: &str) -> u8 {
    use std::io::Write;
    u8::from(std::io::stdout().write_all(text.as_bytes()).is_err())
}

fn complain(why: &str, status: u8) -> u8 {
    terminal::complain(NAME, why);
    status
}

fn watch(mut options: Options, credentials: Jwt, perform: Option<Perform>) -> u8 {
    if perform.is_some() {
        terminal::complain(NAME, "no credentials in the environment, so this is a demonstration; see --help");
        if !options.filters.iter().any(|filter| filter == demo::FILTER) {
            options.filters.push(demo::FILTER.to_owned());
        }
    } else if options.filters.is_empty() && !options.json && options.state.is_none() {
        let why = format!("no event filter: give at least one, such as {}", filters::PRESENCE);
        return complain(&why, USAGE);
    }
    let files = match Files::claim(&options) {
        Ok(files) => files,
        Err(why) => return complain(&why.to_string(), USAGE),
    };
    files.notices().for_each(|notice| terminal::complain(NAME, &notice));
    let login = Arc::new(Login { jwt: keep_login(files.state.as_ref(), credentials), calls: LoginCalls::default() });
    let reach = Reach::new(login.jwt.app().server.origin().ascii_serialization(), login.calls.clone());
    match start(&options, files.state.as_ref(), &login, perform.is_some()) {
        Ok((client, events)) => Program::new(options, files, client, reach, perform).run(events),
        Err(why) => complain(&why.to_string(), USAGE),
    }
}

fn start(
    options: &Options,
    file: Option<&StateFile>,
    login: &Arc<Login>,
    demo: bool,
) -> Result<(Client, Events), StartError> {
    let mut config = if demo { demo::config(&login.jwt.app().server) } else { Config::default() };
    config.rest_over_websocket = options.rest_over_websocket;
    config.auto_recover = !options.no_auto_recover;
    config.retry.auth_calls_per_minute = options.auth_calls.unwrap_or(config.retry.auth_calls_per_minute);
    let unusable = |why: &str| state::unusable(NAME, options.json, why);
    let lost = || Some(state::lost(login.jwt.app()));
    let snapshot = match file.map(StateFile::load) {
        None => None,
        Some(Ok(snapshot)) => snapshot,
        Some(Err(why)) => {
            unusable(&why);
            lost()
        }
    };
    let begin = |snapshot: Option<Snapshot>| {
        let builder = Client::builder(Arc::clone(login)).config(config.clone());
        let mut builder = builder.filters(&options.filters);
        if let Some(snapshot) = snapshot {
            builder = builder.restore(snapshot);
        }
        if options.debug {
            builder = builder.debug(terminal::note);
        }
        if options.record.is_some() {
            builder = builder.flight_recorder(recorder::Options::default());
        }
        builder.start()
    };
    match begin(snapshot) {
        Err(StartError::Snapshot(why)) => {
            unusable(&why.to_string());
            file.inspect(|file| file.refused(&why));
            begin(lost())
        }
        started => started,
    }
}

/// With a state file the login is kept too: the server recovers a session only for the login that made it.
fn keep_login(file: Option<&StateFile>, mut credentials: Jwt) -> Jwt {
    let Some(file) = file.cloned() else { return credentials };
    let (app, user) = (credentials.app().clone(), credentials.identity());
    match file.load_login(&app, user) {
        Ok(Some(token)) => credentials = credentials.with_refresh_token(token),
        Ok(None) => {}
        Err(why) => terminal::complain(NAME, why),
    }
    credentials.on_tokens(move |tokens| {
        if let Some(token) = &tokens.refresh_token
            && let Err(error) = file.save_login(&app, user, token)
        {
            terminal::complain(NAME, &format!("the login cannot be kept, so the next start cannot recover: {error}"));
        }
    })
}

fn start_demo() -> Result<(Jwt, Perform), Box<dyn std::error::Error>> {
    let server = Server::start(ServerConfig::default())?;
    let (app, jwt) = server.with_gateway(|gateway, _| {
        let config = gateway.config();
        (config.app.clone(), config.users[0].jwt.clone())
    });
    let app = ClientApp {
        server: server.http_url().parse()?,
        client_id: app.client_id,
        client_secret: Some(Secret::new(app.client_secret)),
    };
    let perform = move |step| match step {
        Step::Sms(text) => drop(server.receive_sms(0, "+16505550100", text)),
        Step::Cut => server.drop_connections(),
        Step::Restart => server.restart(),
    };
    Ok((Jwt::new(app, jwt), Box::new(perform)))
}
