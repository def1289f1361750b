//! Java's regular expressions through engines that cannot run away.
//!
//! `regex` takes time linear in the text. Patterns that need look-around or back-references go to `fancy-regex`
//! with a bound on its backtracking; where only the notation differs, it is translated.

use std::borrow::Cow;

use crate::render::Failure;

/// Steps back that a pattern with look-around may take.
const BACKTRACK: usize = 200_000;
/// Bytes that a compiled pattern may have.
const SIZE: usize = 1 << 20;

#[derive(Clone, Debug)]
pub(crate) enum Pattern {
    /// No character of it means anything but itself.
    Literal(String),
    Plain(regex::Regex),
    Fancy(Box<fancy_regex::Regex>),
}

/// Where a match and its groups stand.
type Groups = Vec<Option<(usize, usize)>>;

impl Pattern {
    pub(crate) fn compile(source: &str) -> Result<Self, Failure> {
        if has_stray_brace(source) {
            return Err(Failure::invocation(format!(
                "`{}` is no regular expression: `{{` begins no repetition; write `\\{{` for a brace",
                shown(source)
            )));
        }
        if !source.contains(|character| "\\.[]{}()*+-?^$|".contains(character)) {
            return Ok(Self::Literal(source.to_owned()));
        }
        let translated = translate(source);
        match regex::RegexBuilder::new(&translated)
            .size_limit(SIZE)
            .dfa_size_limit(SIZE)
            .nest_limit(100)
            .build()
        {
            Ok(pattern) => Ok(Self::Plain(pattern)),
            Err(regex::Error::CompiledTooBig(_)) => Err(Failure::limit(format!(
                "the regular expression `{}` is too large",
                shown(source)
            ))),
            Err(plain) => fancy_regex::RegexBuilder::new(&translated)
                .backtrack_limit(BACKTRACK)
                .delegate_size_limit(SIZE)
                .delegate_dfa_size_limit(SIZE)
                .build()
                .map(|pattern| Self::Fancy(Box::new(pattern)))
                .map_err(|_| {
                    let reason = plain.to_string();
                    let reason = reason.lines().last().unwrap_or("").to_owned();
                    Failure::invocation(format!(
                        "`{}` is no regular expression: {reason}",
                        shown(source)
                    ))
                }),
        }
    }

    /// The next match from `from` on.
    fn find(&self, text: &str, from: usize) -> Result<Option<Groups>, Failure> {
        match self {
            Self::Literal(literal) => Ok(text[from..]
                .find(literal.as_str())
                .map(|at| vec![Some((from + at, from + at + literal.len()))])),
            Self::Plain(pattern) => {
                let mut locations = pattern.capture_locations();
                Ok(pattern
                    .captures_read_at(&mut locations, text, from)
                    .map(|_| {
                        (0..locations.len())
                            .map(|group| locations.get(group))
                            .collect()
                    }))
            }
            Self::Fancy(pattern) => Ok(pattern
                .captures_from_pos(text, from)
                .map_err(|error| {
                    Failure::limit(format!("a regular expression was given up: {error}"))
                })?
                .map(|captures| {
                    captures
                        .iter()
                        .map(|group| group.map(|group| (group.start(), group.end())))
                        .collect()
                })),
        }
    }

    /// Whether the whole text matches.
    pub(crate) fn matches(&self, text: &str) -> Result<bool, Failure> {
        if let Self::Literal(literal) = self {
            return Ok(literal == text);
        }
        let source = match self {
            Self::Literal(_) => return Ok(false),
            Self::Plain(pattern) => pattern.as_str(),
            Self::Fancy(pattern) => pattern.as_str(),
        };
        // Leftmost-first may stop early where the whole would fit, so the pattern is anchored, not its match.
        let whole = format!("^(?:{source})\\z");
        match regex::RegexBuilder::new(&whole).size_limit(SIZE).build() {
            Ok(pattern) => Ok(pattern.is_match(text)),
            Err(_) => fancy_regex::RegexBuilder::new(&whole)
                .backtrack_limit(BACKTRACK)
                .build()
                .map_err(|error| Failure::invocation(error.to_string()))?
                .is_match(text)
                .map_err(|error| Failure::limit(error.to_string())),
        }
    }

