//! The driver in virtual time, in one program: what counts allocations has one of its own.

mod backfill;
mod calls;
mod cancel;
mod dialling;
mod flight_recorder;
mod http_client;
mod listeners;
mod logins;
mod rest;
mod restart;
mod suspend;
mod terminal;
mod world;
