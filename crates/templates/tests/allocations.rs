//! A rendering allocates for its result, for what `#set` makes and for the lists and maps that it walks; little else.

use portcullis_templates::{Data, Scope, Template};

/// What one rendering allocates once the template was rendered before, the result included.
#[track_caller]
fn check(source: &str, body: &str, expected: u64) {
    let context = Data::from_iter([
        ("stage", Data::from("prod")),
        (
            "identity",
            Data::from_iter([("sourceIp", Data::from("192.0.2.1"))]),
        ),
    ]);
    let query = [("page", "2")];
    let template = Template::parse(source).expect("it parses");
    let render = || {
        let scope = Scope::new(body.as_bytes())
            .context(&context)
            .querystring(&query);
        template.render(&scope).expect("it renders")
    };
    drop(render());
    let counted = allocation_counter::measure(|| drop(render()));
    assert_eq!(counted.count_total, expected, "{source}");
}

const BODY: &str = r#"{"id": 7, "customer": {"name": "Ada"}, "items": [{"sku": "A"}, {"sku": "B"}, {"sku": "C"}]}"#;

#[test]
fn text_costs_its_result_and_the_variables() {
    check("nothing but text", BODY, 2);
}

#[test]
fn facts_and_parameters_cost_nothing_more() {
    check(
        "$context.stage $context.identity.sourceIp $input.params('page') $input.body",
        BODY,
        2,
    );
}

#[test]
fn a_body_costs_one_list_of_its_values_and_a_map() {
    check(
        "$input.json('$.id') $input.json('$') $input.path('$.customer.name')",
        BODY,
        4,
    );
}

#[test]
fn names_below_names_cost_nothing_more() {
    check(
        "#set($o = $input.path('$'))$o.id $o.customer.name $o.customer.name",
        BODY,
        4,
    );
}

#[test]
fn a_loop_costs_one_map_for_each_object() {
    // The list, its items and how they are remembered, the loop and its copy of the list, and three maps.
    check("#foreach($i in $input.path('$.items'))$i.sku#end", BODY, 12);
}

#[test]
fn a_number_costs_nothing() {
    check("#set($n = 1)#set($n = $n + 41)$n", BODY, 2);
}