    /// `replaceAll` and `replaceFirst`: `$1`, `${name}` and `\x` in the replacement. The text may become `most` bytes long.
    pub(crate) fn replace(
        &self,
        text: &str,
        replacement: &str,
        all: bool,
        most: usize,
    ) -> Result<String, Failure> {
        let mut out = String::with_capacity(text.len());
        let mut copied = 0;
        let mut from = 0;
        while from <= text.len() {
            let Some(groups) = self.find(text, from)? else {
                break;
            };
            let Some((begin, end)) = groups.first().copied().flatten() else {
                break;
            };
            out.push_str(&text[copied..begin]);
            self.expand(replacement, text, &groups, &mut out)?;
            if out.len() > most {
                return Err(Failure::limit(format!(
                    "a replaced text is longer than {most} bytes"
                )));
            }
            copied = end;
            from = if end > begin {
                end
            } else {
                end + text[end..].chars().next().map_or(1, char::len_utf8)
            };
            if !all {
                break;
            }
        }
        out.push_str(&text[copied..]);
        Ok(out)
    }

    fn expand(
        &self,
        replacement: &str,
        text: &str,
        groups: &Groups,
        out: &mut String,
    ) -> Result<(), Failure> {
        let mut characters = replacement.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '\\' => match characters.next() {
                    Some(escaped) => out.push(escaped),
                    None => {
                        return Err(Failure::invocation(
                            "a replacement may not end in a backslash".to_owned(),
                        ));
                    }
                },
                '$' => {
                    let group = if characters.next_if_eq(&'{').is_some() {
                        let name: String = characters
                            .by_ref()
                            .take_while(|next| *next != '}')
                            .collect();
                        self.group_number(&name).ok_or_else(|| {
                            Failure::invocation(format!("the pattern has no group `{name}`"))
                        })?
                    } else {
                        let first = characters.next().and_then(|digit| digit.to_digit(10));
                        let mut number = first.ok_or_else(|| {
                            Failure::invocation(
                                "`$` in a replacement names a group: write `\\$` for a dollar sign"
                                    .to_owned(),
                            )
                        })? as usize;
                        // More digits belong to it as long as there is such a group.
                        while let Some(digit) = characters.peek().and_then(|next| next.to_digit(10))
                        {
                            let longer = number * 10 + digit as usize;
                            if longer >= groups.len() {
                                break;
                            }
                            number = longer;
                            characters.next();
                        }
                        number
                    };
                    match groups.get(group) {
                        Some(Some((begin, end))) => out.push_str(&text[*begin..*end]),
                        Some(None) => {}
                        None => {
                            return Err(Failure::invocation(format!(
                                "the pattern has no group {group}"
                            )));
                        }
                    }
                }
                other => out.push(other),
            }
        }
        Ok(())
    }

    fn group_number(&self, name: &str) -> Option<usize> {
        match self {
            Self::Literal(_) => None,
            Self::Plain(pattern) => pattern
                .capture_names()
                .position(|known| known == Some(name)),
            Self::Fancy(pattern) => pattern
                .capture_names()
                .position(|known| known == Some(name)),
        }
    }

    /// `split`: without trailing empty parts if `limit` is 0.
    pub(crate) fn split<'t>(&self, text: &'t str, limit: i64) -> Result<Vec<&'t str>, Failure> {
        let mut parts = Vec::new();
        let mut start = 0;
        let mut from = 0;
        while from <= text.len() {
            if limit > 0 && parts.len() as i64 == limit - 1 {
                break;
            }
            let Some(groups) = self.find(text, from)? else {
                break;
            };
            let Some((begin, end)) = groups.first().copied().flatten() else {
                break;
            };
            let step = text[end..].chars().next().map_or(1, char::len_utf8);
            from = if end > begin { end } else { end + step };
            // An empty match at the very beginning gives no empty part, and none is found at the end.
            if end == 0 || begin == end && begin == text.len() {
                continue;
            }
            parts.push(&text[start..begin]);
            start = end;
        }
        if parts.is_empty() {
            return Ok(vec![text]);
        }
        parts.push(&text[start..]);
        if limit == 0 {
            while parts.last().is_some_and(|part| part.is_empty()) {
                parts.pop();
            }
        }
        Ok(parts)
    }
}

