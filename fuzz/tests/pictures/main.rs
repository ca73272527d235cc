//! The pictures in `docs/pictures`, made of what the code does. `UPDATE_PICTURES=1 cargo test` draws them anew.

#![allow(unreachable_pub, reason = "modules of tests")]

mod recovery;
mod states;
#[path = "../../../core/tests/support/mod.rs"]
mod support;
mod svg;
mod watched;

use std::fs;
use std::path::Path;

// The type that the transcripts use.
use watched::Checked;

/// The picture is as it was.
fn check(name: &str, picture: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/pictures").join(name);
    if std::env::var_os("UPDATE_PICTURES").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, picture).unwrap();
    }
    let present = fs::read_to_string(&path).unwrap_or_default();
    assert!(present == picture, "docs/pictures/{name} is not what the code does: UPDATE_PICTURES=1 draws it anew");
}
