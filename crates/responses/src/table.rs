//! The table of gateway responses.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use indexmap::IndexMap;
use portcullis_core::{ApiKind, Rejection, RejectionKind};

use crate::capture::Captured;
use crate::config::ResponseConfig;
use crate::error::{ConfigError, Fault, Remark};
use crate::expression::Expression;
use crate::source::Source;
use crate::template::Template;

/// The body that the service lists for every type.
const DEFAULT_TEMPLATE: &str = r#"{"message":$context.error.messageString}"#;
const JSON: &str = "application/json";
const DEFAULT_4XX: &str = "DEFAULT_4XX";
const DEFAULT_5XX: &str = "DEFAULT_5XX";
const TOO_LARGE: &str = "REQUEST_TOO_LARGE";

/// Headers that belong to the connection or to the length of the body, which only the server knows.
const FRAMING: [HeaderName; 7] = [
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::UPGRADE,
    header::TRAILER,
    header::TE,
    HeaderName::from_static("keep-alive"),
];

/// How refusals look: a checked table of gateway responses. The default one changes nothing.
///
/// See the [crate docs](crate) for an example and for the rules.
#[derive(Clone, Debug, Default)]
pub struct GatewayResponses {
    /// By type, as it was given.
    stored: IndexMap<&'static str, (ResponseConfig, Entry)>,
    restyle_too_large: bool,
    remarks: Vec<Remark>,
    needed_headers: Vec<HeaderName>,
    needs_context: bool,
}

/// What an entry sets, compiled.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) status: Option<StatusCode>,
    pub(crate) headers: Vec<(HeaderName, Expression)>,
    pub(crate) body: Option<(HeaderValue, Template)>,
}

/// Builds a [`GatewayResponses`].
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct GatewayResponsesBuilder {
    responses: Vec<ResponseConfig>,
    restyle_too_large: bool,
}

impl GatewayResponsesBuilder {
    /// Adds an entry. One that is only the service's default, listed, is left out.
    pub fn response(mut self, response: ResponseConfig) -> Self {
        self.responses.push(response);
        self
    }

    /// Whether `REQUEST_TOO_LARGE` can be changed like other types, by its own entry and by `DEFAULT_4XX`. Default: no, as in the service;
    /// its entry is a [remark](GatewayResponses::remarks) then.
    pub const fn restyle_too_large(mut self, restyle: bool) -> Self {
        self.restyle_too_large = restyle;
        self
    }

    /// Checks every entry and compiles it.
    ///
    /// # Errors
    ///
    /// Every fault: unknown types and types that occur twice, statuses outside 200 to 599, names of parameters and headers
    /// that are none, and expressions that are none.
    pub fn build(self) -> Result<GatewayResponses, ConfigError> {
        let mut table = GatewayResponses {
            restyle_too_large: self.restyle_too_large,
            ..GatewayResponses::default()
        };
        let mut faults = Vec::new();
        for response in self.responses {
            let at = response.response_type.clone();
            let Some(response_type) = known_type(&at) else {
                faults.push(unknown_type(&at));
                continue;
            };
            if response.default_response {
                continue;
            }
            let entry = compile(&response, &mut faults, &mut table.remarks);
            if response_type == TOO_LARGE && !self.restyle_too_large {
                table.remarks.push(Remark::new(
                    &at,
                    "the service does not let this type be changed",
                ));
            }
            let before = table.stored.insert(response_type, (response, entry));
            if before.is_some() {
                faults.push(Fault::new(&at, "the type occurs twice", "keep one entry"));
            }
        }
        table.note_needs();
        ConfigError::unless_faulty(faults, table)
    }
}

impl GatewayResponses {
    /// Starts a table.
    pub fn builder() -> GatewayResponsesBuilder {
        GatewayResponsesBuilder::default()
    }

    /// Whether a refusal of this kind, by a REST API, looks other than by default.
    #[must_use]
    pub fn customises(&self, kind: RejectionKind) -> bool {
        self.entry(kind).is_some()
    }

