//! What is wrong with a template, or went wrong while it ran, told with its place.

use std::error::Error;
use std::fmt;

/// A place in a template and what is wrong there.
///
/// The faults of a template are told at once: this is the first, and [`others`](Self::others) follow it.
///
/// [`Display`](fmt::Display) gives of each the message, the line with a caret under the place, what was expected and a hint:
///
/// ```
/// use portcullis_templates::Template;
///
/// let fault = Template::parse("{\n  #if($x = 1)yes#end\n}").unwrap_err();
/// assert_eq!((fault.line(), fault.column()), (2, 10));
/// assert!(fault.to_string().contains("  #if($x = 1)yes#end\n  |          ^"));
/// assert_eq!(fault.hint(), Some("a single `=` assigns, in `#set` only; compare with `==`"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    message: String,
    expected: Option<String>,
    hint: Option<String>,
    line: usize,
    column: usize,
    begin: usize,
    end: usize,
    text: String,
    others: Vec<Fault>,
}

impl Fault {
    pub(crate) fn at(
        source: &str,
        begin: usize,
        end: usize,
        message: impl Into<String>,
        expected: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        let begin = begin.min(source.len());
        let before = &source[..begin];
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = source[begin..]
            .find(['\n', '\r'])
            .map_or(source.len(), |length| begin + length);
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        Self(Box::new(Inner {
            message: message.into(),
            expected: some(expected.into()),
            hint: some(hint.into()),
            line: before.matches('\n').count() + 1,
            column: source[start..begin].chars().count() + 1,
            begin,
            end: end.clamp(begin, source.len()),
            text: source[start..line_end].to_owned(),
            others: Vec::new(),
        }))
    }

    /// The first of these, which has the others.
    pub(crate) fn all(faults: Vec<Self>) -> Option<Self> {
        let mut faults = faults.into_iter();
        let mut first = faults.next()?;
        first.0.others.extend(faults);
        Some(first)
    }

    /// This one as the last of all.
    pub(crate) fn after(self, before: Option<Self>) -> Self {
        match before {
            None => self,
            Some(mut first) => {
                first.0.others.push(self);
                first
            }
        }
    }

    /// The line of the template, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.0.line
    }

    /// The column in that line, in characters from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.0.column
    }

    /// The bytes of the template that the fault is about.
    #[must_use]
    pub fn span(&self) -> std::ops::Range<usize> {
        self.0.begin..self.0.end
    }

    /// What is wrong, in one sentence without its place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What could have stood there; absent where that says nothing.
    #[must_use]
    pub fn expected(&self) -> Option<&str> {
        self.0.expected.as_deref()
    }

    /// What to do about it, where one can tell.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The faults that came after this one in the template, at most 19. Behind a parenthesis that is never closed, some can be missing.
    ///
    /// ```
    /// use portcullis_templates::Template;
    ///
    /// let fault = Template::parse("#set($a == 1)\n#if($a)yes").unwrap_err();
    /// assert_eq!(fault.line(), 1);
    /// assert_eq!(fault.others()[0].message(), "the template ends too early");
    /// ```
    #[must_use]
    pub fn others(&self) -> &[Self] {
        &self.0.others
    }

    pub(crate) fn with_hint(mut self, hint: &str) -> Self {
        self.0.hint = Some(hint.to_owned());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        let width = inner.line.to_string().len();
        // A line of a megabyte helps nobody: the window keeps the caret in sight.
        let (from, marks) = (inner.column.saturating_sub(61), '^');
        let shown: String = inner.text.chars().skip(from).take(120).collect();
        let pad: String = inner
            .text
            .chars()
            .skip(from)
            .take(inner.column - 1 - from)
            .map(|character| if character == '\t' { '\t' } else { ' ' })
            .collect();
        writeln!(
            f,
            "{} (line {}, column {})",
            inner.message, inner.line, inner.column
        )?;
        writeln!(f, "{:width$} |", "")?;
        writeln!(f, "{} | {shown}", inner.line)?;
        write!(f, "{:width$} | {pad}{marks}", "")?;
        if let Some(expected) = &inner.expected {
            write!(f, "\n{:width$} = expected: {expected}", "")?;
        }
        if let Some(hint) = &inner.hint {
            write!(f, "\n{:width$} = hint: {hint}", "")?;
        }
        for other in &inner.others {
            write!(f, "\n\n{other}")?;
        }
        Ok(())
    }
}

impl Error for Fault {}

/// Why a rendering failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailureKind {
    /// A method or an index got something that it cannot work with (`$list[9]`, `.substring(99)`).
    Invocation,
    /// The body begins like a JSON object or array and is none. The service answers 400 to that.
    Body,
    /// A text that should be JSON (`$util.parseJson`) or a JSONPath is none.
    Syntax,
    /// A limit of [`Limits`](crate::Limits) was reached.
    Limit,
    /// `#include` and `#parse` read no file.
    Forbidden,
}

/// A rendering that failed: why, and where in the template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderError {
    kind: FailureKind,
    fault: Fault,
}

impl RenderError {
    pub(crate) fn new(kind: FailureKind, fault: Fault) -> Self {
        Self { kind, fault }
    }

    /// What sort of failure it is.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    /// The place in the template and the message.
    #[must_use]
    pub fn fault(&self) -> &Fault {
        &self.fault
    }
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.fmt(f)
    }
}

impl Error for RenderError {}
