//! See `manushya_tests::fuzz::frame`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| manushya_tests::fuzz::frame(bytes));