    /// Whether the table changes nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stored.is_empty()
    }

    /// What is in the table without effect: parameters other than headers, headers that belong to the connection, templates for further
    /// content types, names below `$context` that stand for nothing, an entry that the service does not honour.
    #[must_use]
    pub fn remarks(&self) -> &[Remark] {
        &self.remarks
    }

    /// Keeps what the templates may ask of a request's head. If they ask for no header, it allocates nothing.
    #[must_use]
    pub fn capture(&self, method: &Method, headers: &HeaderMap) -> Captured {
        Captured::new(&self.needed_headers, method, headers)
    }

    /// Whether templates ask for something that is in the request's context.
    #[must_use]
    pub const fn needs_context(&self) -> bool {
        self.needs_context
    }

    /// The entry that applies to refusals of this kind: the type's own, or else that of its class.
    pub(crate) fn entry(&self, kind: RejectionKind) -> Option<&Entry> {
        let response_type = kind.response_type()?;
        if kind == RejectionKind::RequestTooLarge && !self.restyle_too_large {
            return None;
        }
        let stored = self.stored.get(response_type);
        let stored = stored.or_else(|| self.stored.get(class(kind)));
        stored.map(|(_, entry)| entry)
    }

    /// The entry that applies to `rejection`.
    pub(crate) fn entry_for(&self, rejection: &Rejection) -> Option<&Entry> {
        match rejection.api() {
            ApiKind::Rest => self.entry(rejection.kind()),
            ApiKind::Http => None,
        }
    }

    /// All 21 types, as the service lists them, with what takes effect for each: its own entry; or else what it falls back on; or else
    /// the default. `default_response` says that a type has no entry of its own; the name of the type is the key only.
    #[must_use]
    pub fn table(&self) -> IndexMap<&'static str, ResponseConfig> {
        let kinds = RejectionKind::ALL.iter().copied();
        let types = kinds.filter_map(|kind| Some((kind.response_type()?, Some(kind))));
        let types = types.chain([(DEFAULT_4XX, None), (DEFAULT_5XX, None)]);
        let row = |(name, kind): (&'static str, Option<RejectionKind>)| {
            let honoured = name != TOO_LARGE || self.restyle_too_large;
            let own = self.stored.get(name);
            let class = kind.and_then(|kind| self.stored.get(class(kind)));
            let stored = own.or_else(|| class.filter(|_| honoured));
            let mut row = stored.map(|(config, _)| config.clone()).unwrap_or_default();
            row.response_type.clear();
            row.default_response = own.is_none();
            if row.response_templates.is_empty() {
                let template = (JSON.to_owned(), DEFAULT_TEMPLATE.to_owned());
                row.response_templates = IndexMap::from([template]);
            }
            if row.status_code.is_none() {
                row.status_code = kind.map(|kind| kind.status().as_str().to_owned());
            }
            (name, row)
        };
        types.map(row).collect()
    }

    fn note_needs(&mut self) {
        let mut headers: Vec<HeaderName> = Vec::new();
        let mut context = false;
        for (_, entry) in self.stored.values() {
            for source in entry.sources() {
                context |= source.needs_context();
                match source.needed_header() {
                    Some(name) if !headers.contains(name) => headers.push(name.clone()),
                    _ => {}
                }
            }
        }
        self.needed_headers = headers;
        self.needs_context = context;
    }
}

impl Entry {
    fn sources(&self) -> impl Iterator<Item = &Source> {
        let headers = self.headers.iter().filter_map(|(_, value)| value.source());
        let body = self
            .body
            .iter()
            .flat_map(|(_, template)| template.sources());
        headers.chain(body)
    }
}

/// The type that a kind falls back on. The nominal status decides, not the one that a refusal has.
fn class(kind: RejectionKind) -> &'static str {
    if kind.status().is_server_error() {
        DEFAULT_5XX
    } else {
        DEFAULT_4XX
    }
}

fn known_type(name: &str) -> Option<&'static str> {
    match name {
        DEFAULT_4XX => Some(DEFAULT_4XX),
        DEFAULT_5XX => Some(DEFAULT_5XX),
        _ => RejectionKind::from_response_type(name)?.response_type(),
    }
}

fn unknown_type(name: &str) -> Fault {
    let kinds = RejectionKind::ALL.iter();
    let types = kinds.filter_map(|kind| kind.response_type());
    let upper = name.to_ascii_uppercase();
    let nearest = types
        .chain([DEFAULT_4XX, DEFAULT_5XX])
        .min_by_key(|known| strsim::levenshtein(known, &upper))
        .unwrap_or(DEFAULT_4XX);
    Fault::new(
        name,
        format!("there is no gateway response type `{name}`"),
        format!("the nearest one is {nearest}"),
    )
}

