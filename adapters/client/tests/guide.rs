//! The guide says what the code says, and its chapters are complete.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use ringcentral_ws::classify::CODES;
use ringcentral_ws::metrics::METRICS;
use ringcentral_ws::{GapCause, WaitReason};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("guide")
}

fn read(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap()
}

#[test]
fn the_table_of_codes_is_that_of_the_code() {
    let text = read("codes.md");
    let (before, rest) = text.split_once("--test guide -->\n").expect("the marker");
    let (old, after) = rest.split_once("<!-- end -->").expect("the end");
    let mut table = "| Code | HTTP | Meaning | Class | What to do |\n|---|---|---|---|---|\n".to_owned();
    for row in CODES {
        let http = row.http.map(|status| status.to_string()).unwrap_or_default();
        let _ = writeln!(table, "| `{}` | {http} | {} | `{:?}` | {} |", row.code, row.meaning, row.class, row.remedy);
    }
    if std::env::var_os("UPDATE_GUIDE").is_some() {
        fs::write(folder().join("codes.md"), format!("{before}--test guide -->\n{table}<!-- end -->{after}")).unwrap();
    } else {
        assert_eq!(old, table, "UPDATE_GUIDE=1 writes it anew");
    }
}

/// A program of the repository without its first comment, and the number of its lines. The guide has it behind the first
/// line `fence` after `place`.
fn shown(chapter: &str, place: &str, fence: &str, file: &str) -> usize {
    let file = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let program = file.split_once("\n\n").expect("lines of documentation").1;
    let text = read(chapter);
    let start = text.find(place).expect("its place");
    let start = start + text[start..].find(&format!("\n{fence}\n")).expect("its program");
    let (before, rest) = (&text[..start], &text[start + fence.len() + 2..]);
    let (old, after) = rest.split_once("```\n").expect("the end of it");
    if std::env::var_os("UPDATE_GUIDE").is_some() {
        fs::write(folder().join(chapter), format!("{before}\n{fence}\n{program}```\n{after}")).unwrap();
    } else {
        assert_eq!(old, program, "UPDATE_GUIDE=1 writes it anew");
    }
    // Its users format with the settings of rustfmt, whose width is 100.
    assert!(program.lines().all(|line| line.len() <= 100), "{chapter}: a line is too long");
    program.lines().count()
}

#[test]
fn the_programs_of_the_guide_are_those_that_run_and_are_short() {
    let responder = shown("gaps.md", "", "```rust,no_run", "examples/responder.rs");
    let counter = "## A handler that makes no call";
    let counter = shown("testing.md", counter, "```rust,no_run", "../../examples/src/bin/count-messages.rs");
    assert!(responder <= 50 && counter <= 75, "{responder} and {counter} lines");
    let handler = [("src/lib.rs", "no_run", 30), ("src/main.rs", "ignore", 10), ("tests/handler.rs", "ignore", 40)];
    for (file, kind, most) in handler {
        let (place, path) = (format!("\n`{file}`"), format!("../../examples/your-handler/{file}"));
        let lines = shown("testing.md", &place, &format!("```rust,{kind}"), &path);
        assert!(lines <= most, "{file} has {lines} lines");
    }
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    assert!(readme.contains(&format!("is {responder} lines")), "it is {responder}");
}

#[test]
fn the_table_of_gaps_has_every_cause() {
    let causes = [
        GapCause::RecoveryFailed(None),
        GapCause::WindowPassed,
        GapCause::RecoveryAbandoned,
        GapCause::ReplayOverflow,
        GapCause::ReplayInterrupted,
        GapCause::Restored,
        GapCause::QueueOverflow,
        GapCause::UnreadableFrame,
        GapCause::SubscriptionLost,
        GapCause::InFlight,
        GapCause::Contended,
        GapCause::SlowListener,
    ];
    let text = read("gaps.md");
    let rows: BTreeSet<_> =
        text.lines().filter(|line| line.starts_with("| `") && line.matches('|').count() == 4).collect();
    for cause in &causes {
        let row = rows.iter().find(|row| row.starts_with(&format!("| `{}` |", cause.as_str())));
        let row = row.unwrap_or_else(|| panic!("{} is missing", cause.as_str()));
        assert!(row.ends_with(&format!("| {} |", cause.certainty().as_str())), "{row}");
    }
    assert_eq!(rows.len(), causes.len(), "{rows:?}");
}

