//! `login`, with a browser that is played here, and what uses the file that it makes.

use crate::common;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Running, finish, program, server};
use ringcentral_ws_gateway::Server;

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("ringcentral-ws-cli-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self) -> String {
        self.0.join("login").to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The command with the app's id and server, as for a public app.
fn program_of(server: &Server, args: &[&str]) -> Command {
    let mut command = program(args);
    command.env("RC_SERVER_URL", server.http_url()).env("RC_APP_CLIENT_ID", server.client_id());
    command
}

/// Visits an address, and gives the whole answer.
fn visit(address: &str) -> String {
    let rest = address.strip_prefix("http://").expect(address);
    let (host, path) = rest.split_once('/').expect(address);
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Begins a login: the command, and the address where the server would send the browser back to.
fn begin(server: &Server, file: &str) -> (Running, String) {
    let args = ["login", file, "--redirect-uri", "http://127.0.0.1:0/back", "--no-browser"];
    let mut login = Running::start(&mut program_of(server, &args));
    let address = login.line_with("/restapi/oauth/authorize");
    assert!(address.contains("code_challenge_method=S256"), "{address}");
    let answer = visit(&address);
    let back =
        answer.lines().find_map(|line| line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("location")));
    (login, back.unwrap_or_else(|| panic!("{answer}")).1.trim().to_owned())
}

fn log_in(server: &Server, file: &str) {
    let (mut login, back) = begin(server, file);
    assert!(visit(&back).contains("You are logged in"));
    login.line_with("tail --login");
    assert_eq!(login.end(), Some(0));
}

#[test]
fn a_login_is_kept_and_used_and_given_back() {
    let (server, folder) = (server(), Folder::new("login"));
    let file = folder.file();
    log_in(&server, &file);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let mut tail = Running::start(&mut program_of(&server, &["tail", "--json", "--login", &file, "sms"]));
    tail.event("subscribed");
    server.receive_sms(0, "+16505550100", "Hello");
    assert_eq!(tail.event("notification")["body"]["subject"], "Hello");
    let (status, _, error) = finish(&mut program_of(&server, &["tail", "--login", &file, "sms"]));
    assert!(status == 2 && error.contains("in use by another process"), "{error}");
    drop(tail);
    let (status, out, error) = finish(&mut program_of(&server, &["doctor", "--login", &file]));
    assert!(status == 0 && out.contains("login of a file") && out.contains("Successful"), "{out}{error}");
    let (status, out, error) = finish(&mut program_of(&server, &["login", &file, "--revoke"]));
    assert!(status == 0 && out.contains("has ended"), "{out}{error}");
    assert!(!Path::new(&file).exists());
    let (status, _, error) = finish(&mut program_of(&server, &["tail", "--login", &file, "sms"]));
    assert!(status == 2 && error.contains("ringcentral-ws login"), "{error}");
}

#[cfg(unix)]
#[test]
fn tail_gives_the_login_back_when_it_is_asked_to() {
    let (server, folder) = (server(), Folder::new("revoke"));
    let file = folder.file();
    log_in(&server, &file);
    let args = ["tail", "--json", "--login", &file, "--revoke-login", "sms"];
    let mut tail = Running::start(&mut program_of(&server, &args));
    tail.event("subscribed");
    Command::new("kill").args(["-TERM", &tail.child.id().to_string()]).status().unwrap();
    assert_eq!(tail.event("closed")["reason"], "revoked");
    assert_eq!(tail.end(), Some(0));
    assert!(!Path::new(&file).exists());
}

#[test]
fn what_comes_from_elsewhere_is_no_login() {
    let (server, folder) = (server(), Folder::new("foreign"));
    let (mut login, back) = begin(&server, &folder.file());
    let (origin, _) = back.split_once("/back").unwrap();
    assert!(visit(&format!("{origin}/favicon.ico")).starts_with("HTTP/1.1 404"));
    assert!(visit(&format!("{origin}/back?code=stolen&state=other")).starts_with("HTTP/1.1 400"));
    let state = back.split("state=").nth(1).unwrap().split('&').next().unwrap();
    visit(&format!("{origin}/back?error=access_denied&state={state}"));
    let mut error = String::new();
    login.child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert!(error.contains("access_denied") && error.lines().count() == 1, "{error}");
    assert_eq!(login.end(), Some(1));
}

#[test]
fn mistakes_are_said() {
    let (server, folder) = (server(), Folder::new("mistakes"));
    let file = folder.file();
    for uri in ["https://127.0.0.1:1/", "http://0.0.0.0:1/", "http://h.example/", "nonsense"] {
        let (status, _, error) = finish(&mut program_of(&server, &["login", &file, "--redirect-uri", uri]));
        assert!(status == 2 && error.contains("--redirect-uri") && error.lines().count() == 1, "{uri}: {error}");
    }
    let (status, _, error) = finish(&mut program(&["login", &file]));
    assert!(status == 2 && error.contains("RC_APP_CLIENT_ID"), "{error}");
}
