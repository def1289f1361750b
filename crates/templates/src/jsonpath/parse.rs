//! From text to path.

use super::filter::{Filter, Operand, Relation};
use super::{Function, Path, Segment};

/// Filters in filters, deeper than this, are refused.
const DEPTH: usize = 20;

pub(super) struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

/// Reads a path. The error says what is wrong.
pub(crate) fn parse(text: &str) -> Result<Path, String> {
    let mut reader = Reader {
        text: text.trim(),
        at: 0,
        depth: 0,
    };
    if reader.text.is_empty() {
        return Err("a JSONPath may not be empty".to_owned());
    }
    let path = if reader.text.starts_with(['$', '@']) {
        reader.at = 1;
        reader.path(true)?
    } else {
        // A bare name is a member of the root.
        let prefixed = format!("$.{}", reader.text);
        let mut reader = Reader {
            text: &prefixed,
            at: 1,
            depth: 0,
        };
        return reader.path(true);
    };
    Ok(path)
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn accept(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn blank(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn fail<T>(&self, message: &str) -> Result<T, String> {
        Err(format!(
            "{message} at character {} of the JSONPath `{}`",
            self.text[..self.at].chars().count() + 1,
            self.text.chars().take(200).collect::<String>()
        ))
    }

    /// Segments after the root. In a filter the path ends where no segment begins.
    fn path(&mut self, whole: bool) -> Result<Path, String> {
        let mut path = Path {
            segments: Vec::new(),
            function: None,
        };
        loop {
            if self.accept("..") {
                path.segments.push(Segment::Descend);
                match self.peek() {
                    Some('[') => {}
                    Some('*') => {
                        self.at += 1;
                        path.segments.push(Segment::Wildcard);
                    }
                    _ => {
                        let name = self.name(whole)?;
                        path.segments.push(Segment::Names(vec![name]));
                    }
                }
            } else if self.accept(".") {
                match self.peek() {
                    Some('*') => {
                        self.at += 1;
                        path.segments.push(Segment::Wildcard);
                    }
                    Some('[') => {}
                    _ => {
                        let name = self.name(whole)?;
                        if self.accept("()") {
                            path.function = Some(match name.as_str() {
                                "length" | "size" | "count" => Function::Length,
                                "min" => Function::Min,
                                "max" => Function::Max,
                                "avg" => Function::Average,
                                "sum" => Function::Sum,
                                "keys" => Function::Keys,
                                _ => return self.fail(&format!("unknown function `{name}()`")),
                            });
                            if whole && !self.rest().is_empty() {
                                return self.fail("nothing may follow a function");
                            }
                            return Ok(path);
                        }
                        path.segments.push(Segment::Names(vec![name]));
                    }
                }
            } else if self.peek() == Some('[') {
                let segment = self.bracket()?;
                path.segments.push(segment);
            } else if !whole || self.rest().trim().is_empty() {
                return Ok(path);
            } else {
                return self.fail("`.` or `[` is missing");
            }
        }
    }

    /// A name without quotes. In a filter it ends where an operator may begin.
    fn name(&mut self, whole: bool) -> Result<String, String> {
        const ENDS: &[char] = &['.', '[', '(', ' '];
        const OPERATORS: &[char] = &[')', '=', '!', '<', '>', '&', '|', ',', ']'];
        let rest = self.rest();
        let ends =
            |character| ENDS.contains(&character) || !whole && OPERATORS.contains(&character);
        let end = rest.find(ends).unwrap_or(rest.len());
        if end == 0 {
            return self.fail("a name is missing");
        }
        self.at += end;
        Ok(rest[..end].to_owned())
    }

    fn bracket(&mut self) -> Result<Segment, String> {
        self.at += 1;
        self.blank();
        let segment = match self.peek() {
            Some('*') => {
                self.at += 1;
                Segment::Wildcard
            }
            Some('\'' | '"') => {
                let mut names = Vec::new();
                loop {
                    self.blank();
                    names.push(self.quoted()?);
                    self.blank();
                    if !self.accept(",") {
                        break;
                    }
                }
                Segment::Names(names)
            }
            Some('?') => {
                self.at += 1;
                self.blank();
                if !self.accept("(") {
                    return self.fail("`(` is missing");
                }
                let filter = self.or()?;
                self.blank();
                if !self.accept(")") {
                    return self.fail("`)` is missing");
                }
                Segment::Filter(filter)
            }
            _ => self.indexes()?,
        };
        self.blank();
        if !self.accept("]") {
            return self.fail("`]` is missing");
        }
        Ok(segment)
    }

    fn indexes(&mut self) -> Result<Segment, String> {
        let first = self.integer()?;
        self.blank();
        if self.accept(":") {
            self.blank();
            return Ok(Segment::Slice(first, self.integer()?));
        }
        let Some(first) = first else {
            return self.fail("a name in quotes, an index, `*` or `?(` is missing");
        };
        let mut indexes = vec![first];
        while self.accept(",") {
            self.blank();
            match self.integer()? {
                Some(index) => indexes.push(index),
                None => return self.fail("an index is missing"),
            }
            self.blank();
        }
        Ok(Segment::Indexes(indexes))
    }

    fn integer(&mut self) -> Result<Option<i64>, String> {
        let rest = self.rest();
        let sign = usize::from(rest.starts_with('-'));
        let digits = rest[sign..].bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return Ok(None);
        }
        let Ok(number) = rest[..sign + digits].parse() else {
            return self.fail("an index is too large");
        };
        self.at += sign + digits;
        Ok(Some(number))
    }

    fn quoted(&mut self) -> Result<String, String> {
        let Some(quote @ ('\'' | '"')) = self.peek() else {
            return self.fail("a name in quotes is missing");
        };
        self.at += 1;
        let mut out = String::new();
        let mut escaped = false;
        for (at, character) in self.rest().char_indices() {
            if escaped {
                out.push(character);
                escaped = false;
            } else if character == '\\' {
                escaped = true;
            } else if character == quote {
                self.at += at + 1;
                return Ok(out);
            } else {
                out.push(character);
            }
        }
        self.fail("the quote is never closed")
    }

    fn or(&mut self) -> Result<Filter, String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return self.fail("nested too deep");
        }
        let mut parts = vec![self.and()?];
        self.blank();
        while self.accept("||") {
            parts.push(self.and()?);
            self.blank();
        }
        self.depth -= 1;
        Ok(Filter::Any(parts))
    }

    fn and(&mut self) -> Result<Filter, String> {
        let mut parts = vec![self.term()?];
        self.blank();
        while self.accept("&&") {
            parts.push(self.term()?);
            self.blank();
        }
        Ok(Filter::All(parts))
    }

    fn term(&mut self) -> Result<Filter, String> {
        self.blank();
        if self.rest().starts_with('!') {
            self.at += 1;
            self.depth += 1;
            if self.depth > DEPTH {
                return self.fail("nested too deep");
            }
            let inner = self.term()?;
            self.depth -= 1;
            return Ok(Filter::Not(Box::new(inner)));
        }
        if self.accept("(") {
            let filter = self.or()?;
            self.blank();
            if !self.accept(")") {
                return self.fail("`)` is missing");
            }
            return Ok(filter);
        }
        let left = self.operand()?;
        self.blank();
        let Some(relation) = self.relation() else {
            return Ok(Filter::Exists(left));
        };
        self.blank();
        let right = if relation == Relation::Matches {
            self.pattern()?
        } else {
            self.operand()?
        };
        Ok(Filter::Compare(left, relation, right))
    }

    fn relation(&mut self) -> Option<Relation> {
        const RELATIONS: &[(&str, Relation)] = &[
            ("==", Relation::Equal),
            ("!=", Relation::NotEqual),
            ("<=", Relation::LessOrEqual),
            (">=", Relation::GreaterOrEqual),
            ("=~", Relation::Matches),
            ("<", Relation::Less),
            (">", Relation::Greater),
            ("in ", Relation::In),
            ("nin ", Relation::NotIn),
            ("contains ", Relation::Contains),
        ];
        RELATIONS
            .iter()
            .find(|(token, _)| self.accept(token))
            .map(|(_, relation)| *relation)
    }

    fn operand(&mut self) -> Result<Operand, String> {
        match self.peek() {
            Some('@') => {
                self.at += 1;
                Ok(Operand::Here(self.path(false)?))
            }
            Some('$') => {
                self.at += 1;
                Ok(Operand::Root(self.path(false)?))
            }
            Some('\'' | '"') => Ok(Operand::Text(self.quoted()?)),
            Some('[') => {
                self.at += 1;
                self.depth += 1;
                if self.depth > DEPTH {
                    return self.fail("nested too deep");
                }
                let mut items = Vec::new();
                self.blank();
                while !self.accept("]") {
                    items.push(self.operand()?);
                    self.blank();
                    self.accept(",");
                    self.blank();
                }
                self.depth -= 1;
                Ok(Operand::List(items))
            }
            _ => {
                let rest = self.rest();
                let end = rest
                    .find(|character: char| {
                        !(character.is_ascii_alphanumeric() || matches!(character, '-' | '+' | '.'))
                    })
                    .unwrap_or(rest.len());
                let operand = match &rest[..end] {
                    "true" => Operand::Boolean(true),
                    "false" => Operand::Boolean(false),
                    "null" => Operand::Null,
                    number => match number.parse::<f64>() {
                        Ok(number) if end > 0 => Operand::Number(number),
                        _ => return self.fail("an operand is missing"),
                    },
                };
                self.at += end;
                Ok(operand)
            }
        }
    }

    /// `/…/` or `/…/i`.
    fn pattern(&mut self) -> Result<Operand, String> {
        if !self.accept("/") {
            return self.operand();
        }
        let rest = self.rest();
        let mut escaped = false;
        let Some(end) = rest.find(|character| {
            let ends = character == '/' && !escaped;
            escaped = character == '\\' && !escaped;
            ends
        }) else {
            return self.fail("the pattern is never closed");
        };
        self.at += end + 1;
        let flags = if self.accept("i") { "(?i)" } else { "" };
        Ok(Operand::Text(format!("{flags}{}", &rest[..end])))
    }
}