/// A pattern that a whole text must match, compiled so.
#[derive(Clone, Debug)]
pub(crate) enum Whole {
    Plain(regex::Regex),
    Fancy(Box<fancy_regex::Regex>),
}

impl Whole {
    pub(crate) fn compile(source: &str) -> Result<Self, Failure> {
        // What is no pattern by itself must not become one by what is put around it.
        Pattern::compile(source)?;
        let translated = translate(source);
        // A dot stops at `\r`, too.
        match regex::RegexBuilder::new(&format!("^(?R:{translated})\\z"))
            .size_limit(SIZE)
            .dfa_size_limit(SIZE)
            .nest_limit(100)
            .build()
        {
            Ok(pattern) => Ok(Self::Plain(pattern)),
            Err(plain) => fancy_regex::RegexBuilder::new(&format!("^(?:{translated})\\z"))
                .backtrack_limit(BACKTRACK)
                .delegate_size_limit(SIZE)
                .delegate_dfa_size_limit(SIZE)
                .build()
                .map(|pattern| Self::Fancy(Box::new(pattern)))
                .map_err(|_| Failure::invocation(plain.to_string())),
        }
    }

    pub(crate) fn matches(&self, text: &str) -> Result<bool, Failure> {
        match self {
            Self::Plain(pattern) => Ok(pattern.is_match(text)),
            Self::Fancy(pattern) => pattern
                .is_match(text)
                .map_err(|error| Failure::limit(error.to_string())),
        }
    }
}

