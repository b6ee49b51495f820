//! See `manushya_tests::fuzz::filter`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| manushya_tests::fuzz::filter(bytes));
