//! The command from outside.

mod backfill;
mod commands;
#[path = "../common/mod.rs"]
mod common;
mod doctor;
mod doctor_interrupted;
mod ending;
mod login;
mod stand_in_schema;
mod tail_schema;
mod terminal;
