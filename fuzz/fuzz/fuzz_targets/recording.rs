//! See `ringcentral_ws_fuzz::targets::recording`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ringcentral_ws_fuzz::targets::recording(data));