fn compile(response: &ResponseConfig, faults: &mut Vec<Fault>, remarks: &mut Vec<Remark>) -> Entry {
    let of = &response.response_type;
    let status = response.status_code.as_deref().and_then(|text| {
        let status = checked_status(text);
        if status.is_none() {
            faults.push(Fault::new(
                &format!("{of}, statusCode"),
                format!("`{text}` is no status of a final response"),
                "use three digits, 200 to 599",
            ));
        }
        status
    });
    let mut headers = Vec::new();
    for (name, expression) in &response.response_parameters {
        let at = format!("{of}, {name}");
        let value = Expression::parse(expression);
        match (parameter(name), value) {
            (Parameter::Invalid, _) => faults.push(Fault::new(
                &at,
                "Invalid parameter name specified",
                "write gatewayresponse.header. and the name of a header",
            )),
            (_, Err((problem, fix))) => faults.push(Fault::new(&at, problem, fix)),
            (Parameter::Inert, _) => {
                remarks.push(Remark::new(&at, "only headers can be set on a response"));
            }
            (Parameter::Header(name), _) if FRAMING.contains(&name) => remarks.push(Remark::new(
                &at,
                "this header belongs to the connection, and the server sets it",
            )),
            (Parameter::Header(_), Ok(Expression::Unknown)) => {
                remarks.push(Remark::new(
                    &at,
                    format!("nothing is known as `{expression}`"),
                ));
            }
            (Parameter::Header(name), Ok(value)) => headers.push((name, value)),
        }
    }
    Entry {
        status,
        headers,
        body: body(response, faults, remarks),
    }
}

fn body(
    response: &ResponseConfig,
    faults: &mut Vec<Fault>,
    remarks: &mut Vec<Remark>,
) -> Option<(HeaderValue, Template)> {
    let templates = &response.response_templates;
    let chosen = templates.get_index_of(JSON).unwrap_or_default();
    let mut body = None;
    for (index, (content_type, text)) in templates.iter().enumerate() {
        let at = format!("{}, {content_type}", response.response_type);
        let Some(value) = media_type(content_type) else {
            faults.push(Fault::new(
                &at,
                "this is no content type",
                "write one such as application/json",
            ));
            continue;
        };
        if index != chosen {
            remarks.push(Remark::new(
                &at,
                "a response has one template, and another one goes before this",
            ));
            continue;
        }
        let unknown = |name: &str| {
            let text = format!("nothing is known as `${name}`, so nothing is printed");
            remarks.push(Remark::new(&at, text));
        };
        let template = Template::parse(text, unknown);
        // Spelt out, the default is still the default, which is not the same for every type.
        if content_type != JSON || text != DEFAULT_TEMPLATE {
            body = Some((value, template));
        }
    }
    body
}

fn media_type(text: &str) -> Option<HeaderValue> {
    let (kind, subtype) = text.split_once('/')?;
    let value = HeaderValue::from_str(text).ok()?;
    (!kind.trim().is_empty() && !subtype.trim().is_empty()).then_some(value)
}

fn checked_status(text: &str) -> Option<StatusCode> {
    let status = StatusCode::from_bytes(text.as_bytes()).ok()?;
    (200..600).contains(&status.as_u16()).then_some(status)
}

/// What a key of `responseParameters` names.
enum Parameter {
    Header(HeaderName),
    /// The service accepts it, and it does nothing.
    Inert,
    Invalid,
}

