//! The stand-in as a program, which other commands can have as one of theirs.

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::{GatewayEvent, Script, Server, ServerConfig};
use lexopt::{Arg, Parser, ValueExt};

const HELP: &str = "\
A stand-in for RingCentral's servers: OAuth, REST and the WebSocket gateway.

Usage: ringcentral-ws-gateway [OPTIONS]

      --listen ADDR          address and port to listen on [127.0.0.1:0, any free port]
      --public-host HOST     host that URLs name [the address listened on]
      --tls                  serve HTTPS and WSS with a certificate of a CA made at the start
      --ca-file FILE         write the CA's certificate there, as PEM (with --tls)
      --seed N               seed of all ids and tokens [1]
      --users N              users who can log in, 1 to 10000 [1]
      --traffic MS           an SMS arrives for the first user every so many milliseconds
      --script FILE          what happens when, a line each such as: after 3s drop (see the README)
      --no-single-use        a WebSocket token opens any number of connections
      --no-rate-limit        do not limit calls of the WebSocket token endpoint
      --token-rate-limit N   calls of the OAuth token endpoint a minute, for all users together; beyond it 429 with
                             Retry-After [no limit]
      --access-token-life S  life of an access token [3600]
      --recovery-timeout S   how long a lost session can be recovered [180]
      --recovery-buffer N    notifications kept for a lost session [100]
      --message-store N      messages kept for a user; older ones are dropped [1000]
      --idle-timeout S       limit of a connection without data messages [1800]
      --absolute-timeout S   age limit of a connection [86400]
      --ping-interval S      interval of WebSocket pings [none]
      --reply-delay MS       time each reply over the socket takes [0]
      --any-filter           take event filters too that RingCentral does not have, and refuses as SUB-508
      --subscription-id-header  replies to subscribing carry WSG-SubscriptionId, as until about 2022
      --quiet                no progress lines
  -h, --help                 print this
  -V, --version              print the version

Faults are commanded by HTTP: POST /_gateway/drop and others, see the README.";

/// How often progress is looked for.
const TICK: Duration = Duration::from_millis(50);

struct Options {
    server: ServerConfig,
    ca_file: Option<PathBuf>,
    traffic: Option<Duration>,
    script: Option<PathBuf>,
    quiet: bool,
}

enum Wanted {
    Run(Box<Options>),
    Print(String),
}

/// Runs the stand-in until the process is ended. `name` is what its lines on stderr begin with; `args` are without the
/// program's name, and `--help` says what they are.
///
/// Returns when it has shown its help, with status 2 after bad usage, and with status 1 when it cannot serve.
pub fn program(name: &str, args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let options = match parse(args) {
        Ok(Wanted::Run(options)) => options,
        Ok(Wanted::Print(text)) => {
            println!("{}", text.replacen("ringcentral-ws-gateway", name, 1));
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("{name}: {error} (try --help)");
            return ExitCode::from(2);
        }
    };
    match run(*options) {
        // Nobody reads on, nobody needs us.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
        Ok(()) => ExitCode::SUCCESS,
    }
}

fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Wanted, lexopt::Error> {
    let mut parser = Parser::from_args(args);
    let mut options =
        Options { server: ServerConfig::default(), ca_file: None, traffic: None, script: None, quiet: false };
    options.server.gateway.known_filters_only = true;
    while let Some(arg) = parser.next()? {
        let gateway = &mut options.server.gateway;
        match arg {
            Arg::Long("listen") => options.server.listen = parser.value()?.parse::<SocketAddr>()?,
            Arg::Long("public-host") => options.server.public_host = Some(parser.value()?.string()?),
            Arg::Long("tls") => options.server.tls = true,
            Arg::Long("ca-file") => options.ca_file = Some(parser.value()?.into()),
            Arg::Long("seed") => gateway.seed = parser.value()?.parse()?,
            Arg::Long("users") => match parser.value()?.parse()? {
                users @ 1..=10_000 => options.server = options.server.users(users),
                _ => return Err("--users must be 1 to 10000".into()),
            },
            Arg::Long("traffic") => {
                let ms: u64 = parser.value()?.parse()?;
                options.traffic = Some(Duration::from_millis(ms.max(1)));
            }
            Arg::Long("script") => options.script = Some(parser.value()?.into()),
            Arg::Long("no-single-use") => gateway.ws_token.single_use = false,
            Arg::Long("no-rate-limit") => gateway.ws_token.rate_limit = None,
            Arg::Long("token-rate-limit") => match parser.value()?.parse()? {
                0 => return Err("--token-rate-limit must be at least 1".into()),
                limit => gateway.oauth.token_rate_limit = Some(limit),
            },
            Arg::Long("access-token-life") => gateway.oauth.access_token_lifetime = seconds(&mut parser)?,
            Arg::Long("recovery-timeout") => gateway.recovery_timeout = seconds(&mut parser)?,
            Arg::Long("recovery-buffer") => gateway.recovery_buffer_size = parser.value()?.parse()?,
            Arg::Long("message-store") => match parser.value()?.parse()? {
                0 => return Err("--message-store must be at least 1".into()),
                size => gateway.message_store_size = size,
            },
            Arg::Long("idle-timeout") => gateway.idle_timeout = seconds(&mut parser)?,
            Arg::Long("absolute-timeout") => gateway.absolute_timeout = seconds(&mut parser)?,
            Arg::Long("ping-interval") => gateway.ping_interval = Some(seconds(&mut parser)?),
            Arg::Long("reply-delay") => gateway.reply_delay = Duration::from_millis(parser.value()?.parse()?),
            Arg::Long("subscription-id-header") => gateway.subscription_id_header = true,
            Arg::Long("any-filter") => gateway.known_filters_only = false,
            Arg::Long("quiet") => options.quiet = true,
            Arg::Short('h') | Arg::Long("help") => return Ok(Wanted::Print(HELP.to_owned())),
            Arg::Short('V') | Arg::Long("version") => {
                return Ok(Wanted::Print(format!("ringcentral-ws-gateway {}", env!("CARGO_PKG_VERSION"))));
            }
            _ => return Err(arg.unexpected()),
        }
    }
    if options.ca_file.is_some() && !options.server.tls {
        return Err("--ca-file needs --tls".into());
    }
    Ok(Wanted::Run(Box::new(options)))
}

fn seconds(parser: &mut Parser) -> Result<Duration, lexopt::Error> {
    match parser.value()?.parse()? {
        0 => Err("times must be at least one second".into()),
        s => Ok(Duration::from_secs(s)),
    }
}

fn run(options: Options) -> io::Result<()> {
    let script = options.script.as_deref().map(read_script).transpose()?;
    let listen = options.server.listen;
    let server = Server::start(options.server).map_err(|error| cannot_listen(listen, &error))?;
    if let (Some(path), Some(pem)) = (&options.ca_file, server.ca_pem()) {
        std::fs::write(path, pem)?;
    }
    let mut out = io::stdout().lock();
    introduce(&server, &mut out)?;
    if let Some(script) = script {
        server.run_script(&script).map_err(io::Error::other)?;
    }
    let mut seen = 0;
    let mut messages = 0u64;
    let mut next_message = Instant::now();
    loop {
        std::thread::sleep(options.traffic.map_or(TICK, |interval| interval.min(TICK)));
        if let Some(interval) = options.traffic
            && Instant::now() >= next_message
        {
            next_message = Instant::now() + interval;
            messages += 1;
            server.receive_sms(0, "+16505550100", &format!("Message {messages}"));
        }
        if !options.quiet {
            seen = report(&server, seen, &mut out)?;
        }
    }
}

/// Says what it could not listen on, where that is why it did not start.
fn cannot_listen(listen: SocketAddr, error: &io::Error) -> io::Error {
    let remedy = match error.kind() {
        io::ErrorKind::AddrInUse => "another program listens there",
        io::ErrorKind::AddrNotAvailable => "this machine has no such address",
        io::ErrorKind::PermissionDenied => "the system does not permit it",
        _ => return io::Error::new(error.kind(), error.to_string()),
    };
    let words =
        format!("cannot listen on {listen} ({error}): {remedy}; give --listen another address, or leave it out");
    io::Error::new(error.kind(), words)
}