/// Whether a `{` stands where Java allows it as a repetition only.
fn has_stray_brace(source: &str) -> bool {
    let mut characters = source.char_indices();
    let (mut class, mut quoted) = (0usize, false);
    while let Some((at, character)) = characters.next() {
        let rest = &source[at..];
        if quoted {
            quoted = !rest.starts_with("\\E");
            continue;
        }
        match character {
            '\\' => match characters.next() {
                Some((_, 'Q')) => quoted = true,
                // `\p{…}`, `\x{…}`, `\k<…>`: the braces are theirs.
                Some((at, 'p' | 'P' | 'x' | 'N')) if source[at + 1..].starts_with('{') => {
                    characters.next();
                }
                _ => {}
            },
            '[' => class += 1,
            ']' => class = class.saturating_sub(1),
            '{' if class == 0 => {
                let repeats = rest[1..].starts_with(|next: char| next.is_ascii_digit());
                if !repeats || at == 0 {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
}

fn shown(source: &str) -> Cow<'_, str> {
    if source.len() <= 80 {
        Cow::Borrowed(source)
    } else {
        Cow::Owned(source.chars().take(80).chain(['…']).collect())
    }
}

/// Java's notation where it differs from the engines'.
fn translate(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    let mut in_class = 0usize;
    let mut class_start = false;
    while let Some(character) = rest.chars().next() {
        let after = &rest[character.len_utf8()..];
        let starts_class = class_start;
        class_start = false;
        match character {
            '\\' => {
                let Some(escaped) = after.chars().next() else {
                    out.push_str("\\\\");
                    break;
                };
                let after_escape = &after[escaped.len_utf8()..];
                rest = after_escape;
                match escaped {
                    // Quoted text up to `\E`.
                    'Q' => {
                        let (quoted, following) =
                            after_escape.split_once("\\E").unwrap_or((after_escape, ""));
                        out.push_str(&regex::escape(quoted));
                        rest = following;
                    }
                    'Z' => out.push_str("(?:\\n?\\z)"),
                    'h' => out.push_str("[ \\t\\xA0\\u{1680}\\u{180e}\\u{2000}-\\u{200a}\\u{202f}\\u{205f}\\u{3000}]"),
                    'R' => out.push_str("(?:\\r\\n|[\\n\\x0B\\x0C\\r\\u{85}\\u{2028}\\u{2029}])"),
                    'e' => out.push_str("\\x1B"),
                    // Without flags Java's classes are those of ASCII.
                    'd' if in_class > 0 => out.push_str("0-9"),
                    'd' => out.push_str("[0-9]"),
                    'D' => out.push_str("[^0-9]"),
                    'w' if in_class > 0 => out.push_str("a-zA-Z_0-9"),
                    'w' => out.push_str("[a-zA-Z_0-9]"),
                    'W' => out.push_str("[^a-zA-Z_0-9]"),
                    's' if in_class > 0 => out.push_str(" \\t\\n\\x0B\\x0C\\r"),
                    's' => out.push_str("[ \\t\\n\\x0B\\x0C\\r]"),
                    'S' => out.push_str("[^ \\t\\n\\x0B\\x0C\\r]"),
                    'u' if after_escape.len() >= 4 && after_escape.is_char_boundary(4) => {
                        out.push_str("\\u{");
                        out.push_str(&after_escape[..4]);
                        out.push('}');
                        rest = &after_escape[4..];
                    }
                    'p' | 'P' => {
                        out.push('\\');
                        out.push(escaped);
                        if let Some(named) = after_escape.strip_prefix('{')
                            && let Some((name, following)) = named.split_once('}')
                        {
                            out.truncate(out.len() - 2);
                            out.push_str(&posix(name, escaped == 'P'));
                            rest = following;
                        }
                    }
                    other if other.is_ascii_alphanumeric() || "\\.+*?()|[]{}^$-/&~#".contains(other) => {
                        out.push('\\');
                        out.push(other);
                    }
                    // A backslash before any other character is that character.
                    other => out.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
                }
                continue;
            }
            '[' => {
                in_class += 1;
                class_start = true;
                out.push('[');
                if let Some(following) = after.strip_prefix('^') {
                    out.push('^');
                    rest = following;
                    continue;
                }
            }
            ']' if in_class > 0 && !starts_class => {
                in_class -= 1;
                out.push(']');
            }
            // `$` also matches before a last newline.
            '$' if in_class == 0 => out.push_str("(?:$|(?:\\n)?\\z)"),
            other => out.push(other),
        }
        rest = after;
    }
    out
}

/// `\p{Alpha}` and its like are ASCII classes in Java.
fn posix(name: &str, negated: bool) -> String {
    let class = match name {
        "Alpha" => "[:alpha:]",
        "Digit" => "[:digit:]",
        "Alnum" => "[:alnum:]",
        "Upper" => "[:upper:]",
        "Lower" => "[:lower:]",
        "Punct" => "[:punct:]",
        "Space" => "[:space:]",
        "XDigit" => "[:xdigit:]",
        "Blank" => "[:blank:]",
        "Cntrl" => "[:cntrl:]",
        "Graph" => "[:graph:]",
        "Print" => "[:print:]",
        "ASCII" => "[:ascii:]",
        _ => {
            let name = name.strip_prefix("Is").unwrap_or(name);
            return format!("\\{}{{{name}}}", if negated { 'P' } else { 'p' });
        }
    };
    if negated {
        format!("[^{class}]")
    } else {
        format!("[{class}]")
    }
}
