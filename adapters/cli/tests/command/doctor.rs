//! `doctor`, against a server that fails on command: each fault is named, with its remedy.

use crate::common;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener};
use std::process::Command;
use std::time::{Duration, SystemTime};

use common::{finish, program, program_for, server};
use ringcentral_ws_gateway::{Server, ServerConfig};
use serde_json::Value;

/// What `doctor --json` found: each step, and the exit status.
struct Report {
    status: i32,
    steps: Vec<Value>,
    error: String,
}

impl Report {
    fn of(command: &mut Command) -> Self {
        let (status, out, error) = finish(command.arg("--json"));
        let steps = out.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        Self { status, steps, error }
    }

    fn step(&self, name: &str) -> &Value {
        let step = self.steps.iter().find(|step| step["step"] == name);
        step.unwrap_or_else(|| panic!("no {name} in {:#?} {}", self.steps, self.error))
    }

    /// This step has this status, and a problem with these words in what is wrong and in how to mend it.
    fn names(&self, step: &str, status: &str, what: &str, mend: &str) {
        let step = self.step(step);
        let says = |problem: &Value, key: &str, part: &str| problem[key].as_str().is_some_and(|t| t.contains(part));
        let found = step["problems"].as_array().unwrap();
        let found = found.iter().any(|p| says(p, "message", what) && says(p, "remedy", mend));
        assert!(step["status"] == status && found, "{what} / {mend}: {step:#}\n{}", self.error);
        let is_wrong = self.steps.iter().any(|step| step["status"] == "wrong");
        assert_eq!(self.status, i32::from(is_wrong));
        let end = self.steps.last().unwrap();
        assert_eq!(end["reason"], if is_wrong { "wrong" } else { "ok" }, "{end}");
    }

    fn left_out(&self, step: &str) {
        assert_eq!(self.step(step)["status"], "left_out");
    }
}

fn doctor(server: &Server) -> Command {
    program_for(server, &["doctor"])
}

#[test]
fn the_stand_in_is_well() {
    let (status, out, error) = finish(&mut program(&["doctor", "--stand-in", "sms", "presence"]));
    assert_eq!(status, 0, "{out}{error}");
    for step in ["environment", "proxy", "DNS", "TCP", "TLS", "service", "login", "permissions", "token", "upgrade"] {
        assert!(out.contains(&format!("\n{step} ")) || out.starts_with(step), "{step}: {out}");
    }
    for said in
        ["2 filter(s)", "Successful", "clock is right", "nothing is left", "SubscriptionWebSocket", "Nothing is wrong"]
    {
        assert!(out.contains(said), "{said}: {out}");
    }
    assert!(!out.contains("gateway-client-secret") && !out.contains("gateway.user-0.jwt"), "{out}");
}

#[test]
fn what_it_made_is_gone_afterwards() {
    let server = server();
    let report = Report::of(&mut doctor(&server));
    assert!(report.status == 0 && report.steps.iter().all(|step| step["status"] != "wrong"), "{:#?}", report.steps);
    assert!(server.with_gateway(|gateway, _| gateway.subscriptions().next().is_none()));
}

#[test]
fn no_credentials() {
    let report = Report::of(&mut program(&["doctor"]));
    report.names("environment", "wrong", "RC_APP_CLIENT_ID", "--stand-in");
    report.left_out("DNS");
    report.left_out("recovery");
}

#[test]
fn a_wrong_secret() {
    let server = server();
    let report = Report::of(doctor(&server).env("RC_APP_CLIENT_SECRET", "hunter2"));
    report.names("login", "wrong", "OAU-146", "RC_APP_CLIENT_SECRET");
    assert_eq!(report.step("login")["problems"][0]["code"], "OAU-146");
    report.left_out("token");
    assert!(!format!("{:?}{}", report.steps, report.error).contains("hunter2"));
}

