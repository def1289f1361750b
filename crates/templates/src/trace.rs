//! What a rendering did, step by step, for a person who looks for a mistake.

use std::fmt;

use crate::dialect::Limits;
use crate::syntax::tree::Span;
use crate::value::{Budget, Value, Writer};

/// Characters of a value that are shown.
const SHOWN: usize = 200;

/// One directive or reference of a template as a rendering came by it, with the value that it had there.
///
/// [`Display`](fmt::Display) gives it as one line:
///
/// ```
/// use portcullis_templates::{Scope, Template};
///
/// let template = Template::parse("#set($n = $input.path('$.n'))\n#if($n > 1)many#else$n#end")?;
/// let mut lines = Vec::new();
/// template.render_traced(&Scope::new(br#"{"n": 1}"#), &mut |step| lines.push(step.to_string()))?;
/// assert_eq!(
///     lines,
///     [
///         "1:1: #set($n = $input.path('$.n')): 1",
///         "2:1: #if($n > 1): false",
///         "2:21: $n: 1",
///     ]
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Step<'a> {
    template: &'a str,
    begin: usize,
    source: &'a str,
    value: Option<&'a str>,
}

impl Step<'_> {
    /// The line of the template, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.template[..self.begin].matches('\n').count() + 1
    }

    /// The column in that line, in characters from 1. What stands in a string has the place of the string.
    #[must_use]
    pub fn column(&self) -> usize {
        let before = &self.template[..self.begin];
        let line = before.rfind('\n').map_or(0, |newline| newline + 1);
        before[line..].chars().count() + 1
    }

    /// What the template says there: a reference, or a directive up to its closing parenthesis.
    #[must_use]
    pub fn source(&self) -> &str {
        self.source
    }

    /// The value: what `#set` assigns, what the condition of `#if` comes to, the item of this pass of a `#foreach`,
    /// what a reference prints, what `#evaluate` runs. Texts are quoted, and no more than 200 characters are shown.
    /// Nothing where there is no value.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        self.value
    }
}

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value.unwrap_or("no value");
        let (line, column, source) = (self.line(), self.column(), self.source);
        write!(f, "{line}:{column}: {source}: {value}")
    }
}

/// Whom a rendering tells its steps.
pub(crate) struct Observer<'r> {
    pub(crate) template: &'r str,
    pub(crate) notify: &'r mut dyn FnMut(&Step<'_>),
}

impl Observer<'_> {
    #[cold]
    pub(crate) fn tell(&mut self, span: Span, value: &Value<'_>) {
        let text = show(value);
        let (begin, end) = (span.begin as usize, span.end as usize);
        let spanned = self.template.get(begin..end).unwrap_or("");
        let source = spanned.trim_start();
        (self.notify)(&Step {
            template: self.template,
            begin: begin.min(self.template.len()) + spanned.len() - source.len(),
            source: head(source.trim_end()),
            value: text.as_deref(),
        });
    }
}

/// A directive without its block.
fn head(source: &str) -> &str {
    if !source.starts_with('#') {
        return source;
    }
    let (mut depth, mut quote) = (0usize, None);
    for (at, byte) in source.bytes().enumerate() {
        match (byte, quote) {
            (b'"' | b'\'', None) => quote = Some(byte),
            (_, Some(open)) if byte == open => quote = None,
            (b'(', None) => depth += 1,
            (b')', None) if depth <= 1 => return &source[..=at],
            (b')', None) => depth -= 1,
            _ => {}
        }
    }
    source
}

fn show(value: &Value<'_>) -> Option<String> {
    let shorten = |text: &str| -> String {
        let mut shown: String = text.chars().take(SHOWN).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        shown
    };
    match value {
        Value::Null => None,
        Value::Text(text) => Some(format!("{:?}", shorten(text))),
        Value::Block(_) => Some("a block of `#define`".to_owned()),
        value => {
            // A budget of its own: whoever looks on changes nothing.
            let limits = Limits::default().steps(10_000).output_bytes(16 * SHOWN);
            let mut text = String::new();
            let mut budget = Budget::new(limits);
            let whole = Writer {
                out: &mut text,
                budget: &mut budget,
            }
            .java(value);
            let mut shown = shorten(&text);
            if whole.is_err() && !shown.ends_with('…') {
                shown.push('…');
            }
            Some(shown)
        }
    }
}
