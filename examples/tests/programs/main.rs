//! Each program against the stand-in.

mod archive;
#[path = "../common/mod.rs"]
mod common;
#[path = "count-messages.rs"]
#[cfg(unix)]
mod count_messages;
mod fax;
mod listeners;
#[path = "many-accounts.rs"]
mod many_accounts;
#[path = "missed-call.rs"]
mod missed_call;
#[path = "oauth-web.rs"]
mod oauth_web;
mod otel;
#[path = "own-loop.rs"]
mod own_loop;
#[path = "presence-board.rs"]
mod presence_board;
mod recording;
mod sse;
#[path = "webhook-relay.rs"]
mod webhook_relay;
