//! Bodies: text with references, parsed once.

use crate::source::{Scene, Source};

/// A body's text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Template {
    pieces: Vec<Piece>,
    /// How long the text is without its values.
    length: usize,
}

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(Box<str>),
    Value(Source),
}

/// A reference at the start of a text.
enum Reference<'a> {
    /// Its value, and how many bytes it takes.
    Known(Source, usize),
    /// A name that stands for nothing, and how many bytes it takes.
    Unknown(&'a str, usize),
}

impl Template {
    /// Parses `text`. Every text is a template; the names in it that stand for nothing are handed to `unknown`.
    pub(crate) fn parse(text: &str, mut unknown: impl FnMut(&str)) -> Self {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(start) = rest.find(['$', 'm']) {
            literal.push_str(&rest[..start]);
            rest = &rest[start..];
            // `m` begins a reference only at the start of a word.
            let within_word =
                rest.starts_with('m') && literal.chars().next_back().is_some_and(is_word);
            let taken = match reference(rest).filter(|_| !within_word) {
                Some(Reference::Known(source, taken)) => {
                    push_text(&mut pieces, &mut literal);
                    pieces.push(Piece::Value(source));
                    taken
                }
                Some(Reference::Unknown(name, taken)) => {
                    unknown(name);
                    // The next word must not take itself for the continuation of the one before the reference.
                    push_text(&mut pieces, &mut literal);
                    taken
                }
                None => {
                    literal.push_str(&rest[..1]);
                    1
                }
            };
            rest = &rest[taken..];
        }
        literal.push_str(rest);
        push_text(&mut pieces, &mut literal);
        let length = pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.len(),
            Piece::Value(_) => 0,
        });
        Self {
            length: length.sum(),
            pieces,
        }
    }

    pub(crate) fn sources(&self) -> impl Iterator<Item = &Source> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Value(source) => Some(source),
            Piece::Text(_) => None,
        })
    }

    pub(crate) fn render(&self, scene: Scene<'_>) -> String {
        let mut out = String::with_capacity(self.length + 64);
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Value(source) => {
                    source.write(scene, &mut out);
                }
            }
        }
        out
    }
}

fn push_text(pieces: &mut Vec<Piece>, literal: &mut String) {
    if !literal.is_empty() {
        pieces.push(Piece::Text(std::mem::take(literal).into()));
    }
}

fn is_word(char: char) -> bool {
    char.is_alphanumeric() || matches!(char, '_' | '-' | '.')
}

/// The reference that `text`, which begins with `$` or `m`, begins with.
fn reference(text: &str) -> Option<Reference<'_>> {
    if let Some(braced) = text.strip_prefix("${") {
        let end = braced.find('}')?;
        let name = &braced[..end];
        let taken = end + 3;
        return Some(match source(name)? {
            Some(source) => Reference::Known(source, taken),
            None => Reference::Unknown(name, taken),
        });
    }
    let dollar = usize::from(text.starts_with('$'));
    let text = &text[dollar..];
    if dollar == 0 && !text.starts_with("method.request.") {
        return None;
    }
    let is_name = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '.');
    let end = text.find(|char| !is_name(char)).unwrap_or(text.len());
    let whole = text[..end].trim_end_matches(['.', '-']);
    // A name may be followed by text that could belong to it: `$context.requestId.json`.
    let mut name = whole;
    loop {
        match source(name)? {
            Some(source) => return Some(Reference::Known(source, dollar + name.len())),
            None => match name.rfind(['.', '-']) {
                Some(shorter) => name = &name[..shorter],
                None => return None,
            },
        }
        if source(name).is_none() {
            return Some(Reference::Unknown(whole, dollar + whole.len()));
        }
    }
}

/// What `name` stands for: `None` if it is no reference at all, `Some(None)` if it is one to nothing.
#[expect(
    clippy::option_option,
    reason = "two ways of failing that the callers tell apart"
)]
fn source(name: &str) -> Option<Option<Source>> {
    if let Some(name) = name.strip_prefix("context.") {
        return Some(Source::context(name));
    }
    if let Some(name) = name.strip_prefix("stageVariables.") {
        let is_name =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        return Some(is_name.then(|| Source::StageVariable(name.into())));
    }
    // What is no parameter of the request is text that only looks like one.
    let name = name.strip_prefix("method.request.")?;
    Source::request(name).map(Some)
}

#[cfg(test)]
mod tests {
    use portcullis_core::{Rejection, RejectionKind};

    use super::*;
    use crate::capture::Captured;

    /// Checks a template over a refusal, without a context, and the names in it that stand for nothing.
    #[track_caller]
    fn check(text: &str, expected: &str, unknown: &[&str]) {
        let mut found = Vec::new();
        let template = Template::parse(text, |name| found.push(name.to_owned()));
        let rejection = Rejection::new(RejectionKind::BadRequestBody).with_validation_error("[a]");
        let scene = Scene {
            rejection: &rejection,
            context: None,
            request: &Captured::default(),
        };
        assert_eq!(template.render(scene), expected, "{text}");
        assert_eq!(found, unknown, "{text}");
    }

    #[test]
    fn references_are_replaced_with_and_without_braces() {
        check(
            r#"{"message":$context.error.messageString,"why":"${context.error.validationErrorString}"}"#,
            r#"{"message":"Invalid request body","why":"[a]"}"#,
            &[],
        );
        check("$context.error.message.", "Invalid request body.", &[]);
        check("${context.error.message}s", "Invalid request bodys", &[]);
    }

    #[test]
    fn a_name_ends_where_the_known_one_does() {
        check(
            "$context.error.responseType.json",
            "BAD_REQUEST_BODY.json",
            &[],
        );
        check("$context.error.responseType-x", "BAD_REQUEST_BODY-x", &[]);
    }

    #[test]
    fn what_is_no_reference_stays() {
        for text in [
            "",
            "$",
            "$$",
            "${",
            "${}",
            "$foo.bar",
            "$context",
            "$context.",
            "context.path",
            "stageVariables.a",
            "mmm method",
            "method.request.body.x",
            "mymethod.request.header.a",
            "${context.path",
            "ü$ü",
        ] {
            check(text, text, &[]);
        }
    }

    #[test]
    fn an_unknown_name_prints_nothing_and_is_told() {
        check("a $context.nothing.x b", "a  b", &["context.nothing.x"]);
        check("${stageVariables.a-b}", "", &["stageVariables.a-b"]);
    }

    #[test]
    fn what_is_not_there_prints_nothing() {
        check(
            "[$context.path|$stageVariables.a|method.request.header.a]",
            "[||]",
            &[],
        );
    }
}
