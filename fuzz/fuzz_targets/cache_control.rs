//! No `Cache-Control` panics, and what it says reads the same once it is written down. Lines are separated by zero bytes.
#![no_main]

use http::header::{CACHE_CONTROL, PRAGMA};
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use portcullis_cache::http::CacheControl;

fuzz_target!(|bytes: &[u8]| {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == 0) {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(CACHE_CONTROL, value.clone());
            headers.append(PRAGMA, value);
        }
    }
    let directives = CacheControl::of(&headers);
    assert_eq!(directives, CacheControl::of_request(&headers), "`Pragma` counts only where there is no other");

    let written = directives.to_string();
    let mut again = HeaderMap::new();
    again.insert(CACHE_CONTROL, HeaderValue::try_from(&written).expect("names and numbers are a value"));
    assert_eq!(CacheControl::of(&again).to_string(), written);
});
