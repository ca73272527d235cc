//! Deterministic simulation and fuzz targets for [`ringcentral_ws_core`]. See the README of this folder.
#![forbid(unsafe_code)]

mod defects;
mod diagram;
mod model;
mod oracle;
mod recorded;
mod report;
mod rng;
mod series;
mod sim;
mod simulate;
mod storm;
mod subject;
pub mod targets;
mod weeks;

pub use defects::{Defect, Defective, Mutant};
pub use diagram::{Glyphs, svg, text};
pub use oracle::Violation;
pub use recorded::{Recordings, Tape};
pub use report::Report;
pub use series::{Progress, series};
pub use sim::Story;
pub use simulate::{DAY, Failure, calm, simulate, tell};
pub use storm::{storm, tell_storm};
pub use subject::{Maker, Plain, Subject, WithContract};
pub use weeks::{LoginDefect, WeeksFailure, WeeksReport, weeks};
