//! `login`: a login by authorization code with PKCE, in the browser, kept in a file.

use std::io::{self, IsTerminal as _, Write as _};
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ringcentral_ws_adapter::IoLimits;
use ringcentral_ws_adapter::terminal::escape;
use ringcentral_ws_adapter::watch::login_file::{LoginFile, secret_of_env};
use ringcentral_ws_adapter::watch::{FAILED, USAGE, complain, start};
use ringcentral_ws_api::{Callback, ClientApp, Pkce, TokenSet};
use ringcentral_ws_core::{Secret, UnixMillis};
use ringcentral_ws_driver::watch::{Source, start_runtime};
use ringcentral_ws_driver::{HttpsSender, https_client};
use ringcentral_ws_tokio::Tokio;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use crate::args::LoginArgs;

const NAME: &str = "ringcentral-ws login";

/// Most bytes of a request of the browser that are read: its head, with all its cookies.
const MAX_HEAD: usize = 64 << 10;
/// The longest time a connection of the browser may take.
const VISIT: Duration = Duration::from_secs(10);
/// The longest time for the user to log in.
const LIMIT: Duration = Duration::from_secs(600);

/// Why it failed: a line, and the exit status.
type Failure = (String, u8);

/// Logs in, or gives a login back, and returns the exit status.
pub(crate) fn run(args: &LoginArgs) -> u8 {
    let tls = match start::trusted(NAME, args.ca_file.as_deref()) {
        Ok(tls) => tls,
        Err(status) => return status,
    };
    let runtime = start_runtime(NAME, || tokio::runtime::Builder::new_multi_thread().enable_all().build());
    let work = async {
        let https = https_client(Tokio, IoLimits::default(), tls).map_err(|error| (error.to_string(), USAGE))?;
        if args.revoke { give_back(args, &*https).await } else { log_in(args, https).await }
    };
    let done = runtime.map(|runtime| runtime.block_on(work));
    match done {
        Ok(Ok(())) => 0,
        Ok(Err((why, status))) => complain(NAME, &why, status),
        Err(status) => status,
    }
}

async fn give_back(args: &LoginArgs, https: &dyn HttpsSender) -> Result<(), Failure> {
    let source = Source::of_file(NAME, &args.file).map_err(|why| (why, USAGE))?;
    let revoked = source.revoke(https).await;
    revoked.map_err(|failure| (format!("the login could not be given back: {}", failure.message), FAILED))?;
    say("the login has ended, and the file is removed")
}

async fn log_in(args: &LoginArgs, https: Arc<dyn HttpsSender>) -> Result<(), Failure> {
    let app = app()?;
    let file = LoginFile::claim(&args.file).map_err(|error| (error.to_string(), USAGE))?;
    let (listener, redirect) = listen(&args.redirect_uri).await?;
    let mut random = [0; 48];
    getrandom::fill(&mut random).map_err(|error| (format!("the system gives no random numbers: {error}"), FAILED))?;
    let (verifier, state) = random.split_at(32);
    let pkce = Pkce::new(verifier.try_into().unwrap_or([0; 32]));
    let state = data_encoding::BASE64URL_NOPAD.encode(state);
    let address = pkce.authorize_url(&app, redirect.as_str(), &state);
    say(&format!("Log in at this address, in a browser on this machine:\n{address}"))?;
    if !args.no_browser && io::stdout().is_terminal() {
        open(&address);
    }
    let code = tokio::time::timeout(LIMIT, code(&listener, &redirect, &state)).await;
    let code = code.map_err(|_| (format!("nobody has logged in for {} minutes", LIMIT.as_secs() / 60), FAILED))??;
    let request = pkce.exchange_request(&app, &code, redirect.as_str());
    let mut masker = app.masker();
    masker.learn_request(&request);
    let answer = https.send(request).await.map_err(|failure| (failure.message.into_string(), FAILED))?;
    let tokens = TokenSet::parse_masked(&answer, &masker);
    let tokens = tokens.map_err(|failure| (format!("the code was not accepted: {}", failure.message), FAILED))?;
    let tokens = TokenSet { issued_at: Some(now()), ..tokens };
    file.save(&app, &tokens).map_err(|error| (error.to_string(), FAILED))?;
    let path = args.file.display();
    if tokens.refresh_token.is_none() {
        complain(NAME, "there is no refresh token: allow the app refresh tokens, or log in again in an hour", 0);
    }
    say(&format!("You are logged in. Use it: ringcentral-ws tail --login {path} sms"))
}

fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The app of the environment.
fn app() -> Result<ClientApp, Failure> {
    let of = |names: [&str; 2]| {
        names.into_iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.trim().is_empty()))
    };
    let id = of(["RC_APP_CLIENT_ID", "RINGCENTRAL_CLIENT_ID"]);
    let client_id = id.ok_or_else(|| ("set RC_APP_CLIENT_ID to the id of the app".to_owned(), USAGE))?;
    let server = of(["RC_SERVER_URL", "RINGCENTRAL_SERVER_URL"]);
    let server = server.unwrap_or_else(|| "https://platform.ringcentral.com".to_owned());
    let server = Url::parse(server.trim()).ok().filter(Url::has_host);
    let server = server.ok_or_else(|| {
        ("RC_SERVER_URL is not a URL; expected, for example, https://platform.ringcentral.com".to_owned(), USAGE)
    })?;
    Ok(ClientApp { server, client_id: client_id.trim().to_owned(), client_secret: secret_of_env() })
}

/// Listens where the browser is to come back to, on the loopback alone.
async fn listen(redirect: &str) -> Result<(TcpListener, Url), Failure> {
    let bad =
        || (format!("--redirect-uri {redirect}: it has to be http://127.0.0.1:PORT/ or http://localhost:PORT/"), USAGE);
    let mut url = Url::parse(redirect).map_err(|_| bad())?;
    let is_here = url.scheme() == "http" && matches!(url.host_str(), Some("127.0.0.1" | "localhost"));
    let port = url.port_or_known_default().filter(|_| is_here).ok_or_else(bad)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    let listener =
        listener.map_err(|error| (format!("--redirect-uri: port {port} cannot be listened on: {error}"), FAILED))?;
    if port == 0 {
        let free = listener.local_addr().map_err(|error| (error.to_string(), FAILED))?.port();
        url.set_port(Some(free)).map_err(|()| bad())?;
    }
    Ok((listener, url))
}

/// What the browser brings back.
async fn code(listener: &TcpListener, redirect: &Url, state: &str) -> Result<Secret, Failure> {
    loop {
        let (mut stream, _) = listener.accept().await.map_err(|error| (error.to_string(), FAILED))?;
        let head = tokio::time::timeout(VISIT, head(&mut stream)).await.ok().flatten();
        let address = head.as_deref().and_then(|head| visited(head, redirect));
        // A browser asks for icons too, and anybody on this machine may come by.
        let Some(address) = address else {
            answer(&mut stream, "404 Not Found", "There is nothing here.").await;
            continue;
        };
        match Callback::read(&address, state) {
            Callback::Code(code) => {
                answer(&mut stream, "200 OK", "You are logged in. This page can be closed.").await;
                return Ok(code);
            }
            Callback::Refused { error, description } => {
                answer(&mut stream, "200 OK", "The login was refused. This page can be closed.").await;
                let description = description.map_or_else(String::new, |text| format!(": {text}"));
                return Err((format!("the login was refused: {error}{description}"), FAILED));
            }
            _ => answer(&mut stream, "400 Bad Request", "This belongs to another login.").await,
        }
    }
}

/// The head of a request, up to its empty line.
async fn head(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    let mut piece = [0; 4096];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(&mut piece).await.ok().filter(|read| *read > 0)?;
        head.extend_from_slice(&piece[..read]);
        if head.len() > MAX_HEAD {
            return None;
        }
    }
    Some(head)
}

/// The address that was asked for, if it is the one that the browser was sent back to.
fn visited(head: &[u8], redirect: &Url) -> Option<Url> {
    let head = std::str::from_utf8(head).ok()?;
    let target = head.lines().next()?.strip_prefix("GET ")?.split(' ').next()?;
    let address = redirect.join(target).ok()?;
    (address.origin() == redirect.origin() && address.path() == redirect.path()).then_some(address)
}

async fn answer(stream: &mut TcpStream, status: &str, text: &str) {
    let page = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\ncache-control: no-store\r\n\
         referrer-policy: no-referrer\r\nconnection: close\r\n\r\n{text}",
        text.len()
    );
    // The login goes on whether the browser shows it or not.
    let _ = tokio::time::timeout(VISIT, async {
        stream.write_all(page.as_bytes()).await?;
        stream.shutdown().await
    })
    .await;
}

/// Opens the browser, if the system has a way to.
fn open(address: &Url) {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    if cfg!(unix) {
        let quiet = Command::new(opener)
            .arg(address.as_str())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        drop(quiet);
    }
}

fn say(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let written = text.lines().try_for_each(|line| writeln!(out, "{}", escape(line))).and_then(|()| out.flush());
    written.map_err(|error| (format!("standard output cannot be written ({error})"), FAILED))
}
