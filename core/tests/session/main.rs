//! What a session does, by the chapters of PROTOCOL.md and in their order. Behaviour that a script of inputs and outputs
//! shows better is a transcript (`tests/transcripts`).

#[path = "../support/direct.rs"]
mod direct;

// TOK
mod identity;
mod logins;
mod tokens;

// CON, WSC
mod connection;

// SUB
mod held;
mod subscription;
mod unconfirmed;

// REC
mod losses;
mod recovery;

// BCK
mod retry;

// HB
mod liveness;

// REQ
mod outcomes;
mod requests;

// FRM
mod frames;

// PST
mod persistence;

// CLS
mod close;

// SEC
mod limits;
mod masking;
mod secrets;

// C1 to C16, the table of codes, and plain values
mod codes;
mod contract;
mod crowd;
mod values;
