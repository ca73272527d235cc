//! `doctor`: from the environment to a recovered session, step by step.

mod certificate;
mod clock;
mod made;
mod network;
mod report;
mod service;
mod socket;

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex};

use ringcentral_ws_adapter::terminal::note;
use ringcentral_ws_adapter::watch::interrupt::on_signal;
use ringcentral_ws_adapter::watch::{USAGE, args, complain, start};
use ringcentral_ws_adapter::{IoLimits, Target, default_tls};
use ringcentral_ws_api::{EnvError, Filter};
use ringcentral_ws_core::{Filters, Secret};
use ringcentral_ws_driver::watch::{Source, start_runtime};
use ringcentral_ws_driver::{HttpsSender, Jwt, https_client};
use ringcentral_ws_gateway::{Server, ServerConfig};
use ringcentral_ws_tokio::Tokio;
use rustls::ClientConfig;
use url::Url;

use self::made::Made;
use self::report::{Found, Problem, Report};
use self::service::Kept;
use self::socket::Maker;
use crate::args::DoctorArgs;
use crate::demo;

const NAME: &str = "ringcentral-ws doctor";

/// Walks all steps, and returns the exit status.
pub(crate) fn run(args: DoctorArgs) -> u8 {
    let filters = match filters(&args.filters) {
        Ok(filters) => filters,
        Err(why) => return complain(NAME, &why, USAGE),
    };
    let tls = match start::trusted(NAME, args.ca_file.as_deref()) {
        Ok(tls) => tls,
        Err(status) => return status,
    };
    let (signal, mut signals) = tokio::sync::mpsc::unbounded_channel();
    on_signal(NAME, move |status| {
        let _ = signal.send(status);
    });
    let runtime = start_runtime(NAME, || tokio::runtime::Builder::new_multi_thread().enable_all().build());
    let mut report = Report::new(args.json);
    let walk = async {
        let made = Arc::new(Made::default());
        let interrupted = {
            let mut walk = pin!(walk(&mut report, &args, filters, tls, &made));
            tokio::select! {
                () = &mut walk => None,
                // The walk stands still, and holds what it has until that is ended.
                Some(status) = signals.recv() => {
                    note("interrupted: ends what is on the server");
                    Some((status, made.end().await))
                }
            }
        };
        match interrupted {
            None => report.end(),
            Some((status, is_clean)) => report.interrupted(status, is_clean),
        }
    };
    runtime.map_or_else(|status| status, |runtime| runtime.block_on(walk))
}

fn filters(given: &[String]) -> Result<Vec<String>, String> {
    if given.is_empty() {
        return Ok(vec![Filter::presence().into()]);
    }
    let filters = given.iter().map(|text| args::filter(text)).collect::<Result<Vec<_>, _>>()?;
    Filters::new(&filters).map_err(|error| error.to_string())?;
    Ok(filters)
}

async fn walk(
    report: &mut Report,
    args: &DoctorArgs,
    filters: Vec<String>,
    tls: Option<Arc<ClientConfig>>,
    made: &Arc<Made>,
) {
    let doing = if args.stand_in { "starts a server that plays RingCentral" } else { "looks for credentials" };
    let kept = Kept::default();
    let found = async { environment(args, &kept) };
    let Some(Login { source, _server }) = report.step("environment", doing, found).await else {
        return report.leave_out(&[WAY, SERVICE, SESSION].concat(), "there are no credentials");
    };
    let server = source.app().server.clone();
    let Some(target) = Target::of(&server) else { return };
    if !way(report, &target, tls.as_ref()).await {
        return report.leave_out(&[WAY, SERVICE, SESSION].concat(), "the server is not reached");
    }
    let https = match https_client(Tokio, IoLimits::default(), tls.clone()) {
        Ok(https) => https,
        Err(_) => return report.leave_out(&[SERVICE, SESSION].concat(), "no HTTPS call can be made"),
    };
    let source = Arc::new(source);
    made.login(&source, &https);
    let is_logged_in = service(report, &*https, &source, &kept, &server, made).await;
    if is_logged_in {
        let maker = Maker { source: Arc::<Source>::clone(&source), tls, server, made: Arc::clone(made) };
        session(report, &maker, &filters).await;
        if let Source::Jwt(jwt) = &*source {
            report.step("end", "gives the login back", end(jwt, &*https)).await;
            made.forget_login();
        }
    } else {
        report.leave_out(SESSION, "there is no login");
    }
}

/// The steps of each part, for when they are left out.
const WAY: &[&str] = &["proxy", "DNS", "TCP", "TLS"];
const SERVICE: &[&str] = &["service", "login", "permissions"];
const SESSION: &[&str] = &["token", "upgrade", "subscription", "heartbeat", "recovery"];

struct Login {
    source: Source,
    /// Kept while it is needed.
    _server: Option<Server>,
}

fn environment(args: &DoctorArgs, kept: &Kept) -> Found<Login> {
    if args.stand_in {
        let server = match Server::start(ServerConfig::default()) {
            Ok(server) => server,
            Err(error) => return Found::bad(Problem::new(error, "check the limits of this process (ulimit)")),
        };
        return match demo::app_of(&server) {
            Ok(app) => {
                let said = format!("it listens on {}", app.server);
                let jwt = Jwt::new(app, Secret::new(server.jwt(0)));
                Found::good(Login { source: Source::Jwt(keep(jwt, kept)), _server: Some(server) }, said)
            }
            Err(why) => Found::bad(Problem::new(why, "report this as an error of this program")),
        };
    }
    let source = match &args.login {
        Some(file) => {
            Source::of_file(NAME, file).map_err(|why| Problem::new(why, "make it with `ringcentral-ws login`"))
        }
        None => by_jwt(kept),
    };
    let source = match source {
        Ok(source) => source,
        Err(problem) => return Found::bad(problem),
    };
    let app = source.app();
    let how = if args.login.is_some() { "the login of a file" } else { "a login by JWT" };
    let said = format!("{}, client id {}, {how}", app.server, app.client_id);
    Found::good(Login { source, _server: None }, said)
}