#[test]
fn a_wrong_jwt() {
    let server = server();
    let report = Report::of(doctor(&server).env("RC_USER_JWT", "hunter2.hunter2.hunter2"));
    report.names("login", "wrong", "OAU-140", "RC_USER_JWT");
    assert!(!format!("{:?}{}", report.steps, report.error).contains("hunter2"));
}

#[test]
fn an_app_without_the_permission() {
    let mut config = ServerConfig::default();
    config.gateway.app.ws_token_permission = false;
    let server = Server::start(config).unwrap();
    let report = Report::of(&mut doctor(&server));
    report.names("token", "wrong", "403", "WebSocket Subscriptions");
    report.left_out("recovery");
    let mut config = ServerConfig::default();
    config.gateway.app.subscription_permission = false;
    let server = Server::start(config).unwrap();
    Report::of(&mut doctor(&server)).names("subscription", "wrong", "SUB-528", "WebSocket Subscriptions");
}

#[test]
fn a_login_without_the_scope() {
    let server = server();
    let login = server.with_gateway(|gateway, now| gateway.login(0, now)).unwrap();
    let tokens = format!(
        r#"{{"access_token":"{}","token_type":"bearer","expires_in":3600,"scope":"ReadAccounts"}}"#,
        login.access_token
    );
    server.next_http_fails("/restapi/oauth/token", 200, &tokens, &[]);
    let report = Report::of(&mut doctor(&server));
    report.names("permissions", "warning", "do not name WebSocket", "WebSocket Subscriptions");
    report.names("login", "warning", "no refresh token", "refresh tokens");
}

#[test]
fn a_filter_that_is_refused() {
    let mut config = ServerConfig::default();
    config.gateway.disabled_filters = vec!["voicemail".to_owned()];
    let server = Server::start(config).unwrap();
    let report = Report::of(doctor(&server).args(["presence", "voicemail"]));
    report.names("subscription", "wrong", "/voicemail is refused: ", "");
    assert_eq!(report.step("recovery")["status"], "ok", "it goes on");
}

#[test]
fn no_filter_that_is_accepted() {
    let mut config = ServerConfig::default();
    config.gateway.invalid_filters = vec!["presence".to_owned()];
    let server = Server::start(config).unwrap();
    Report::of(&mut doctor(&server)).names("subscription", "wrong", "SUB-508", "event filter");
}

#[test]
fn no_subscription_left() {
    let mut config = ServerConfig::default();
    config.gateway.max_subscriptions = 0;
    let server = Server::start(config).unwrap();
    Report::of(&mut doctor(&server)).names("subscription", "wrong", "SUB-505", "delete those not in use");
}

#[test]
fn a_clock_that_is_an_hour_off() {
    let server = server();
    let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(3600));
    server.next_http_fails("/restapi/v1.0", 200, "{}", &[("Date", &date)]);
    let report = Report::of(&mut doctor(&server));
    report.names("service", "wrong", "1 h 0 min behind", "time zone");
    assert_eq!(report.step("recovery")["status"], "ok", "it goes on");
}

#[test]
fn too_many_logins() {
    let server = server();
    let body = r#"{"errorCode":"CMN-301","message":"Request rate exceeded"}"#;
    server.next_http_fails("/restapi/oauth/token", 429, body, &[("Retry-After", "37")]);
    Report::of(&mut doctor(&server)).names("login", "wrong", "429", "wait 37 s");
}

#[test]
fn a_service_that_is_away() {
    let server = server();
    server.overload(503, Duration::from_secs(600));
    let report = Report::of(&mut doctor(&server));
    report.names("service", "wrong", "503", "status.ringcentral.com");
    report.names("login", "wrong", "503", "status.ringcentral.com");
}

#[test]
fn a_name_that_does_not_exist() {
    let server = server();
    let report = Report::of(doctor(&server).env("RC_SERVER_URL", "https://no-such-host.invalid"));
    report.names("DNS", "wrong", "no-such-host.invalid", "RC_SERVER_URL");
    report.left_out("TCP");
}

