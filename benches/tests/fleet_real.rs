//! The program `fleet-real` in its quick form: what it does, and that no process of it is left.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_fleet-real"))
}

/// Whether a process is there. One that ended and whose parent has not noticed is not.
fn is_there(id: u64) -> bool {
    let status = std::fs::read_to_string(Path::new("/proc").join(id.to_string()).join("status"));
    status.is_ok_and(|status| status.starts_with("Name:\tfleet-real") && !status.contains("State:\tZ"))
}

fn await_end(ids: &[u64]) {
    let began = Instant::now();
    while let Some(left) = ids.iter().find(|id| is_there(**id)) {
        assert!(began.elapsed() < Duration::from_secs(30), "the process {left} is left");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_small_fleet_is_ready_comes_back_and_loses_nothing_without_a_gap() {
    let output = program().args(["--quick", "--json"]).output().unwrap();
    let (said, progress) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{progress}");
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(report["wrong"], serde_json::json!([]), "{said}");
    let figure = |key: &str| report["figures"][key].as_f64().unwrap_or_else(|| panic!("{key} is missing: {said}"));
    let sessions = report["sessions"].as_f64().unwrap();
    assert!(figure("heartbeats") > 0.0);
    assert!(figure("notifications") >= 300.0 * sessions);
    // A machine without time makes sessions silent for longer than their short heartbeats: then a gap is possible.
    assert!(figure("cut_recovered") > sessions, "all sessions continue after a cut");
    assert!(figure("forget_gaps") > sessions && figure("restart_gaps") > sessions, "each says what it lost");
    assert!(figure("reconnects") >= 300.0);
    assert_eq!((figure("missing"), figure("repeated")), (0.0, 0.0));
    let stand_ins: Vec<u64> = report["stand_ins"].as_array().unwrap().iter().filter_map(Value::as_u64).collect();
    assert_eq!(stand_ins.len(), 4, "two, and two after the restart");
    await_end(&stand_ins);
}

/// The children of a process.
fn children(id: u32) -> Vec<u64> {
    let tasks = std::fs::read_dir(format!("/proc/{id}/task")).unwrap();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().map(|id| id.parse().unwrap()).collect::<Vec<u64>>()).collect()
}

#[test]
fn the_stand_ins_end_with_a_program_that_is_killed() {
    let mut running = program().args(["--quick", "--idle", "60"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(running.stderr.take().unwrap()).lines();
    let idles = lines.any(|line| line.unwrap().starts_with("idle: "));
    let stand_ins = children(running.id());
    running.kill().unwrap();
    running.wait().unwrap();
    assert!(idles && stand_ins.len() == 2, "{stand_ins:?}");
    await_end(&stand_ins);
}

#[test]
fn bad_usage_is_reported_in_one_line() {
    for bad in [&["--sessions"][..], &["many"], &["--stand-ins", "x"], &["--idle", "-1"]] {
        let output = program().args(bad).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{said}");
    }
}
