//! No pattern panics or runs away. The pattern stands before the first zero byte, the text after it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_templates::{Data, Limits, Pattern, Scope, Template};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let (source, text) = text.split_once('\0').unwrap_or((&text, ""));
    if let Ok(pattern) = Pattern::parse(source) {
        let _ = pattern.matches(text);
    }

    let template = Template::parse_with(
        "$t.matches($p)$t.replaceAll($p, '<$0>')$t.split($p).size()",
        Default::default(),
        Limits::default().output_bytes(1 << 16),
    )
    .expect("it parses");
    let variables = Data::from_iter([("t", Data::from(text)), ("p", Data::from(source))]);
    drop(template.render(&Scope::new(b"").variables(&variables)));
});
