#![no_main]

#[path = "../../fuzzed.rs"]
#[allow(dead_code)]
mod fuzzed;

libfuzzer_sys::fuzz_target!(|octets: &[u8]| fuzzed::picture(octets));
