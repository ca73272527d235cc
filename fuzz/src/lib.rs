//! Deterministic simulation and fuzz targets for [`ringcentral_ws_core`]. See the README of this folder.
#![forbid(unsafe_code)]

mod defects;
mod model;
mod oracle;
mod report;
mod rng;
mod sim;
mod simulate;
mod subject;
pub mod targets;
mod weeks;

pub use defects::{Defect, Defective, Mutant};
pub use oracle::Violation;
pub use report::Report;
pub use sim::Story;
pub use simulate::{DAY, Failure, calm, simulate, tell};
pub use subject::{Maker, Plain, Subject, WithContract};
pub use weeks::{LoginDefect, WeeksFailure, WeeksReport, weeks};
