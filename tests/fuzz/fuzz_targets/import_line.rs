//! See `manushya_tests::fuzz::import_line`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| manushya_tests::fuzz::import_line(bytes));
