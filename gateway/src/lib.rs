#![cfg_attr(feature = "server", doc = include_str!("../README.md"))]
#![cfg_attr(not(feature = "server"), doc = "A stand-in for RingCentral's servers, without I/O.")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod auth;
mod call_log;
mod call_plan;
mod calls;
mod config;
mod connect;
mod expire;
mod faults;
mod fax;
mod frame;
mod gateway;
mod http;
mod inbound;
mod inject;
mod known;
mod limit;
mod messages;
mod multipart;
mod notify;
mod oauth;
mod output;
mod pager;
mod presence;
mod presence_settings;
mod rest;
mod rest_limits;
mod session;
mod shapes;
mod store;
mod subscribe;
mod sync;
mod teams;
mod text;
mod timers;
mod wstoken;

pub use auth::Login;
pub use call_plan::CallPlan;
pub use config::{AppConfig, GatewayConfig, OAuthConfig, UserConfig, WsTokenConfig};
pub use expire::ConnectionTimeout;
pub use gateway::Gateway;
pub use http::{HttpRequest, HttpResponse};
pub use output::{
    Fate, FrameKind, GatewayEvent, GatewayOutput, Ledger, LossCause, LossReport, Observations, Receipt, Recovery,
    SessionStatus, Upgrade,
};
pub use rest_limits::RestLimits;
pub use store::MessageKind;

#[cfg(feature = "server")]
mod program;
#[cfg(feature = "server")]
mod server;
#[cfg(feature = "server")]
pub use program::program;
#[cfg(feature = "server")]
pub use server::{Script, ScriptError, SentSms, Server, ServerConfig, eventually, eventually_eq};
