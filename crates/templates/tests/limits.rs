//! No template hangs, exhausts memory or panics, whatever it says and whatever it is given.

use portcullis_templates::{Data, Dialect, FailureKind, Limits, Scope, Template};
use proptest::prelude::*;

fn small() -> Limits {
    Limits::default()
        .steps(200_000)
        .created_bytes(4 << 20)
        .output_bytes(1 << 20)
}

#[track_caller]
fn ends_at_a_limit(source: &str) {
    for dialect in [Dialect::ApiGateway, Dialect::Velocity] {
        let template = Template::parse_with(source, dialect, small()).expect("it parses");
        let error = template
            .render(&Scope::new(b"{}"))
            .expect_err("it reaches a limit");
        assert_eq!(error.kind(), FailureKind::Limit, "{error}");
    }
}

#[test]
fn a_loop_of_more_than_a_thousand_passes_fails() {
    ends_at_a_limit("#foreach($i in [1..1001])x#end");
    let most = Template::parse("#foreach($i in [1..1000])x#end").expect("it parses");
    assert_eq!(
        most.render(&Scope::new(b""))
            .expect("it renders")
            .text()
            .len(),
        1000
    );
}

#[test]
fn loops_in_loops_end() {
    ends_at_a_limit(
        "#foreach($i in [1..1000])#foreach($j in [1..1000])#foreach($k in [1..1000])#end#end#end",
    );
}

#[test]
fn texts_that_double_end() {
    ends_at_a_limit("#set($x = 'abcd')#foreach($i in [1..1000])#set($x = $x + $x)#end");
    ends_at_a_limit("#set($x = 'abcd')#foreach($i in [1..1000])#set($x = \"$x$x\")#end");
    ends_at_a_limit(
        "#set($x = 'a')#foreach($i in [1..1000])#set($x = $x.replace('a', 'aaaa'))#end",
    );
    ends_at_a_limit(
        "#set($x = 'a')#foreach($i in [1..9])#set($x = $x.replaceAll('', 'aaaaaaaaaa'))#end",
    );
    ends_at_a_limit("#set($x = 'a')$x.repeat(2000000000)");
    ends_at_a_limit("#set($x = 'a')$x.format('%1000000000s', 'a')");
}

#[test]
fn numbers_that_square_end() {
    ends_at_a_limit(
        "#set($x = 9223372036854775807)#foreach($i in [1..1000])#set($x = $x * $x)#end$x",
    );
}

#[test]
fn long_ranges_end() {
    ends_at_a_limit("#set($x = [1..2000000000])$x.size()");
}

#[test]
fn a_list_that_holds_itself_ends() {
    ends_at_a_limit("#set($a = [])#set($b = [$a])#set($q = $a.add($b))$a");
    ends_at_a_limit("#set($a = {})#set($b = {'a': $a})#set($a.b = $b)$a");
    ends_at_a_limit(
        "#set($a = [])#set($b = [$a])#set($q = $a.add($b))#set($c = [])#set($d = [$c])#set($q = $c.add($d))#if($a == $c)x#end",
    );
}

#[test]
fn lists_that_double_end() {
    ends_at_a_limit("#set($a = ['x'])#foreach($i in [1..1000])#set($a = [$a, $a])#end$a");
    ends_at_a_limit("#set($a = ['x'])#foreach($i in [1..1000])#set($q = $a.addAll($a))#end");
}

#[test]
fn lists_in_lists_are_dropped_without_recursion() {
    let limits = Limits::default();
    let source =
        "#set($a = [])#foreach($i in [1..1000])#foreach($j in [1..300])#set($a = [$a])#end#end";
    let template = Template::parse_with(source, Dialect::ApiGateway, limits).expect("it parses");
    template.render(&Scope::new(b"")).expect("it renders");
}

#[test]
fn macros_that_call_themselves_end() {
    for source in [
        "#macro(m)#m()#end#m()",
        "#set($x = '#evaluate($x)')#evaluate($x)",
        "#macro(m $a)#m($a)#end#m('x')",
    ] {
        let template = Template::parse_with(source, Dialect::Velocity, small()).expect("it parses");
        let error = template
            .render(&Scope::new(b""))
            .expect_err("it reaches a limit");
        assert_eq!(error.kind(), FailureKind::Limit, "{error}");
    }
}

