//! Body templates: which one applies, and what it is.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, HeaderMap, HeaderValue};
use portcullis_templates as vtl;

use super::payload::{first_type, media_type};
use crate::error::{Conduct, Findings, escape};

/// One body template.
#[derive(Clone, Debug)]
pub(crate) enum Template {
    /// A text that is the same for every request.
    Fixed(Bytes),
    /// One that is rendered.
    Rendered(vtl::Template),
    /// One that cannot be parsed. The service takes it, and answers 500 where it is needed.
    Broken(Arc<str>),
}

impl Template {
    fn compile(text: &str) -> Self {
        let template = match vtl::Template::parse(text) {
            Ok(template) => template,
            Err(fault) => return Self::Broken(fault.to_string().into()),
        };
        if may_vary(text) {
            return Self::Rendered(template);
        }
        match template.render(&vtl::Scope::new(b"")) {
            Ok(output) => Self::Fixed(output.into_text().into()),
            Err(_) => Self::Rendered(template),
        }
    }
}

/// Whether `text` has what may be a reference (`$name`, `${name}`, `$!name`) or a directive (`#if`, `##`, `#*`).
fn may_vary(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.windows(2).any(|pair| match pair[0] {
        b'$' => pair[1].is_ascii_alphabetic() || matches!(pair[1], b'_' | b'{' | b'!'),
        b'#' => {
            pair[1].is_ascii_alphabetic() || matches!(pair[1], b'{' | b'#' | b'*' | b'[' | b'@')
        }
        _ => false,
    })
}

/// The templates of a request or a response, by media type.
#[derive(Clone, Debug, Default)]
pub(crate) struct Templates {
    entries: Vec<(String, Option<Template>)>,
}

/// What becomes of a body whose media type has no request template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Passthrough {
    /// It passes as it is.
    #[default]
    WhenNoMatch,
    /// It passes if there are no templates at all; else 415.
    WhenNoTemplates,
    /// 415.
    Never,
}

/// What to do with a request body.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RequestBody<'a> {
    Replace(&'a Template),
    Pass,
    Refuse,
}

