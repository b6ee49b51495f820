//! See `manushya_tests::fuzz::snapshot_header`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| manushya_tests::fuzz::snapshot_header(bytes));
