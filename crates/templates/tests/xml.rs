//! XML as templates see it: SOAP requests and replies, odd documents and hostile ones.

use portcullis_templates::{Data, Scope, Template, XmlReader};
use proptest::prelude::*;

#[track_caller]
fn check(document: &str, expected: &serde_json::Value) {
    let read = XmlReader::default()
        .list("li")
        .read(document.as_bytes())
        .unwrap_or_else(|error| panic!("{error}"));
    let read = serde_json::to_value(&read).expect("JSON");
    assert_eq!(&read, expected);
}

#[track_caller]
fn refused(reader: &XmlReader, document: &str, at: usize, message: &str) {
    let error = reader.read(document.as_bytes()).expect_err("it is refused");
    assert_eq!((error.at(), error.to_string().as_str()), (at, message));
}

#[test]
fn text_elements_and_attributes_have_their_shapes() {
    use serde_json::json;
    check("<a/>", &json!({"a": ""}));
    check("<a> x </a>", &json!({"a": " x "}));
    check("<a k='v'/>", &json!({"a": {"@k": "v"}}));
    check(
        "<a k='v'> x </a>",
        &json!({"a": {"@k": "v", "#text": " x "}}),
    );
    check(
        "<a> <b>1</b> y <b>2</b> </a>",
        &json!({"a": {"b": ["1", "2"], "#text": "y"}}),
    );
    check("<ul><li>1</li></ul>", &json!({"ul": {"li": ["1"]}}));
}

#[test]
fn elements_lose_their_prefixes_and_attributes_keep_them() {
    check(
        "<p:a xmlns:p='urn:p' xmlns='urn:q' type='x' p:type='y'><p:b/></p:a>",
        &serde_json::json!({"a": {"@type": "x", "@p:type": "y", "b": ""}}),
    );
}

#[test]
fn references_cdata_comments_and_a_byte_order_mark_are_read() {
    check(
        "\u{feff}<?xml version='1.0'?><!-- c --><a k='&lt;&#65;'>&amp;&#x42;<!-- c --><![CDATA[<&]]>é</a>\n",
        &serde_json::json!({"a": {"@k": "<A", "#text": "&B<&é"}}),
    );
}

#[test]
fn what_is_no_document_is_refused_with_its_place() {
    let plain = XmlReader::default;
    refused(&plain(), "", 0, "there is no element at byte 0");
    refused(&plain(), "<a><b>", 6, "`b` is never closed at byte 6");
    refused(
        &plain(),
        "<a/><b/>",
        8,
        "there is a second root element at byte 8",
    );
    refused(
        &plain(),
        "<a/>x",
        5,
        "there is text outside the root element at byte 5",
    );
    refused(
        &plain(),
        "<a>&b;</a>",
        6,
        "the entity `&b;` is unknown at byte 6",
    );
    refused(
        &plain(),
        "<a k='1' k='2'/>",
        16,
        "the attribute `k` is repeated at byte 16",
    );
    refused(
        &plain(),
        "\u{feff}<a/>x",
        8,
        "there is text outside the root element at byte 8",
    );
    assert!(plain().read(b"<a></b>").is_err());
    assert!(plain().read(b"<a>\xff</a>").is_err());
    assert!(plain().read(b"{}").is_err());
}

#[test]
fn entities_cannot_be_declared() {
    refused(
        &XmlReader::default(),
        "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        30,
        "a document type is not allowed at byte 30",
    );
}

#[test]
fn size_depth_and_count_are_bounded() {
    let small = || XmlReader::default().bytes(40).depth(2).nodes(3);
    refused(
        &small(),
        &"x".repeat(41),
        40,
        "the document is longer than 40 bytes at byte 40",
    );
    refused(
        &small(),
        "<a><b><c/></b></a>",
        10,
        "nested more than 2 deep at byte 10",
    );
    refused(
        &small(),
        "<a><b k=''/><c/></a>",
        16,
        "there are more than 3 elements and attributes at byte 16",
    );
    let deep = "<a>".repeat(100_000);
    assert!(
        XmlReader::default()
            .depth(usize::MAX)
            .read(deep.as_bytes())
            .is_err()
    );
}

