//! A `watch` program and a state file that is another user's (TOK-10).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use ringcentral_ws_gateway::{GatewayConfig, Server, ServerConfig, UserConfig};
use serde_json::{Value, json};

use crate::DEADLINE;
use crate::watch::{FILTER, Talk, with_credentials};

/// The files of one run, which go with it.
struct Place {
    folder: PathBuf,
    file: PathBuf,
    login: PathBuf,
}

impl Place {
    fn new(program: &Path) -> Self {
        let name = program.file_stem().unwrap_or_default().to_string_lossy();
        let folder = std::env::temp_dir().join(format!("{name}-{}-binding", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        Self { file: folder.join("state"), login: folder.join("state.login"), folder }
    }

    /// Both files.
    fn read(&self) -> [Value; 2] {
        [&self.file, &self.login].map(|file| {
            let bytes = fs::read(file).expect("it was written");
            serde_json::from_slice(&bytes).expect("it is JSON")
        })
    }

    fn write(&self, [session, login]: &[Value; 2]) {
        fs::write(&self.file, text(session)).expect("it is written");
        fs::write(&self.login, text(login)).expect("it is written");
    }
}

/// As the program writes it: what distinguishes it from another's file comes first (SEC-4).
fn text(file: &Value) -> String {
    let mut fields: Vec<_> = file.as_object().expect("an object").iter().collect();
    fields.sort_by_key(|(name, _)| match name.as_str() {
        "version" => 0,
        "server" => 1,
        _ => 2,
    });
    let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{}:{value}", json!(name))).collect();
    format!("{{{}}}", fields.join(","))
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Runs it to its end, which must come: with the login of another it would not.
fn finish(command: &mut Command) -> Output {
    let mut child = command.spawn().expect("it runs");
    let began = Instant::now();
    while child.try_wait().expect("it is a child").is_none() {
        if began.elapsed() > DEADLINE {
            let _ = child.kill();
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().expect("it has ended")
}

fn subject(notification: &Value) -> &str {
    notification["body"]["subject"].as_str().unwrap_or_default()
}

/// A login alone takes no place of another user's, and a revocation removes nothing.
fn takes_no_place_without_a_connection(server: &Server, place: &Place, start: impl Fn() -> Talk) {
    let first = place.read();
    for (mode, reason) in [("detach", "detached"), ("revoke", "revoked")] {
        server.next_http_fails("/restapi/oauth/wstoken", 503, "", &[]);
        let mut talk = start();
        talk.next("retry");
        talk.close(mode, reason);
        assert!(place.read() == first, "the session and the login of the first user are still there");
    }
}

/// Has it start with a state file of itself, of another user, of an earlier version, and with one that was changed.
///
/// # Panics
///
/// When it uses anything that is another's, or does not say that it does not.
pub fn bound_to_its_user(program: &Path) {
    let mut gateway = GatewayConfig::default();
    gateway.users.push(UserConfig::numbered(1));
    let server = Server::start(ServerConfig { gateway, ..ServerConfig::default() }).expect("the loopback serves");
    let place = Place::new(program);
    let start = |user: u32| {
        let mut command = with_credentials(program, &server);
        command.env("RC_USER_JWT", UserConfig::numbered(user).jwt);
        Talk::start(command.args(["--json", FILTER, "--state"]).arg(&place.file))
    };
    let handles_shown = || {
        let seen = server.observations();
        seen.recoveries + seen.recoveries_failed + seen.malformed_wsc
    };
    let mut talk = start(0);
    talk.next("subscribed");
    talk.close("detach", "detached");
    server.receive_sms(0, "+16505550100", "theirs");
    let first = place.read();

    // Credentials that nobody accepts: it says what is wrong, and nothing is lost.
    let mut command = with_credentials(program, &server);
    let refused = finish(command.env("RC_USER_JWT", "a.wrong.jwt").arg("--state").arg(&place.file).arg(FILTER));
    let error = String::from_utf8_lossy(&refused.stderr);
    let lines = |part: &str| error.lines().filter(|line| line.contains(part)).count();
    assert_eq!((refused.status.code(), lines("state file cannot be used"), lines("another user")), (Some(1), 1, 2));
    assert!(place.read() == first, "the session of the first user is still there");

    takes_no_place_without_a_connection(&server, &place, || start(1));

    // Another user: a new session, and a gap.
    let mut talk = start(1);
    let error = talk.next("error");
    assert_eq!(error["kind"], "not_restored", "{error}");
    assert!(error["message"].as_str().is_some_and(|message| message.contains("another user")), "{error}");
    assert_eq!(talk.next("connected")["resumption"], "fresh");
    assert_eq!(talk.next("gap")["cause"], "restored");
    talk.next("subscribed");
    server.receive_sms(0, "+16505550100", "theirs too");
    server.receive_sms(1, "+16505550100", "mine");
    assert_eq!(subject(&talk.next("notification")), "mine");
    assert_eq!(handles_shown(), 0, "the handle of the first user was never shown");
    talk.close("detach", "detached");
    let second = place.read();
    (0..2).for_each(|i| assert_ne!(first[i]["identity"], second[i]["identity"]));

    // The first user's files, as they were left, without the hash: accepted, and bound from then on.
    let mut older = first.clone();
    older.iter_mut().for_each(|file| drop(file.as_object_mut().and_then(|file| file.remove("identity"))));
    place.write(&older);
    let mut talk = start(0);
    assert_eq!(talk.next("connected")["resumption"], "recovered");
    assert_eq!(subject(&talk.next("notification")), "theirs");
    assert_eq!(subject(&talk.next("notification")), "theirs too");
    talk.close("detach", "detached");
    let bound = place.read();
    (0..2).for_each(|i| assert_eq!(first[i]["identity"], bound[i]["identity"]));

    // A hash that was changed is another's.
    let shown = handles_shown();
    let mut changed = bound;
    changed.iter_mut().for_each(|file| file["identity"] = json!("0".repeat(32)));
    place.write(&changed);
    let mut talk = start(0);
    assert_eq!(talk.next("error")["kind"], "not_restored");
    assert_eq!(talk.next("connected")["resumption"], "fresh");
    assert_eq!(talk.next("gap")["cause"], "restored");
    assert_eq!(handles_shown(), shown);
    talk.close("revoke", "revoked");
}
