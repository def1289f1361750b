//! What a rendering tells of its steps.

use portcullis_templates::{Dialect, Limits, Scope, Template};

#[track_caller]
fn check(source: &str, expected: &[&str]) {
    let template = Template::parse_with(source, Dialect::Velocity, Limits::default())
        .unwrap_or_else(|fault| panic!("{fault}"));
    let scope = Scope::new(br#"{"items": ["a", "b"]}"#);
    let mut lines = Vec::new();
    let traced = template.render_traced(&scope, &mut |step| lines.push(step.to_string()));
    assert_eq!(lines, expected);
    assert_eq!(
        traced,
        template.render(&scope),
        "looking on changes nothing"
    );
}

#[test]
fn each_pass_of_a_loop_is_told() {
    check(
        "x\n  #foreach($i in $input.path('$.items'))\n $i)#end",
        &[
            "2:3: #foreach($i in $input.path('$.items')): \"a\"",
            "3:2: $i: \"a\"",
            "2:3: #foreach($i in $input.path('$.items')): \"b\"",
            "3:2: $i: \"b\"",
        ],
    );
    check(
        "#foreach($i in 7)x#end",
        &["1:1: #foreach($i in 7): no value"],
    );
}

#[test]
fn conditions_are_told_until_one_holds() {
    check(
        "#if($a)1#elseif((1 + 1) == 2)2#elseif(true)3#end",
        &["1:1: #if($a): false", "1:9: #elseif((1 + 1) == 2): true"],
    );
}

#[test]
fn what_has_no_value_says_so() {
    check(
        "#set($a = $b)${a}",
        &["1:1: #set($a = $b): no value", "1:14: ${a}: no value"],
    );
}

#[test]
fn a_string_gives_its_place_to_what_stands_in_it() {
    check(
        "#set($a = 1)\n#set($b = \"é$a\")",
        &[
            "1:1: #set($a = 1): 1",
            "2:11: \"é$a\": 1",
            "2:1: #set($b = \"é$a\"): \"é1\"",
        ],
    );
}

#[test]
fn macros_tell_their_steps_and_evaluated_text_tells_itself() {
    check(
        "#macro(m $x)$x#end#m(1)#evaluate('#set($q = 2)')$q",
        &[
            "1:13: $x: 1",
            "1:24: #evaluate('#set($q = 2)'): \"#set($q = 2)\"",
            "1:49: $q: 2",
        ],
    );
}

#[test]
fn blocks_and_long_values_are_shortened() {
    check("#define($d)x#end$d", &["1:17: $d: a block of `#define`"]);
    let template = Template::parse("#set($l = [1..999])").expect("it parses");
    let mut values = Vec::new();
    template
        .render_traced(&Scope::new(b""), &mut |step| {
            values.push(step.value().map(str::to_owned));
        })
        .expect("it renders");
    let shown = values[0].as_deref().expect("a value");
    assert!(
        shown.starts_with("[1, 2, 3") && shown.ends_with('…'),
        "{shown}"
    );
    assert_eq!(shown.chars().count(), 201);
}

#[test]
fn the_steps_before_a_failure_are_told() {
    let template = Template::parse("#set($l = [1])\n$l[3]").expect("it parses");
    let mut lines = Vec::new();
    let outcome = template.render_traced(&Scope::new(b""), &mut |step| lines.push(step.line()));
    assert_eq!(outcome.expect_err("it fails").fault().line(), 2);
    assert_eq!(lines, [1]);
}
