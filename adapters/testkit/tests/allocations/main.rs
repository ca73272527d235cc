//! What the driver allocates. Each test counts what its own thread does.

mod pressure;
mod teardown;
