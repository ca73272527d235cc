//! What an idle session keeps on the heap, counted in a process of its own.

use std::process::{Child, Command, Stdio};

/// Bytes of a session that is idle, of one that has had a burst of 1000 notifications, and of one that has reconnected.
/// With all features, as a test of the whole workspace turns them on; a tenth less without.
const REACHED: [usize; 3] = [7_450, 9_600, 9_600];

fn start(runtime: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_memory"));
    command.args([runtime, "plain", "20"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn measured(program: Child) -> Vec<usize> {
    let output = program.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said.lines().map(|line| line.split_whitespace().last().unwrap().parse().unwrap()).collect()
}

#[test]
fn an_idle_session_stays_small() {
    // Both at once, as they wait most of the time.
    for (runtime, program) in ["tokio", "threads"].map(|runtime| (runtime, start(runtime))) {
        let bytes = measured(program);
        assert_eq!(bytes.len(), REACHED.len());
        for (bytes, reached) in bytes.iter().zip(REACHED) {
            assert!(*bytes <= reached + reached / 20, "{runtime}: {bytes} bytes; {reached} were reached");
        }
    }
}