#[test]
fn patterns_that_backtrack_end() {
    let source =
        "#set($x = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!')$x.matches('(?=x*)((a+)+)+\\1$')";
    let template = Template::parse(source).expect("it parses");
    let error = template
        .render(&Scope::new(b""))
        .expect_err("it reaches a limit");
    assert_eq!(error.kind(), FailureKind::Limit, "{error}");
}

#[test]
fn deep_nesting_is_a_fault_and_not_an_overflow() {
    for part in [
        "#if(true)",
        "#foreach($i in [1])",
        "#set($x = [",
        "#set($x = ((",
        "#set($x = !",
        "$a[$a[",
        "$a.b([{1:",
        "#if(true && (",
        "\\\\",
        "#[[",
        "#*",
        "{",
        "$",
        "#",
        "(",
        "#define($a)",
    ] {
        for prefix in ["", "#set($x = "] {
            let source = format!("{prefix}{}", part.repeat(5_000));
            drop(Template::parse(&source));
        }
    }
    let sum = format!("#set($x = 1{})", " + 1".repeat(5_000));
    assert!(Template::parse(&sum).is_err());
}

#[test]
fn a_deep_body_is_an_error_and_not_an_overflow() {
    for body in ["[".repeat(100_000), "{\"a\":".repeat(100_000)] {
        let template = Template::parse("$input.json('$')").expect("it parses");
        let error = template
            .render(&Scope::new(body.as_bytes()))
            .expect_err("it is no JSON");
        assert_eq!(error.kind(), FailureKind::Body);
    }
    let template =
        Template::parse("$input.path('$..a').size()$input.json('$')").expect("it parses");
    let body = format!("{}1{}", "[".repeat(90), "]".repeat(90));
    template
        .render(&Scope::new(body.as_bytes()))
        .expect("it renders");
}

/// Pieces that mean something to the parser, in any order.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(vec![
            "$",
            "${",
            "$!",
            "$!{",
            "$x",
            "$l",
            "$m",
            "$input",
            "$util",
            "$context",
            ".",
            ".get(",
            ".put(",
            ".size()",
            ".path('$",
            ".json(\"$",
            "..a",
            "[?(@.a",
            "[",
            "]",
            "(",
            ")",
            "{",
            "}",
            ",",
            ":",
            "..",
            "#",
            "#set($x = ",
            "#if(",
            "#elseif(",
            "#else",
            "#end",
            "#foreach($i in ",
            "#foreach($i in $l)",
            "#define($d)",
            "#macro(m $a)",
            "#m(",
            "#@m(",
            "#break",
            "#stop",
            "#evaluate(",
            "#[[",
            "]]#",
            "#*",
            "*#",
            "##",
            "\n",
            "\r\n",
            " ",
            "\\",
            "\"",
            "'",
            "\"\"",
            "\\u0041",
            "true",
            "false",
            "1",
            "-1",
            "1.5",
            "9999999999999",
            "+",
            "-",
            "*",
            "/",
            "%",
            "==",
            "!=",
            "<",
            ">",
            "&&",
            "||",
            "!",
            "and",
            "not",
            "é",
            "😀",
            ".split(",
            ".replaceAll(",
            ".substring(",
            ".keySet()",
            ".entrySet()",
            ".add($l)",
            "=",
            "$foreach.hasNext",
            ".escapeJavaScript(",
            ".urlDecode(",
            ".parseJson(",
            "abc",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,3}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn no_template_panics_or_goes_past_its_budget(
        pieces in proptest::collection::vec(piece(), 0..24),
        body in prop_oneof![
            "\\PC{0,20}",
            Just(r#"{"a": [1, {"b": "c"}], "d": {"a": null}}"#.to_owned()),
        ],
    ) {
        let source = pieces.concat();
        for dialect in [Dialect::ApiGateway, Dialect::Velocity] {
            let Ok(template) = Template::parse_with(&source, dialect, small()) else {
                continue;
            };
            let again = Template::parse_with(&template.to_string(), dialect, small());
            prop_assert_eq!(again.as_ref(), Ok(&template));
            let variables = Data::from_iter([
                ("x", Data::from("text")),
                ("l", Data::List(vec![Data::Integer(1), Data::from("b")])),
                ("m", Data::from_iter([("k", Data::from("v"))])),
            ]);
            let scope = Scope::new(body.as_bytes()).variables(&variables);
            if let Ok(output) = template.render(&scope) {
                prop_assert!(output.text().len() <= 1 << 20);
            }
        }
    }

    #[test]
    fn no_text_panics_the_parser(source in "\\PC{0,200}") {
        drop(Template::parse(&source).map_err(|fault| fault.to_string()));
    }
}