#[test]
fn nobody_who_listens() {
    let server = server();
    server.refuse_connections(true);
    Report::of(&mut doctor(&server)).names("TCP", "wrong", "refused", "host and port in RC_SERVER_URL");
}

#[test]
fn an_address_with_a_path() {
    let server = server();
    let report = Report::of(doctor(&server).env("RC_SERVER_URL", format!("{}/some/path", server.http_url())));
    report.names("environment", "wrong", "without a path", "as the message says");
}

#[test]
fn an_upgrade_that_is_refused() {
    let server = server();
    let elsewhere = server.ws_url().replace("/ws", "/nowhere");
    let body = format!(r#"{{"uri":"{elsewhere}","ws_access_token":"x","expires_in":600}}"#);
    server.next_http_fails("/restapi/oauth/wstoken", 200, &body, &[]);
    let report = Report::of(&mut doctor(&server));
    report.names("upgrade", "wrong", "refused", "let WebSockets");
    assert_eq!(report.step("token")["status"], "ok");
}

#[test]
fn a_proxy_that_refuses() {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = proxy.local_addr().unwrap();
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = proxy.accept().unwrap();
        let mut asked = [0; 1024];
        let _ = stream.read(&mut asked).unwrap();
        stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n").unwrap();
        let _ = stream.shutdown(Shutdown::Write);
        let _ = stream.read(&mut asked);
    });
    let server = server();
    let mut command = doctor(&server);
    command.env("RC_SERVER_URL", "https://platform.example").env("HTTPS_PROXY", format!("http://u:hunter2@{address}"));
    let report = Report::of(&mut command);
    report.names("tunnel", "wrong", "407", "user and password into HTTPS_PROXY");
    assert!(!format!("{:?}{}", report.steps, report.error).contains("hunter2"));
    answering.join().unwrap();
}

#[test]
fn a_certificate_nobody_trusts_and_one_of_another_host() {
    let server = Server::start(ServerConfig { tls: true, ..ServerConfig::default() }).unwrap();
    let file = std::env::temp_dir().join(format!("ringcentral-ws-doctor-{}.pem", std::process::id()));
    std::fs::write(&file, server.ca_pem().unwrap()).unwrap();
    let report = Report::of(&mut doctor(&server));
    report.names("TLS", "wrong", "nobody here trusts", "--ca-file");
    report.names("TLS", "wrong", "that of localhost, 127.0.0.1", "SSL_CERT_FILE");
    let report = Report::of(doctor(&server).args(["--ca-file", file.to_str().unwrap()]));
    assert_eq!(report.status, 0, "{:#?}", report.steps);
    assert!(report.step("TLS")["message"].as_str().unwrap().contains("issued by CN=Gateway stand-in test CA"));
    let report = Report::of(doctor(&server).env("SSL_CERT_FILE", &file));
    assert_eq!(report.status, 0, "{:#?}", report.steps);
    let elsewhere = ServerConfig {
        tls: true,
        listen: "127.0.0.2:0".parse().unwrap(),
        public_host: Some("other.example".to_owned()),
        ..ServerConfig::default()
    };
    let elsewhere = Server::start(elsewhere).unwrap();
    std::fs::write(&file, elsewhere.ca_pem().unwrap()).unwrap();
    let mut command = doctor(&elsewhere);
    command.env("RC_SERVER_URL", format!("https://{}", elsewhere.address()));
    let report = Report::of(command.args(["--ca-file", file.to_str().unwrap()]));
    report.names("TLS", "wrong", "of another host", "RC_SERVER_URL");
    report.names("TLS", "wrong", "other.example", "RC_SERVER_URL");
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn a_server_that_never_answers_is_no_silence() {
    let server = server();
    server.stall_connections(true);
    let mut command = doctor(&server);
    let mut child = command.spawn().unwrap();
    let mut said = String::new();
    let mut error = child.stderr.take().unwrap();
    let mut byte = [0];
    while !said.contains("after 3 s") {
        assert_eq!(error.read(&mut byte).unwrap(), 1, "{said}");
        said.push(char::from(byte[0]));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}