/// The text of a script that is good.
fn read_script(path: &Path) -> io::Result<String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| io::Error::new(error.kind(), format!("{} cannot be read: {error}", path.display())))?;
    match text.parse::<Script>() {
        Ok(_) => Ok(text),
        Err(error) => {
            let lines = error.lines().iter();
            let lines: Vec<String> =
                lines.map(|(line, message)| format!("{}:{line}: {message}", path.display())).collect();
            Err(io::Error::other(lines.join("\n")))
        }
    }
}

fn introduce(server: &Server, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "HTTP            {}", server.http_url())?;
    writeln!(out, "WebSocket       {}", server.ws_url())?;
    if server.address().ip().is_loopback() {
        writeln!(out, "Status page     {}/_gateway/", server.http_url())?;
    }
    writeln!(out, "Credentials of this stand-in, good for nothing else:")?;
    for (name, value) in server.env() {
        writeln!(out, "export {name}={value}")?;
    }
    let users = server.with_gateway(|gateway, _| gateway.config().users.len());
    if users > 1 {
        writeln!(out, "JWTs of the other users: {} to {}", server.jwt(1), server.jwt(users - 1))?;
    }
    out.flush()
}

/// Prints the events since the last time; returns the number of the next one.
fn report(server: &Server, seen: u64, out: &mut impl Write) -> io::Result<u64> {
    let events: Vec<(u64, GatewayEvent)> = server
        .with_gateway(|gateway, _| gateway.events_since(seen).map(|(number, event)| (number, event.clone())).collect());
    let mut next = seen;
    for (number, event) in events {
        next = number + 1;
        let line = serde_json::to_string(&event).map_err(io::Error::other)?;
        writeln!(out, "{}", plain(&line))?;
    }
    out.flush()?;
    Ok(next)
}

/// JSON with everything escaped but printable ASCII: clients write parts of it, and a terminal may show it.
fn plain(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if matches!(c, ' '..='~') {
            out.push(c);
        } else {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(args: &[&str]) -> Result<Options, String> {
        match parse(args.iter().map(OsString::from)).map_err(|error| error.to_string())? {
            Wanted::Run(options) => Ok(*options),
            Wanted::Print(text) => Err(text),
        }
    }

    #[test]
    fn options_reach_the_configuration() {
        let all = ["--no-single-use", "--seed=7", "--users", "3", "--recovery-buffer", "5", "--token-rate-limit=4"];
        let gateway = options(&all).unwrap().server.gateway;
        assert!(!gateway.ws_token.single_use);
        assert_eq!((gateway.seed, gateway.users.len(), gateway.recovery_buffer_size), (7, 3, 5));
        assert_eq!(gateway.oauth.token_rate_limit, Some(4));
        assert_eq!(self::options(&["--message-store=7"]).unwrap().server.gateway.message_store_size, 7);
        assert!(gateway.known_filters_only, "as the service does");
        assert!(!self::options(&["--any-filter"]).unwrap().server.gateway.known_filters_only);
    }

    // CLAUSE SEC-5
    #[test]
    fn what_clients_wrote_does_nothing_to_a_terminal() {
        let said = "\u{1b}[2J\r\n\u{9b}\u{7f}\u{202e}é😀";
        let line = plain(&serde_json::to_string(said).unwrap());
        assert_eq!(line, r#""\u001b[2J\r\n\u009b\u007f\u202e\u00e9\ud83d\ude00""#);
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), said);
    }

    #[test]
    fn bad_usage_is_reported_in_one_line() {
        for bad in [
            &["--bogus"][..],
            &["--seed"],
            &["--seed", "x"],
            &["--ca-file", "f"],
            &["--users=0"],
            &["--token-rate-limit=0"],
            &["--message-store=0"],
            &["extra"],
        ] {
            let error = options(bad).err().unwrap();
            assert!(!error.is_empty() && !error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn every_option_is_in_the_help() {
        let source = include_str!("program.rs");
        let names = source.split("Arg::Long(\"").skip(1).filter_map(|rest| rest.split_once('"'));
        for (name, _) in names.filter(|(name, _)| name.chars().all(|c| c.is_ascii_lowercase() || c == '-')) {
            assert!(HELP.contains(&format!("--{name}")), "{name}");
        }
    }
}
