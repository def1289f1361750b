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
    name.strip_prefix("method.request.").map(Source::request)
}