impl Templates {
    /// Compiles the templates. Those that cannot be parsed are among the findings; one that is empty changes nothing.
    pub(crate) fn compile<'a>(
        entries: impl IntoIterator<Item = &'a (String, String)>,
        field: &str,
        findings: &mut Findings,
    ) -> Self {
        let entries = entries.into_iter().map(|(media_type, text)| {
            let template = (!text.is_empty()).then(|| Template::compile(text));
            if let Some(Template::Broken(fault)) = &template {
                findings.add(
                    format!("{field}/{}", escape(media_type)),
                    format!("a template that cannot be read: {fault}"),
                    Conduct::RefuseWhenNeeded,
                );
            }
            (media_type.to_ascii_lowercase(), template)
        });
        Self {
            entries: entries.collect(),
        }
    }

    /// What `read` finds in the texts, if none of them varies and it finds the same in each.
    pub(crate) fn same<T: PartialEq>(&self, read: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
        let mut found = self.entries.iter().map(|(_, template)| match template {
            Some(Template::Fixed(text)) => read(text),
            _ => None,
        });
        let first = found.next()??;
        found
            .all(|other| other.as_ref() == Some(&first))
            .then_some(first)
    }

    /// The template of a response to a request with these headers.
    pub(crate) fn response_to(&self, request: &HeaderMap) -> Option<&Template> {
        match self.entries.as_slice() {
            [] => None,
            // Whatever the client accepts.
            [(_, only)] => only.as_ref(),
            _ => self.response(request.get_all(ACCEPT).iter().next_back()),
        }
    }

    fn get(&self, media_type: &str) -> Option<&Option<Template>> {
        self.entries
            .iter()
            .find_map(|(own, template)| own.eq_ignore_ascii_case(media_type).then_some(template))
    }

    /// What to do with a request body of this `Content-Type`, which is `application/json` if it is not given.
    pub(crate) fn request(
        &self,
        content_type: Option<&HeaderValue>,
        passthrough: Passthrough,
    ) -> RequestBody<'_> {
        let media_type = media_type(content_type).unwrap_or("application/json");
        match self.get(media_type).or_else(|| self.get("$default")) {
            Some(Some(template)) => RequestBody::Replace(template),
            Some(None) => RequestBody::Pass,
            None => match passthrough {
                Passthrough::WhenNoMatch => RequestBody::Pass,
                Passthrough::WhenNoTemplates if self.entries.is_empty() => RequestBody::Pass,
                Passthrough::WhenNoTemplates | Passthrough::Never => RequestBody::Refuse,
            },
        }
    }

    /// The template of a response, by the first type that the client accepts, else that of JSON, else the first.
    fn response(&self, accept: Option<&HeaderValue>) -> Option<&Template> {
        first_type(accept)
            .and_then(|first| self.get(first))
            .or_else(|| self.get("application/json"))
            .or_else(|| self.entries.first().map(|(_, template)| template))?
            .as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn templates(entries: &[(&str, &str)]) -> Templates {
        let entries: Vec<_> = entries
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect();
        Templates::compile(&entries, "/t", &mut Findings::default())
    }

    #[test]
    fn a_template_without_references_and_directives_is_a_fixed_text() {
        for text in [
            "{\"id\": $input.params('id')}",
            "${context.stage}",
            "$!x",
            "#set($a = 1)",
            "## comment",
            "#* block *#",
        ] {
            let template = Template::compile(text);
            assert!(matches!(template, Template::Rendered(_)), "{text}");
        }
        for text in ["{\"statusCode\": 200}", "5 $ a", "$5", "# 1", "a#1"] {
            let Template::Fixed(fixed) = Template::compile(text) else {
                panic!("{text}");
            };
            assert_eq!(fixed, text);
        }
    }

    #[test]
    fn a_template_that_cannot_be_read_is_a_finding_with_its_place() {
        let entries = [("application/json".to_owned(), "a\n#if($x = 1)".to_owned())];
        let mut findings = Findings::default();
        let templates = Templates::compile(&entries, "/requestTemplates", &mut findings);
        let found = findings.into_vec();
        assert_eq!(found[0].field, "/requestTemplates/application~1json");
        assert!(
            found[0].what.contains("(line 2, column 8)"),
            "{}",
            found[0].what
        );
        assert_eq!(found[0].conduct, Conduct::RefuseWhenNeeded);
        let chosen = templates.request(None, Passthrough::default());
        assert!(matches!(chosen, RequestBody::Replace(Template::Broken(_))));
    }

    #[track_caller]
    fn check(
        entries: &[(&str, &str)],
        content_type: &str,
        passthrough: Passthrough,
        expected: &str,
    ) {
        let templates = templates(entries);
        let content_type = HeaderValue::from_str(content_type).expect("a value");
        let got = templates.request(Some(&content_type), passthrough);
        let got = match got {
            RequestBody::Replace(Template::Fixed(text)) => {
                std::str::from_utf8(text).expect("text").to_owned()
            }
            RequestBody::Replace(_) => "another".to_owned(),
            RequestBody::Pass => "pass".to_owned(),
            RequestBody::Refuse => "refuse".to_owned(),
        };
        assert_eq!(got, expected);
    }

    #[test]
    fn a_body_passes_or_is_refused_as_the_table_says() {
        use Passthrough::{Never, WhenNoMatch, WhenNoTemplates};
        let json = [("application/json", "json")];
        for passthrough in [Never, WhenNoMatch, WhenNoTemplates] {
            let utf8 = "Application/JSON; charset=utf-8";
            check(&json, utf8, passthrough, "json");
            let any = [("$default", "any"), ("application/json", "json")];
            check(&any, "text/xml", passthrough, "any");
            check(&any, "application/json", passthrough, "json");
            check(
                &[("application/json", "")],
                "application/json",
                passthrough,
                "pass",
            );
        }
        check(&json, "text/xml", WhenNoMatch, "pass");
        check(&json, "text/xml", WhenNoTemplates, "refuse");
        check(&json, "text/xml", Never, "refuse");
        check(&[], "text/xml", WhenNoMatch, "pass");
        check(&[], "text/xml", WhenNoTemplates, "pass");
        check(&[], "text/xml", Never, "refuse");
    }

    #[test]
    fn the_first_type_that_a_client_accepts_chooses_the_template_of_its_response() {
        let several = [("text/xml", "xml"), ("application/json", "json")];
        let first = [("text/xml", "xml"), ("text/csv", "csv")];
        let only = [("text/xml", "xml")];
        for (entries, accept, expected) in [
            (&several[..], Some("text/xml, application/json"), "xml"),
            (&several, Some("text/html, text/xml"), "json"),
            (&several, Some("text/xml;q=0.5"), "xml"),
            (&several, Some("*/*"), "json"),
            (&several, None, "json"),
            (&first, Some("text/html"), "xml"),
            (&first, Some("text/csv"), "csv"),
            (&only, Some("application/json"), "xml"),
        ] {
            let templates = templates(entries);
            let mut request = HeaderMap::new();
            if let Some(accept) = accept {
                request.insert(ACCEPT, HeaderValue::from_static(accept));
            }
            let Some(Template::Fixed(text)) = templates.response_to(&request) else {
                panic!("{accept:?}");
            };
            assert_eq!(text, expected, "{accept:?}");
        }
        assert!(templates(&[]).response_to(&HeaderMap::new()).is_none());
    }
}
