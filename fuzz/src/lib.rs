//! Deterministic simulation and fuzz targets for [`ringcentral_ws_core`]. See the README of this folder.
#![forbid(unsafe_code)]

mod acknowledging;
mod arrivals;
pub mod cli;
mod defects;
mod dense;
mod http;
mod login_sim;
mod model;
mod oracle;
mod recorded;
mod report;
mod rng;
mod run;
mod series;
mod sim;
mod simulate;
mod subject;
pub mod targets;
mod time;
mod trace;

pub use acknowledging::{AckReport, acknowledging};
pub use defects::{Defect, Defective, Mutant};
pub use dense::{simulate_dense, simulate_dense_traced};
pub use login_sim::{LoginDefect, LoginReport, simulate_logins};
pub use oracle::{Counts, Fills, TopicCounts, Violation};
pub use recorded::Recordings;
pub use report::Report;
pub use ringcentral_ws_adapter::replay::{Glyphs, svg, text};
pub use rng::Rng;
pub use run::Failure;
pub use series::{Progress, series};
pub use sim::filler::FillDefect;
pub use simulate::{calm, simulate, simulate_filling, simulate_filling_traced, simulate_traced};
pub use subject::{Maker, Plain, Subject, WithContract};
pub use time::DAY;
pub use trace::Trace;