fn by_jwt(kept: &Kept) -> Result<Source, Problem> {
    match Jwt::from_env() {
        Ok(jwt) => Ok(Source::Jwt(keep(jwt, kept))),
        Err(error @ EnvError::Nothing) => {
            let mend = "set them, or try `ringcentral-ws doctor --stand-in`, which needs none";
            Err(Problem::new(error, mend))
        }
        Err(error) => Err(Problem::new(error, "set them as the message says")),
    }
}

fn keep(jwt: Jwt, kept: &Kept) -> Jwt {
    let kept: Arc<Mutex<_>> = Arc::clone(kept);
    jwt.on_tokens(move |tokens| {
        if let Ok(mut kept) = kept.lock() {
            *kept = Some(tokens.clone());
        }
    })
}

/// Whether the server is reached.
async fn way(report: &mut Report, target: &Target, tls: Option<&Arc<ClientConfig>>) -> bool {
    let doing = "looks for a proxy in the environment";
    let Some(proxy) = report.step("proxy", doing, async { network::proxy(target) }).await else { return false };
    let through = proxy.as_ref().and_then(|proxy| proxy.for_target(target));
    let (host, port) = through.unwrap_or((&target.host, target.port));
    let (host, is_proxy) = (host.to_owned(), through.is_some());
    let doing = format!("looks up {host}");
    let Some(addresses) = report.step("DNS", doing, network::resolve(&host, port, is_proxy)).await else {
        return false;
    };
    let doing = format!("connects to port {port} of each address");
    let Some(stream) = report.step("TCP", doing, network::connect(addresses, is_proxy)).await else { return false };
    // A second look, at the certificate, is possible only where no tunnel is in between.
    let again: Option<SocketAddr> = if is_proxy { None } else { stream.peer_addr().ok() };
    let stream = match &proxy {
        Some(proxy) => {
            let doing = format!("asks the proxy for a tunnel to {}:{}", target.host, target.port);
            match report.step("tunnel", doing, network::tunnel(proxy, target, stream)).await {
                Some(stream) => stream,
                None => return false,
            }
        }
        None => stream,
    };
    if !target.tls {
        let plain = async { Found::good((), "none: the server is this machine and speaks in the clear") };
        return report.step("TLS", "looks at the certificate", plain).await.is_some();
    }
    let config = tls.cloned().map_or_else(default_tls, Ok).ok();
    let doing = format!("looks at the certificate of {}", target.host);
    report.step("TLS", doing, network::tls(config.as_ref(), target, stream, again)).await.is_some()
}

/// Whether there is a login.
async fn service(
    report: &mut Report,
    https: &dyn HttpsSender,
    source: &Source,
    kept: &Kept,
    server: &Url,
    made: &Made,
) -> bool {
    report.step("service", "asks the server for its version, and its time", service::answers(https, server)).await;
    let doing = match source {
        Source::Jwt(_) => "logs in with the JWT",
        Source::Stored { .. } => "asks for an access token with the login of the file",
    };
    made.logs_in(true);
    let login = report.step("login", doing, service::log_in(https, source, kept)).await;
    made.logs_in(false);
    let Some(login) = login else {
        report.leave_out(&["permissions"], "there is no login");
        return false;
    };
    let doing = "reads the extension and the permissions of the login";
    report.step("permissions", doing, service::permissions(https, server, &login)).await;
    true
}

async fn session(report: &mut Report, maker: &Maker, filters: &[String]) {
    let doing = "asks for a WebSocket token";
    let Some(connected) = report.step("token", doing, maker.token(filters)).await else {
        return report.leave_out(SESSION, "there is no WebSocket token");
    };
    let opened = async { connected.map_or_else(Found::bad, |patient| Found::good(patient, "the session is open")) };
    let Some(mut patient) = report.step("upgrade", "opens the WebSocket", opened).await else {
        return report.leave_out(SESSION, "there is no connection");
    };
    let doing = format!("subscribes to {}", filters.join(" "));
    let is_subscribed = report.step("subscription", doing, patient.subscription()).await.is_some();
    report.step("heartbeat", "waits for a heartbeat and its answer", patient.heartbeat()).await;
    if !is_subscribed {
        report.leave_out(SESSION, "a session without a subscription cannot be recovered");
        return patient.end().await;
    }
    let doing = "cuts the connection, and connects again with the recovery token";
    if let Some(patient) = report.step("recovery", doing, maker.recovery(patient)).await {
        patient.end().await;
    }
}

async fn end(jwt: &Jwt, https: &dyn HttpsSender) -> Found<()> {
    match jwt.revoke(https).await {
        Ok(()) => Found::good((), "nothing is left on the server"),
        Err(failure) => {
            let mend = "nothing has to be done: it expires by itself";
            Found { value: Some(()), ..Found::bad(Problem::new(failure.message, mend).minor()) }
        }
    }
}
