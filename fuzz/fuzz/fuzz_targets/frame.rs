//! See `ringcentral_ws_fuzz::targets::frame`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ringcentral_ws_fuzz::targets::frame(data));
