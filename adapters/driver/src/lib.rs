//! The async driver.

mod clock;
mod credentials;
mod dial;
mod https;
mod limits;
mod mask;
mod runtime;
mod socket;
mod tls;
