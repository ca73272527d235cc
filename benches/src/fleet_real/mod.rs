//! Thousands of sessions in one process, with stand-ins in other processes: what the program `fleet-real` measures.

pub mod arrivals;
mod faults;
pub mod options;
pub mod process;
pub mod report;
pub mod run;
pub mod sessions;
pub mod stand_in;

pub use self::options::{HELP, Options};
pub use self::report::Report;
pub use self::run::run;
pub use self::stand_in::serve_if_asked;

/// What went wrong, in words.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