#[test]
fn the_reasons_of_waits_and_the_metrics_exist() {
    let text = read("operations.md");
    let reasons = [
        WaitReason::Backoff,
        WaitReason::RetryAfter,
        WaitReason::LoginLimit,
        WaitReason::AuthBudget,
        WaitReason::AttemptBudget,
        WaitReason::LastChance,
        WaitReason::TokenSpread,
        WaitReason::Contended,
        WaitReason::SubscriptionLimit,
    ];
    for reason in reasons {
        assert!(text.contains(&format!("| `{}` |", reason.as_str())), "{} is missing", reason.as_str());
    }
    for named in text.split('`').filter(|word| word.starts_with("ringcentral_ws_")) {
        assert!(METRICS.iter().any(|metric| metric.name == named), "there is no metric {named}");
    }
}

#[test]
fn each_chapter_is_listed_everywhere_and_its_links_lead_somewhere() {
    let (index, module) = (read("README.md"), include_str!("../src/guide.rs"));
    let mut chapters = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let text = read(&name);
        if name != "README.md" {
            chapters += 1;
            let stem = name.trim_end_matches(".md");
            assert!(index.contains(&format!("]({name})")), "{name} is not in the index");
            assert!(module.contains(&format!("    {stem} \"{name}\"")), "{name} is no module");
            assert!(module.contains(&format!("//! | [`{stem}`] |")), "{name} is not in the module's table");
        }
        // Those within the text are files in the documentation as well; only the index is none of its modules.
        assert!(
            name == "README.md" || !text.contains("](") || !text.contains(".md)"),
            "{name}: define its links at the end"
        );
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()).chain(definitions(&text)) {
            let file = link.split('#').next().unwrap();
            // Through the symbolic link `guide` the path would begin in another folder.
            let path = fs::canonicalize(folder()).unwrap().join(file);
            assert!(link.starts_with("https://") || path.exists(), "{name}: {link}");
        }
    }
    assert_eq!(chapters, module.lines().filter(|line| line.starts_with("    ") && line.ends_with(".md\"")).count());
}

/// The blocks of Rust in a text.
fn programs(text: &str) -> impl Iterator<Item = &str> {
    text.split("\n```rust").skip(1).map(|rest| {
        let (kind, rest) = rest.split_once('\n').unwrap();
        assert!(["", ",no_run", ",ignore"].contains(&kind), "{kind}");
        rest.split("\n```").next().unwrap()
    })
}

// CLAUSE CLS-1
#[test]
fn no_program_takes_a_refused_login_for_an_orderly_end() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.extend(["README.md", "../../README.md"].map(|name| manifest.join(name)));
    let mut loops = 0;
    for file in files {
        for program in programs(&fs::read_to_string(&file).unwrap()) {
            let takes = |name: &str| {
                program.contains(&format!("events.{name}("))
                    && (program.contains("while let") || program.contains("loop {"))
            };
            if !["next", "next_batch", "next_delivery"].into_iter().any(takes) && !program.contains("in events {") {
                continue;
            }
            loops += 1;
            let handles = program.contains("Event::Closed { reason }")
                && (program.contains("reason.into_result()?") || program.contains("ended.into_result()?"))
                || program.contains("CloseReason::Permanent(cause)");
            assert!(handles, "{}: a loop ends in silence when a login is refused:\n{program}", file.display());
        }
    }
    assert!(loops >= 14, "only {loops} programs with a loop were found");
}

/// The targets of link definitions.
fn definitions(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| line.starts_with('[')).filter_map(|line| Some(line.split_once("]: ")?.1))
}
