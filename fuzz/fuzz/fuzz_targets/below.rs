//! See `ringcentral_ws_fuzz::targets::below`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ringcentral_ws_fuzz::targets::below(data));