#[test]
fn many_attributes_and_many_names_take_time_by_their_number() {
    let attributes: String = (0..50_000).map(|at| format!(" a{at}=''")).collect();
    let document = format!("<r{attributes}/>");
    assert!(XmlReader::default().read(document.as_bytes()).is_ok());
    let elements: String = (0..50_000).map(|at| format!("<a{at}/>")).collect();
    let document = format!("<r>{elements}</r>");
    assert!(XmlReader::default().read(document.as_bytes()).is_ok());
}

const REQUEST: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:o="urn:example:orders">
  <soap:Header><o:User>ada</o:User></soap:Header>
  <soap:Body>
    <o:PlaceOrder>
      <o:Item sku="A1">Nuts &amp; bolts</o:Item>
    </o:PlaceOrder>
  </soap:Body>
</soap:Envelope>"#;

const FAULT: &str = r#"<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body>
<S:Fault><faultcode>S:Client</faultcode><faultstring>No "stock" left</faultstring></S:Fault>
</S:Body></S:Envelope>"#;

#[track_caller]
fn render(document: &str, template: &str) -> String {
    let xml = XmlReader::default()
        .list("Item")
        .read(document.as_bytes())
        .expect("XML");
    let variables = Data::from_iter([("xml", xml)]);
    let template = Template::parse(template).unwrap_or_else(|fault| panic!("{fault}"));
    let output = template
        .render(&Scope::new(document.as_bytes()).variables(&variables))
        .unwrap_or_else(|error| panic!("{error}"));
    output.into_text()
}

#[test]
fn a_soap_request_becomes_json() {
    assert_eq!(
        render(
            REQUEST,
            r##"#set($e = $xml.Envelope){"user": "$e.Header.User", "items": [#foreach($i in $e.Body.PlaceOrder.Item){"sku": "$i["@sku"]", "name": "$i["#text"]"}#if($foreach.hasNext), #end#end]}"##,
        ),
        r#"{"user": "ada", "items": [{"sku": "A1", "name": "Nuts & bolts"}]}"#
    );
}

#[test]
fn a_soap_fault_sets_the_message() {
    let template = r##"#set($fault = $xml.Envelope.Body.Fault)
#if($fault != "")
{"message": "$util.escapeJavaScript($fault.faultstring)"}
#else
{}
#end"##;
    assert_eq!(
        render(FAULT, template).trim(),
        r#"{"message": "No \"stock\" left"}"#
    );
    assert_eq!(render(REQUEST, template).trim(), "{}");
}

#[test]
fn a_document_handed_on_as_json_is_read_by_paths() {
    let xml = XmlReader::default().read(REQUEST.as_bytes()).expect("XML");
    let body = serde_json::to_vec(&xml).expect("JSON");
    let template = Template::parse("$input.json('$..sku') $input.path('$.Envelope.Header.User')");
    let output = template
        .expect("it parses")
        .render(&Scope::new(&body))
        .expect("it renders");
    assert_eq!(output.text(), "[] ada");
}

proptest! {
    #[test]
    fn no_text_panics_the_reader(
        pieces in proptest::collection::vec(
            prop_oneof![
                Just("<a>"), Just("</a>"), Just("<b k='"), Just("'/>"), Just("&amp;"), Just("&#"), Just("&x;"),
                Just("<![CDATA["), Just("]]>"), Just("<!--"), Just("-->"), Just("<?"), Just("?>"), Just("<!DOCTYPE"),
                Just("é"), Just(" "), Just(">"), Just("x:y"), Just("\""),
            ],
            0..20,
        ),
        free in "\\PC{0,40}",
    ) {
        for document in [pieces.concat(), free] {
            drop(XmlReader::default().read(document.as_bytes()).map_err(|error| error.to_string()));
        }
    }
}