fn parameter(name: &str) -> Parameter {
    let Some(name) = name.strip_prefix("gatewayresponse.") else {
        return Parameter::Invalid;
    };
    match name.split_once('.') {
        Some(("header", name)) => {
            HeaderName::try_from(name).map_or(Parameter::Invalid, Parameter::Header)
        }
        Some(("path" | "querystring", name)) if !name.is_empty() => Parameter::Inert,
        _ => Parameter::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_fault(response: ResponseConfig, expected: &str) {
        let error = GatewayResponses::builder().response(response).build();
        assert_eq!(error.expect_err("it is wrong").to_string(), expected);
    }

    fn parameter_of(name: &str, expression: &str) -> ResponseConfig {
        let mut config = ResponseConfig::new("THROTTLED");
        config
            .response_parameters
            .insert(name.into(), expression.into());
        config
    }

    #[test]
    fn a_fault_names_its_place_and_the_fix() {
        check_fault(
            ResponseConfig::new("DEFAULT_XX4"),
            "DEFAULT_XX4: there is no gateway response type `DEFAULT_XX4`; the nearest one is DEFAULT_4XX",
        );
        check_fault(
            ResponseConfig::new("THROTTLED").status(101),
            "THROTTLED, statusCode: `101` is no status of a final response; use three digits, 200 to 599",
        );
        check_fault(
            parameter_of("method.response.header.X", "'a'"),
            "THROTTLED, method.response.header.X: Invalid parameter name specified; write gatewayresponse.header. and the name of a header",
        );
        check_fault(
            parameter_of("gatewayresponse.header.X", "'a"),
            "THROTTLED, gatewayresponse.header.X: `'a` is no mapping expression; close the text with a single quote",
        );
        check_fault(
            ResponseConfig::new("THROTTLED").template("json", "{}"),
            "THROTTLED, json: this is no content type; write one such as application/json",
        );
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let error = GatewayResponses::builder()
            .response(ResponseConfig::new("NOPE"))
            .response(parameter_of("gatewayresponse.header.a b", "'a'").status(99))
            .response(ResponseConfig::new("THROTTLED"))
            .build()
            .expect_err("four things are wrong");
        assert_eq!(error.faults().len(), 4, "{error}");
    }

    #[test]
    fn what_has_no_effect_is_remarked() {
        let table = GatewayResponses::builder()
            .response(
                ResponseConfig::new("REQUEST_TOO_LARGE")
                    .header("Content-Length", "'5'")
                    .header("X-Who", "context.who")
                    .template("text/html", "<p>")
                    .template("application/json", "{\"a\":\"$context.what\"}"),
            )
            .response(parameter_of("gatewayresponse.path.id", "'7'"))
            .build()
            .expect("it is fine");
        let remarks: Vec<_> = table.remarks().iter().map(Remark::at).collect();
        let expected = [
            "REQUEST_TOO_LARGE, gatewayresponse.header.Content-Length",
            "REQUEST_TOO_LARGE, gatewayresponse.header.X-Who",
            "REQUEST_TOO_LARGE, text/html",
            "REQUEST_TOO_LARGE, application/json",
            "REQUEST_TOO_LARGE",
            "THROTTLED, gatewayresponse.path.id",
        ];
        assert_eq!(remarks, expected);
    }

    #[test]
    fn an_entry_that_only_lists_a_default_is_not_stored() {
        let mut listed = ResponseConfig::new("THROTTLED").status(429);
        listed.default_response = true;
        let table = GatewayResponses::builder()
            .response(listed)
            .response(ResponseConfig::new("DEFAULT_4XX").status(444))
            .build()
            .expect("it is fine");
        assert_eq!(
            table.table()["THROTTLED"].status_code.as_deref(),
            Some("444")
        );
    }

    #[test]
    fn the_table_has_all_types() {
        let table = GatewayResponses::default().table();
        assert_eq!(table.len(), 21);
        let row = serde_json::to_value(&table["INTEGRATION_FAILURE"]).expect("it is plain data");
        let expected = serde_json::json!({
            "defaultResponse": true,
            "responseParameters": {},
            "responseTemplates": {"application/json": DEFAULT_TEMPLATE},
            "statusCode": "504",
        });
        assert_eq!(row, expected);
        assert_eq!(table["DEFAULT_5XX"].status_code, None);
    }

    #[test]
    fn headers_are_kept_only_if_a_template_asks_for_them() {
        let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("a/b"))]);
        let plain = GatewayResponses::default().capture(&Method::GET, &headers);
        assert_eq!(plain.header(&header::ACCEPT), None);
        let asking = GatewayResponses::builder()
            .response(ResponseConfig::new("THROTTLED").header("X", "method.request.header.Accept"))
            .build()
            .expect("it is fine");
        assert!(!asking.needs_context());
        let kept = asking.capture(&Method::GET, &headers);
        assert_eq!(kept.header(&header::ACCEPT), headers.get(header::ACCEPT));
    }
}
