//! See `manushya_tests::fuzz::token`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| manushya_tests::fuzz::token(bytes));
