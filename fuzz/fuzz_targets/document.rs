//! No body and no path panics: JSON by JSONPath, and XML. The path stands before the first zero byte.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_templates::{Document, JsonPath, Scope, Template, XmlReader};

fuzz_target!(|bytes: &[u8]| {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(0);
    let path = String::from_utf8_lossy(&bytes[..end]);
    let body = bytes.get(end + 1..).unwrap_or_default();
    drop(XmlReader::default().read(body));

    let Ok(path) = JsonPath::parse(&path) else {
        return;
    };
    let text = String::from_utf8_lossy(body);
    let Ok(document) = Document::read(&text) else {
        return;
    };
    let found = document.text(&path);
    assert_eq!(found, document.text(&path), "asking changes nothing");

    // What is printed whole is JSON that reads as the same document.
    let template = Template::parse("$input.json('$')").expect("it parses");
    if let Ok(output) = template.render(&Scope::of_document(&document)) {
        let printed = Document::read(output.text()).expect("what was printed is JSON");
        assert_eq!(printed.text(&path), found, "{}", output.text());
    }
});
