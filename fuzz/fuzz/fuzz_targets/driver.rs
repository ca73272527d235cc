//! See `ringcentral_ws_fuzz::targets::driver`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ringcentral_ws_fuzz::targets::driver(data));
