//! Changes of responses by their status: headers, and the status itself.

use http::response::Parts;
use http::{HeaderName, StatusCode};
use portcullis_core::RequestContext;

use super::expression::{Expression, Side, Source};
use super::request::{Change, header_name, values};
use crate::error::{ConfigError, escape};
use crate::failure::Failure;

/// The changes of an integration's responses.
#[derive(Clone, Debug, Default)]
pub(super) struct ResponseChanges {
    by_status: Vec<(u16, StatusChanges)>,
}

/// The changes of the responses of one status.
#[derive(Clone, Debug, Default)]
pub(super) struct StatusChanges {
    headers: Vec<(HeaderName, Change)>,
    status: Option<Expression>,
}

impl ResponseChanges {
    pub(super) fn compile(
        entries: &[(String, Vec<(String, String)>)],
    ) -> Result<Self, ConfigError> {
        let mut changes = Self::default();
        for (status, parameters) in entries {
            let field = format!("/responseParameters/{}", escape(status));
            let number = status.parse().ok();
            let number = number.filter(|number| (200..600).contains(number));
            let number = number.ok_or_else(|| {
                let fault = format!("`{status}` is not a status from 200 to 599");
                ConfigError::new(field.clone(), fault)
            })?;
            let own = StatusChanges::compile(parameters, &field)?;
            changes.by_status.push((number, own));
        }
        Ok(changes)
    }

    /// The changes of responses of this status.
    pub(super) fn of(&self, status: StatusCode) -> Option<&StatusChanges> {
        let own = self.by_status.iter().find(|(own, _)| *own == status);
        own.map(|(_, changes)| changes)
    }
}

impl StatusChanges {
    fn compile(parameters: &[(String, String)], field: &str) -> Result<Self, ConfigError> {
        let mut changes = Self::default();
        for (target, value) in parameters {
            let fault =
                |fault: String| ConfigError::new(format!("{field}/{}", escape(target)), fault);
            if target == "overwrite:statuscode" {
                let status = Expression::parse(value, Side::Response).map_err(fault)?;
                if status.fixed().is_some_and(|text| parse(text).is_none()) {
                    return Err(fault(format!("`{value}` is not a status from 200 to 599")));
                }
                changes.status = Some(status);
                continue;
            }
            let (action, name) = target
                .split_once(':')
                .and_then(|(action, place)| Some((action, place.strip_prefix("header.")?)))
                .ok_or_else(|| {
                    fault(format!(
                        "`{target}` is not `action:header.name` or `overwrite:statuscode`"
                    ))
                })?;
            let name = header_name(name).map_err(fault)?;
            let change = Change::parse(action, value, Side::Response).map_err(fault)?;
            changes.headers.push((name, change));
        }
        Ok(changes)
    }

    /// Whether a value comes from the body.
    pub(super) fn read_body(&self) -> bool {
        let headers = self
            .headers
            .iter()
            .filter_map(|(_, change)| change.expression());
        headers.chain(&self.status).any(Expression::reads_body)
    }

    /// Changes the head of a response.
    pub(super) fn apply(
        &self,
        parts: &mut Parts,
        body: Option<&[u8]>,
        context: &RequestContext,
    ) -> Result<(), Failure> {
        let source = Source::new(&parts.headers, None, body, context);
        let headers = values(&self.headers, &source).map_err(|_| {
            let cause = "a mapped value cannot stand in a header of the response";
            Failure::Configuration(cause.to_owned())
        })?;
        let status = self
            .status
            .as_ref()
            .and_then(|status| status.value(&source));
        for (name, value) in headers {
            value.apply(name, &mut parts.headers);
        }
        // What is no status is not taken.
        if let Some(status) = status.as_deref().and_then(parse) {
            parts.status = status;
        }
        Ok(())
    }
}

fn parse(text: &str) -> Option<StatusCode> {
    let number = text.trim().parse::<u16>().ok();
    let number = number.filter(|number| (200..600).contains(number))?;
    StatusCode::from_u16(number).ok()
}

#[cfg(test)]
mod tests {
    use http::{Request, Response};
    use portcullis_core::SystemClock;

    use super::*;

    fn compile(entries: &[(&str, &str)]) -> Result<ResponseChanges, ConfigError> {
        let owned = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
        let parameters = entries.iter().map(owned).collect();
        ResponseChanges::compile(&[("404".to_owned(), parameters)])
    }

    fn apply(entries: &[(&str, &str)]) -> Parts {
        let changes = compile(entries).expect("compiles");
        let response = Response::builder().status(404).header("x-a", "1");
        let mut parts = response.body(()).expect("a response").into_parts().0;
        let context = RequestContext::new(&Request::new(()), &SystemClock::new());
        let changes = changes.of(parts.status).expect("there are some");
        let body = br#"{"code": 410}"#;
        changes
            .apply(&mut parts, Some(body), &context)
            .expect("valid values");
        parts
    }

    #[test]
    fn headers_and_the_status_are_changed() {
        let parts = apply(&[
            ("append:header.x-a", "${response.header.x-a}b"),
            ("overwrite:header.x-code", "$response.body.code"),
            ("overwrite:statuscode", "403"),
        ]);
        assert_eq!(parts.status, 403);
        let all: Vec<_> = parts.headers.get_all("x-a").iter().collect();
        assert_eq!(all, ["1", "1b"]);
        assert_eq!(parts.headers["x-code"], "410");
    }

    #[test]
    fn a_status_may_be_a_value_and_what_is_none_is_not_taken() {
        let status = |value| apply(&[("overwrite:statuscode", value)]).status;
        assert_eq!(status("$response.body.code"), 410);
        assert_eq!(status("$response.header.x-a"), 404);
    }

    #[test]
    fn responses_of_other_statuses_stay() {
        let changes = compile(&[("remove:header.x-a", "''")]).expect("compiles");
        assert!(changes.of(StatusCode::OK).is_none());
        let parts = apply(&[("remove:header.x-a", "''")]);
        assert!(!parts.headers.contains_key("x-a"));
    }

    #[test]
    fn what_is_no_mapping_is_an_error_that_names_the_field() {
        for (target, value) in [
            ("append:querystring.x", "1"),
            ("overwrite:statuscode", "99"),
            ("overwrite:header.Via", "1"),
            ("append:header.x", "$request.header.x"),
        ] {
            let error = compile(&[(target, value)]).expect_err(target);
            assert!(
                error.field().starts_with("/responseParameters/404/"),
                "{error}"
            );
        }
        let entry = [("4xx".to_owned(), Vec::new())];
        assert!(ResponseChanges::compile(&entry).is_err());
    }
}
