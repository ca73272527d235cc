//! Golden transcripts: `tests/transcripts/**/*.txt`. `UPDATE_TRANSCRIPTS=1 cargo test` writes them anew.

mod support;

use std::fs;
use std::path::Path;

use ringcentral_ws_core::contract::Checked;

#[test]
fn sessions_do_what_the_transcripts_say() {
    let mut found = Vec::new();
    support::files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts"), &mut found);
    found.sort();
    assert!(!found.is_empty());
    let update = std::env::var_os("UPDATE_TRANSCRIPTS").is_some();
    let mut wrong = Vec::new();
    for path in found {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let expected = fs::read_to_string(&path).unwrap();
        let run = std::panic::catch_unwind(|| support::Rig::run(&expected));
        let Ok(actual) = run else {
            wrong.push(format!("{name}: panicked, see above"));
            continue;
        };
        if actual == expected {
            continue;
        }
        if update {
            fs::write(&path, actual).unwrap();
            continue;
        }
        let lines = || actual.lines().zip(expected.lines()).enumerate();
        let at = lines().find(|(_, (a, b))| a != b).map_or_else(|| expected.lines().count(), |(i, _)| i);
        let line = |text: &str| text.lines().nth(at).unwrap_or("(end)").to_owned();
        wrong.push(format!("{name}:{}\n  expected {}\n  got      {}", at + 1, line(&expected), line(&actual)));
    }
    assert!(wrong.is_empty(), "\n{}\nUPDATE_TRANSCRIPTS=1 writes them anew", wrong.join("\n"));
}
