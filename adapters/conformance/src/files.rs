//! A `watch` program and the files that it is given, from outside. Unix only.

use std::io::Read as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

use ringcentral_ws_gateway::{Server, ServerConfig};

use crate::DEADLINE;
use crate::watch::{FILTER, Talk, with_credentials};

/// A folder that goes with the run.
struct Place(PathBuf);

impl Place {
    fn new(program: &Path, of: &str) -> Self {
        let name = program.file_stem().unwrap_or_default().to_string_lossy();
        let folder = std::env::temp_dir().join(format!("{name}-{}-{of}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs it to its end, which must come.
pub(crate) fn finish(command: &mut Command) -> Output {
    let mut child = command.spawn().expect("it runs");
    let began = Instant::now();
    while child.try_wait().expect("it is a child").is_none() {
        if began.elapsed() > DEADLINE {
            let _ = child.kill();
            panic!("it hangs");
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.wait_with_output().expect("it has ended")
}

/// It ends at once with one line on stderr, which has this part.
fn refuses(command: &mut Command, part: &str) {
    let output = finish(command);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), error.lines().count()), (Some(2), 1), "{error}");
    assert!(output.stdout.is_empty() && error.contains(part), "{part}: {error}");
}

/// Has it use links, other processes' files, FIFOs and streams as what they are.
///
/// # Panics
///
/// When it does not.
pub fn private_files(program: &Path) {
    let server = Server::start(ServerConfig::default()).expect("the loopback serves");
    let place = Place::new(program, "files");
    let (target, link, record) = (place.at("session"), place.at("link"), place.at("record"));
    symlink("session", &link).expect("a link");
    let with = |flags: &[&str], file: &Path, flag: &str| {
        let mut command = with_credentials(program, &server);
        command.args(flags).arg(flag).arg(file).arg(FILTER);
        command
    };
    let mut talk = Talk::start(with(&["--json"], &link, "--state").arg("--record").arg(&record));
    talk.next("subscribed");
    refuses(&mut with(&[], &target, "--state"), "in use by another process");
    refuses(&mut with(&[], &record, "--record"), "in use by another process");
    talk.close("detach", "detached");
    assert!(std::fs::symlink_metadata(&link).is_ok_and(|meta| meta.is_symlink()), "the link is still one");
    for file in ["session", "session.login", "record"] {
        let meta = std::fs::symlink_metadata(place.at(file)).expect("it was written");
        let mode = std::os::unix::fs::PermissionsExt::mode(&meta.permissions());
        assert!(meta.is_file() && meta.len() > 0 && mode & 0o077 == 0, "{file}: {mode:o}");
    }
    // The same file by two names is a mistake, and no other process.
    let mut twice = with(&[], &target, "--state");
    twice.arg("--record").arg(place.at("../").join(place.0.file_name().expect("a name")).join("link"));
    refuses(&mut twice, "--state and --record name the same file");
    let fifo = place.at("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().expect("mkfifo is there").success());
    for flag in ["--state", "--record"] {
        refuses(&mut with(&[], &fifo, flag), "is a FIFO");
    }
    assert!(!std::fs::symlink_metadata(&fifo).expect("it is there").is_file());
    // What it wrote itself is written again.
    let mut again = with(&[], &target, "--state");
    again.arg("--record").arg(&record).env("RC_APP_CLIENT_SECRET", "wrong").env("RC_USER_JWT", "wrong");
    assert_eq!(finish(&mut again).status.code(), Some(1));
    let notes = place.at("notes.txt");
    for foreign in ["buy milk\n", "{\"version\":1,\"services\":{}}"] {
        for (flag, what) in [("--state", "does not hold a session"), ("--record", "does not hold a recording")] {
            std::fs::write(&notes, foreign).expect("notes");
            refuses(&mut with(&[], &notes, flag), what);
            assert_eq!(std::fs::read_to_string(&notes).expect("they are there"), foreign, "{flag}");
        }
    }
    let failed = |flags: &[&str], file: &str| {
        finish(with(flags, Path::new(file), "--record").env("RC_APP_CLIENT_SECRET", "wrong"))
    };
    let recorded =
        |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().filter(|l| l.contains("authorize")).count() > 0;
    for (flags, file, on_stdout) in
        [(&[][..], "-", true), (&[], "/dev/stdout", true), (&["--json"], "/dev/stderr", false)]
    {
        let output = failed(flags, file);
        assert_eq!(output.status.code(), Some(1), "{file}");
        assert_eq!((recorded(&output.stdout), recorded(&output.stderr)), (on_stdout, !on_stdout), "{output:?}");
    }
    assert_eq!(failed(&["--json"], "-").status.code(), Some(2));
}

/// Starts it where no file may hold a byte (`ulimit -f`): the system kills who writes one, unless that is handled.
///
/// # Panics
///
/// When it does not say so, or does not go on.
pub fn full_files(program: &Path) {
    let server = Server::start(ServerConfig::default()).expect("the loopback serves");
    let place = Place::new(program, "full");
    let mut command = with_credentials(Path::new("sh"), &server);
    command.arg("-c").arg("ulimit -f 0 && exec \"$0\" \"$@\"").arg(program).args(["--json", FILTER, "--state"]);
    let mut talk = Talk::start_with_errors(command.arg(place.at("session")).arg("--record").arg(place.at("record")));
    talk.next("subscribed");
    server.receive_sms(0, "+16505550100", "still here");
    assert_eq!(talk.next("notification")["body"]["subject"], "still here");
    talk.close("revoke", "revoked");
    let mut error = String::new();
    talk.child.stderr.take().expect("piped").read_to_string(&mut error).expect("it is text");
    for part in ["login cannot be kept", "session cannot be kept", "recording cannot be kept", "File too large"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert_eq!(error.lines().count(), 3, "{error}");
}

/// Starts it with too few file descriptors for its runtime.
///
/// # Panics
///
/// When it does not say so in one line, with status 1.
pub fn too_few_descriptors(program: &Path) {
    let server = Server::start(ServerConfig::default()).expect("the loopback serves");
    for limit in 5..=10 {
        let mut command = with_credentials(Path::new("sh"), &server);
        command.arg("-c").arg(format!("ulimit -n {limit} && exec \"$0\" \"$@\"")).arg(program).arg(FILTER);
        let output = finish(&mut command);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), error.lines().count()), (Some(1), 1), "{limit}: {error}");
        assert!(error.contains("runtime cannot be started") && error.contains("ulimit"), "{limit}: {error}");
    }
}
