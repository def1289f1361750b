//! Body templates, as far as they are plain text.

use bytes::Bytes;
use http::header::{ACCEPT, HeaderMap, HeaderValue};

use crate::error::{Conduct, Findings, escape};

/// Whether `text` needs a template engine: it has a reference (`$name`, `${name}`, `$!name`) or a directive (`#if`, `##`, `#*`).
#[must_use]
pub fn needs_engine(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.windows(2).any(|pair| match pair[0] {
        b'$' => pair[1].is_ascii_alphabetic() || matches!(pair[1], b'_' | b'{' | b'!'),
        b'#' => {
            pair[1].is_ascii_alphabetic() || matches!(pair[1], b'{' | b'#' | b'*' | b'[' | b'@')
        }
        _ => false,
    })
}

/// One body template.
#[derive(Clone, Debug)]
pub(crate) enum Template {
    /// Plain text.
    Static(Bytes),
    /// Velocity, which is not served yet.
    Engine,
}

/// The templates of a request or a response, by media type.
#[derive(Clone, Debug, Default)]
pub(crate) struct Templates {
    entries: Vec<(String, Template)>,
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
#[derive(Debug)]
pub(crate) enum RequestBody<'a> {
    Replace(&'a Template),
    Pass,
    Refuse,
}

impl Templates {
    pub(crate) fn compile<'a>(
        entries: impl IntoIterator<Item = &'a (String, String)>,
        field: &str,
        findings: &mut Findings,
    ) -> Self {
        let entries = entries.into_iter().map(|(media_type, text)| {
            let template = if needs_engine(text) {
                findings.add(
                    format!("{field}/{}", escape(media_type)),
                    "a mapping template with references or directives",
                    Conduct::RefuseWhenNeeded,
                );
                Template::Engine
            } else {
                Template::Static(Bytes::copy_from_slice(text.as_bytes()))
            };
            (media_type.to_ascii_lowercase(), template)
        });
        Self {
            entries: entries.collect(),
        }
    }

    /// What `read` finds in the texts, if all are plain and it finds the same in each.
    pub(crate) fn same<T: PartialEq>(&self, read: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
        let mut found = self.entries.iter().map(|(_, template)| match template {
            Template::Static(text) => read(text),
            Template::Engine => None,
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
            [(_, only)] => Some(only),
            _ => self.response(request.get(ACCEPT)),
        }
    }

    fn get(&self, media_type: &str) -> Option<&Template> {
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
        if let Some(template) = self.get(media_type).or_else(|| self.get("$default")) {
            return RequestBody::Replace(template);
        }
        match passthrough {
            Passthrough::WhenNoMatch => RequestBody::Pass,
            Passthrough::WhenNoTemplates if self.entries.is_empty() => RequestBody::Pass,
            Passthrough::WhenNoTemplates | Passthrough::Never => RequestBody::Refuse,
        }
    }

    /// The template of a response, by the first type that the client accepts, else that of JSON, else the first.
    pub(crate) fn response(&self, accept: Option<&HeaderValue>) -> Option<&Template> {
        let first = accept.and_then(|accept| accept.to_str().ok());
        let first = first.and_then(|accept| accept.split([',', ';']).next());
        first
            .and_then(|first| self.get(first.trim()))
            .or_else(|| self.get("application/json"))
            .or_else(|| self.entries.first().map(|(_, template)| template))
    }
}

/// The media type of a `Content-Type`, without parameters.
pub(crate) fn media_type(content_type: Option<&HeaderValue>) -> Option<&str> {
    let text = content_type?.to_str().ok()?;
    let media_type = text.split(';').next().unwrap_or_default().trim();
    (!media_type.is_empty()).then_some(media_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_references_and_directives_need_an_engine() {
        for text in [
            "{\"id\": $input.params('id')}",
            "${context.stage}",
            "$!x",
            "#set($a = 1)",
            "## comment",
            "#* block *#",
        ] {
            assert!(needs_engine(text), "{text}");
        }
        for text in ["{\"statusCode\": 200}", "5 $", "$5", "# 1", "a#1", "", "$"] {
            assert!(!needs_engine(text), "{text}");
        }
    }

    #[track_caller]
    fn check(types: &[&str], content_type: &str, passthrough: Passthrough, expected: &str) {
        let entries: Vec<_> = types
            .iter()
            .map(|name| ((*name).to_owned(), "x".to_owned()))
            .collect();
        let templates = Templates::compile(&entries, "", &mut Findings::default());
        let content_type = HeaderValue::from_str(content_type).expect("a value");
        let got = templates.request(Some(&content_type), passthrough);
        let got = match got {
            RequestBody::Replace(_) => "replace",
            RequestBody::Pass => "pass",
            RequestBody::Refuse => "refuse",
        };
        assert_eq!(got, expected);
    }

    #[test]
    fn a_body_passes_or_is_refused_as_the_table_says() {
        use Passthrough::{Never, WhenNoMatch, WhenNoTemplates};
        let json = ["application/json"];
        for passthrough in [Never, WhenNoMatch, WhenNoTemplates] {
            check(
                &json,
                "Application/JSON; charset=utf-8",
                passthrough,
                "replace",
            );
        }
        check(&json, "text/xml", WhenNoMatch, "pass");
        check(&json, "text/xml", WhenNoTemplates, "refuse");
        check(&json, "text/xml", Never, "refuse");
        check(&[], "text/xml", WhenNoMatch, "pass");
        check(&[], "text/xml", WhenNoTemplates, "pass");
        check(&[], "text/xml", Never, "refuse");
    }
}
