//! Deterministic simulation and fuzz targets for [`ringcentral_ws_core`]. See the README of this folder.
#![forbid(unsafe_code)]

mod defects;
mod dense;
mod diagram;
mod login_sim;
mod model;
mod oracle;
mod recorded;
mod report;
mod rng;
mod series;
mod sim;
mod simulate;
mod subject;
pub mod targets;

pub use defects::{Defect, Defective, Mutant};
pub use dense::{dense_traced, simulate_dense};
pub use diagram::{Glyphs, svg, text};
pub use login_sim::{LoginDefect, LoginFailure, LoginReport, simulate_logins};
pub use oracle::Violation;
pub use recorded::{Recordings, Tape};
pub use report::Report;
pub use series::{Progress, series};
pub use sim::Trace;
pub use simulate::{DAY, Failure, calm, simulate, simulate_traced};
pub use subject::{Maker, Plain, Subject, WithContract};
