//! No template panics, runs past its budget, or is another one after it was printed.
//!
//! The first byte chooses the dialect and how the rest is read: as text, or as pieces that mean something to the parser.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_templates::{Data, Dialect, Limits, Scope, Template};

const OUTPUT: usize = 1 << 16;

const PIECES: &[&str] = &[
    "$",
    "${",
    "$!",
    "$!{",
    "$x",
    "$l",
    "$m",
    "$n",
    "$i",
    "$nope",
    "$foreach.",
    "$input",
    "$input.body",
    "$input.json('$.",
    "$input.path('$.",
    "$input.params(",
    "$util.",
    "$context.",
    "$context.responseOverride.status",
    "escapeJavaScript(",
    "urlEncode(",
    "urlDecode(",
    "base64Encode(",
    "base64Decode(",
    "parseJson(",
    ".get(",
    ".put(",
    ".add(",
    ".addAll(",
    ".remove(",
    ".keySet()",
    ".entrySet()",
    ".values()",
    ".size()",
    ".split(",
    ".replaceAll(",
    ".matches(",
    ".substring(",
    ".format(",
    ".toString()",
    ".iterator()",
    ".next()",
    ".length()",
    ".class",
    "..a",
    "[?(@.a>1)]",
    "[*]",
    "[0]",
    "['a']",
    "[-1:]",
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    ",",
    ":",
    "..",
    ".",
    "#set($x = ",
    "#set($m.a = ",
    "#if(",
    "#elseif(",
    "#else",
    "#{else}",
    "#end",
    "#foreach($i in ",
    "#foreach($i in $l)",
    "#define($d)",
    "$d",
    "#macro(f $a)",
    "$a",
    "#f(",
    "#@f(",
    "$bodyContent",
    "#break",
    "#stop",
    "#evaluate(",
    "#parse(",
    "#[[",
    "]]#",
    "#*",
    "*#",
    "##",
    "#",
    "\n",
    "\r\n",
    " ",
    "\t",
    "\\",
    "\"",
    "'",
    "\"\"",
    "\\u0041",
    "true",
    "false",
    "0",
    "1",
    "-1",
    "1.5",
    "9999999999999999999",
    "+",
    "-",
    "*",
    "/",
    "%",
    "==",
    "!=",
    "<",
    ">=",
    "&&",
    "||",
    "!",
    "=",
    "not ",
    " in ",
    "a",
    "b",
    "é",
    "😀",
];

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, rest)) = bytes.split_first() else {
        return;
    };
    let dialect = match choice & 1 {
        0 => Dialect::ApiGateway,
        _ => Dialect::Velocity,
    };
    // What follows a zero byte is the body.
    let end = rest
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(rest.len());
    let (template, body) = (&rest[..end], rest.get(end + 1..).unwrap_or_default());
    let source = match choice & 2 {
        0 => String::from_utf8_lossy(template).into_owned(),
        _ => template
            .iter()
            .map(|byte| PIECES[usize::from(*byte) % PIECES.len()])
            .collect(),
    };

    let limits = Limits::default()
        .steps(100_000)
        .created_bytes(1 << 20)
        .output_bytes(OUTPUT);
    let template = match Template::parse_with(&source, dialect, limits) {
        Ok(template) => template,
        Err(fault) => {
            assert!(!fault.to_string().is_empty());
            assert!(fault.line() >= 1 && fault.column() >= 1);
            return;
        }
    };
    let again = Template::parse_with(&template.to_string(), dialect, limits);
    assert_eq!(again.as_ref(), Ok(&template));

    let variables = Data::from_iter([
        ("x", Data::from("text, with \"quotes\"")),
        ("n", Data::from(7)),
        (
            "l",
            Data::List(vec![Data::from(1), Data::from("b"), Data::Null]),
        ),
        ("m", Data::from_iter([("a", Data::from("v"))])),
    ]);
    let scope = Scope::new(body).variables(&variables);
    match template.render(&scope) {
        Ok(output) => {
            assert!(output.text().len() <= OUTPUT);
            let mut steps = 0usize;
            let traced = template.render_traced(&scope, &mut |step| steps += step.line());
            assert_eq!(traced.as_ref(), Ok(&output), "looking on changes nothing");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
