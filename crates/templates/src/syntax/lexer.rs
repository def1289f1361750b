//! The lexer: a machine of eleven states, as the grammar of Velocity 1.7 describes it.
//!
//! What Velocity makes of odd input (`5-3`, a lone `$`, `$n-3`, the newline after a directive) follows from
//! its token machine, not from its grammar. So this is that machine: in each state the longest match wins,
//! of equally long ones the first, and some matches ("more") only begin a token that a later match completes.

use super::scan::{
    CONTROL, OPERATORS, bracketed_word, dollar, escaped_directive, line_end, newline, number,
    push_special, run, set_directive, string_literal, word,
};
use super::token::{Kind, Token};
use crate::fault::Fault;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Default,
    Directive,
    PreDirective,
    Reference,
    Modifier,
    Arguments,
    Index,
    LineComment,
    BlockComment,
    TextBlock,
}

/// What a match does with the characters that it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Token(Kind),
    /// Begins a token that the next match goes on with.
    Dollar,
    TextBlockStart,
    FormalCommentStart,
    CommentStart,
    Hash,
    More,
    /// Dropped.
    Skip,
    /// Given back: ends a reference or a directive that was none.
    Terminator,
}

#[derive(Clone, Copy, Debug)]
struct Saved {
    opened: u32,
    closed: u32,
    state: State,
}

#[derive(Debug)]
pub(crate) struct Lexer<'s> {
    source: &'s str,
    at: usize,
    state: State,
    stack: Vec<Saved>,
    opened: u32,
    closed: u32,
    in_comment: bool,
    pub(crate) in_set: bool,
}

impl<'s> Lexer<'s> {
    pub(crate) fn new(source: &'s str) -> Self {
        Self {
            source,
            at: 0,
            state: State::Default,
            stack: Vec::new(),
            opened: 0,
            closed: 0,
            in_comment: false,
            in_set: false,
        }
    }

    /// One that begins in the middle of a text, as if nothing stood before.
    pub(crate) fn starting_at(source: &'s str, at: usize) -> Self {
        Self {
            at,
            ..Self::new(source)
        }
    }

    /// The parser found the name of a directive.
    pub(crate) fn enter_directive(&mut self) {
        self.state = State::Directive;
    }

    /// Whether the next character but white space is a `(`.
    pub(crate) fn parenthesis_follows(&self) -> bool {
        self.source[self.at..]
            .trim_start_matches([' ', '\t', '\n', '\r'])
            .starts_with('(')
    }

    pub(crate) fn pop(&mut self) -> bool {
        match self.stack.pop() {
            Some(saved) => {
                self.opened = saved.opened;
                self.closed = saved.closed;
                self.state = saved.state;
                true
            }
            None => {
                self.opened = 0;
                self.state = State::Default;
                false
            }
        }
    }

    fn push(&mut self) {
        self.stack.push(Saved {
            opened: self.opened,
            closed: self.closed,
            state: self.state,
        });
        self.opened = 0;
    }

    /// A `)` closes the nearest state that has an open parenthesis.
    fn close_parenthesis(&mut self) {
        if self.in_comment {
            return;
        }
        loop {
            if self.opened > 0 {
                if self.opened == self.closed + 1 {
                    self.pop();
                } else {
                    self.closed += 1;
                }
                return;
            }
            if !self.pop() {
                return;
            }
        }
    }

    pub(crate) fn next(&mut self) -> Result<Token, Fault> {
        let mut special = String::new();
        let mut begin = self.at;
        let mut in_more = false;
        loop {
            if self.at >= self.source.len() {
                if in_more {
                    return Err(self.unfinished(begin));
                }
                return Ok(Token {
                    kind: Kind::EndOfFile,
                    begin: self.at,
                    end: self.at,
                    replaced: None,
                    special,
                });
            }
            let Some((step, length)) = self.longest() else {
                return Err(self.unexpected());
            };
            self.at += length;
            match step {
                Step::Token(kind) => {
                    let mut token = Token {
                        kind,
                        begin,
                        end: self.at,
                        replaced: None,
                        special,
                    };
                    self.after(&mut token);
                    return Ok(token);
                }
                Step::Skip => {
                    begin = self.at;
                    in_more = false;
                }
                Step::Terminator => {
                    push_special(&self.source[begin..self.at], &mut special);
                    self.at -= length;
                    self.pop();
                    begin = self.at;
                    in_more = false;
                }
                Step::More => in_more = true,
                Step::Dollar => {
                    in_more = true;
                    if !self.in_comment {
                        if self.state == State::Reference {
                            self.pop();
                        }
                        self.push();
                        self.state = State::Reference;
                    }
                }
                Step::Hash => {
                    in_more = true;
                    if !self.in_comment {
                        if matches!(self.state, State::Reference | State::Modifier) {
                            self.pop();
                        }
                        self.push();
                        self.state = State::PreDirective;
                    }
                }
                Step::TextBlockStart | Step::CommentStart | Step::FormalCommentStart => {
                    in_more = true;
                    if !self.in_comment {
                        if step == Step::FormalCommentStart {
                            self.at -= self.source[..self.at]
                                .chars()
                                .next_back()
                                .map_or(0, char::len_utf8);
                        }
                        self.in_comment = true;
                        self.push();
                        self.state = if step == Step::TextBlockStart {
                            State::TextBlock
                        } else {
                            State::BlockComment
                        };
                    }
                }
            }
        }
    }

    /// What the grammar does when a token is complete.
    fn after(&mut self, token: &mut Token) {
        match token.kind {
            Kind::IndexOpen => {
                self.push();
                self.state = State::Index;
            }
            Kind::IndexClose | Kind::RefCurlyClose | Kind::End | Kind::Else => {
                self.pop();
            }
            Kind::ParenOpen => {
                if !self.in_comment {
                    self.opened += 1;
                }
                if self.state == State::Modifier {
                    self.state = State::Arguments;
                }
            }
            Kind::ParenClose => self.close_parenthesis(),
            Kind::CallClose => self.state = State::Reference,
            Kind::SetDirective => {
                self.push();
                self.in_set = true;
                self.state = State::Directive;
                self.opened += 1;
            }
            Kind::LineCommentStart if !self.in_comment => {
                if self.state == State::Reference {
                    self.pop();
                }
                self.in_comment = true;
                self.push();
                self.state = State::LineComment;
            }
            Kind::LineCommentEnd | Kind::BlockComment | Kind::TextBlock => {
                self.in_comment = false;
                self.pop();
            }
            Kind::StringLiteral
                if self.state == State::Directive && !self.in_set && self.opened == 0 =>
            {
                self.pop();
            }
            Kind::Newline => {
                self.pop();
                self.in_set = false;
            }
            Kind::If | Kind::ElseIf => self.state = State::Directive,
            Kind::Integer => {
                if token.end - token.begin > 2 && self.source[..token.end].ends_with("..") {
                    self.at -= 2;
                    token.end -= 2;
                }
                if self.opened == 0
                    && !self.in_set
                    && !matches!(self.state, State::Arguments | State::Index)
                {
                    self.pop();
                }
            }
            Kind::Float if self.opened == 0 && !self.in_set && self.state != State::Arguments => {
                self.pop();
            }
            Kind::Dot => {
                // The letter after the dot was only looked at.
                self.at -= 1;
                token.end = self.at;
                token.replaced = Some(".".to_owned());
                self.state = State::Modifier;
            }
            _ => {}
        }
    }

    fn longest(&self) -> Option<(Step, usize)> {
        let rest = &self.source.as_bytes()[self.at..];
        let mut best = Best { found: None };
        let state = self.state;
        let in_reference = matches!(state, State::Reference | State::Modifier);
        let in_list = matches!(state, State::Directive | State::Arguments);
        let first = rest[0];

        match first {
            b'[' if in_reference => best.token(Kind::IndexOpen, 1),
            b']' if state == State::Index => best.token(Kind::IndexClose, 1),
            b'[' if in_list => best.token(Kind::BracketOpen, 1),
            b']' if in_list => best.token(Kind::BracketClose, 1),
            b',' if in_list => best.token(Kind::Comma, 1),
            b'.' if in_list && rest.starts_with(b"..") => best.token(Kind::DoubleDot, 2),
            b':' if in_list => best.token(Kind::Colon, 1),
            b'{' if in_list => best.token(Kind::CurlyOpen, 1),
            b'}' if in_list => best.token(Kind::CurlyClose, 1),
            b'(' if matches!(state, State::Directive | State::Modifier) => {
                best.token(Kind::ParenOpen, 1);
            }
            b')' if state == State::Directive => {
                best.token(Kind::ParenClose, 1 + line_end(&rest[1..]));
            }
            b')' if state == State::Arguments => best.token(Kind::CallClose, 1),
            _ => {}
        }
        if state == State::Default && first == b'\\' {
            best.maybe(Kind::EscapedDirective, escaped_directive(rest));
        }
        if (in_reference || matches!(state, State::Default | State::Arguments))
            && matches!(first, b'#' | b' ' | b'\t')
        {
            best.maybe(Kind::SetDirective, set_directive(rest));
        }
        if matches!(first, b'\\' | b'$') {
            if let Some(length) = dollar(rest) {
                best.offer(Step::Dollar, length);
            }
        } else if first == b'#' {
            if rest.starts_with(b"#[[") {
                best.offer(Step::TextBlockStart, 3);
            }
            if rest.starts_with(b"#**") && rest.len() > 3 && rest[3] != b'#' {
                let length = self.source[self.at + 3..]
                    .chars()
                    .next()
                    .map_or(0, char::len_utf8);
                best.offer(Step::FormalCommentStart, 3 + length);
            }
            if rest.starts_with(b"#*") {
                best.offer(Step::CommentStart, 2);
            }
            best.offer(Step::Hash, 1);
            if rest.starts_with(b"##")
                && matches!(
                    state,
                    State::Default | State::PreDirective | State::Directive | State::Reference
                )
            {
                best.token(Kind::LineCommentStart, 2);
            }
        }
        let one = self.source[self.at..]
            .chars()
            .next()
            .map_or(1, char::len_utf8);
        match state {
            State::Default => {
                if rest.starts_with(b"\\\\") {
                    best.token(Kind::DoubleEscape, 2);
                } else if first == b'\\' {
                    best.token(Kind::Escape, 1);
                }
                let text = memchr::memchr3(b'$', b'#', b'\\', rest).unwrap_or(rest.len());
                if text > 0 {
                    best.token(Kind::Text, text);
                }
            }
            State::LineComment => {
                match newline(rest) {
                    0 => {}
                    length => best.token(Kind::LineCommentEnd, length),
                }
                best.offer(Step::Skip, one);
            }
            State::BlockComment => {
                if rest.starts_with(b"*#") {
                    best.token(Kind::BlockComment, 2);
                }
                best.offer(Step::Skip, one);
            }
            State::TextBlock => {
                if rest.starts_with(b"]]#") {
                    best.token(Kind::TextBlock, 3);
                }
                best.offer(Step::More, one);
            }
            State::Directive | State::Arguments | State::Index => {
                let blank = run(rest, |byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
                if blank > 0 {
                    best.token(Kind::Whitespace, blank);
                }
                if matches!(first, b'"' | b'\'') {
                    best.maybe(Kind::StringLiteral, string_literal(rest));
                }
            }
            State::PreDirective | State::Reference | State::Modifier => {}
        }
        if !matches!(
            state,
            State::Default
                | State::PreDirective
                | State::LineComment
                | State::BlockComment
                | State::TextBlock
        ) {
            for (word, kind) in [(&b"true"[..], Kind::True), (&b"false"[..], Kind::False)] {
                if rest.starts_with(word) {
                    best.token(kind, word.len());
                }
            }
        }
        if state == State::Directive {
            for (word, kind) in OPERATORS {
                if rest.starts_with(word.as_bytes()) {
                    best.token(*kind, word.len());
                }
            }
        }
        if state == State::PreDirective {
            for (word, kind, takes_line_end) in CONTROL {
                if rest.starts_with(word.as_bytes()) {
                    let extra = if *takes_line_end {
                        line_end(&rest[word.len()..])
                    } else {
                        0
                    };
                    best.token(*kind, word.len() + extra);
                }
            }
        }
        if matches!(
            state,
            State::PreDirective | State::Directive | State::Arguments | State::Index
        ) && matches!(first, b'-' | b'.' | b'0'..=b'9')
        {
            number(rest, |kind, length| best.token(kind, length));
        }
        if matches!(state, State::PreDirective | State::Directive) {
            best.maybe(Kind::Word, word(rest));
            best.maybe(Kind::BracketedWord, bracketed_word(rest));
        }
        if in_reference || state == State::Arguments {
            if first.is_ascii_alphabetic() || first == b'_' {
                let length = run(rest, |byte| {
                    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
                });
                best.token(Kind::Identifier, length);
            }
            if first == b'.' && rest.get(1).is_some_and(u8::is_ascii_alphabetic) {
                best.token(Kind::Dot, 2);
            }
        }
        if in_reference {
            match first {
                b'{' => best.token(Kind::RefCurlyOpen, 1),
                b'}' => best.token(Kind::RefCurlyClose, 1),
                _ => {}
            }
        }
        if in_reference || state == State::PreDirective {
            best.offer(Step::Terminator, one);
        }
        if matches!(state, State::Default | State::Reference) && first == b'$' {
            for image in ["$[", "$![", "$\\![", "$."] {
                if rest.starts_with(image.as_bytes()) {
                    best.token(Kind::EmptyIndex, image.len());
                }
            }
        }
        best.found
    }

    fn unfinished(&self, begin: usize) -> Fault {
        let rest = &self.source[begin..];
        let (what, expected, hint) = if rest.starts_with("#[[") {
            (
                "the text block that starts here is never closed",
                "`]]#`",
                "",
            )
        } else if rest.starts_with("#*") {
            ("the comment that starts here is never closed", "`*#`", "")
        } else if self.in_comment {
            (
                "the comment ends in a `$` or `#` that begins something",
                "a newline",
                "end the template with a newline after the comment",
            )
        } else if rest.starts_with('#') {
            (
                "the template ends after `#`",
                "the name of a directive",
                "a `#` may not be the last character; put `$esc`-like text or a newline after it",
            )
        } else {
            (
                "the template ends after `$`",
                "the name of a variable",
                "a `$` may not be the last character; add a space or a newline",
            )
        };
        Fault::at(self.source, begin, self.source.len(), what, expected, hint)
    }

    fn unexpected(&self) -> Fault {
        let character = self.source[self.at..].chars().next().unwrap_or(' ');
        let (expected, hint) = match character {
            '"' | '\'' => (
                "a closing quote",
                "the string that starts here is never closed; a quote inside a string is doubled (`\"\"`), not escaped",
            ),
            '.' => (
                "an operator or `)`",
                "methods are called on references only: put the value into a variable first",
            ),
            '|' => (
                "`||` or `)`",
                "API Gateway has Velocity 1.7, which knows no alternate values (`${a|'b'}`)",
            ),
            '&' => ("`&&`", ""),
            '+' | '-' | '*' | '/' | '%' if self.state != State::Directive => (
                "`,` or a closing bracket",
                "arguments and indexes take no arithmetic: put the result into a variable with `#set` first",
            ),
            _ => ("an operand, an operator or a closing bracket", ""),
        };
        Fault::at(
            self.source,
            self.at,
            self.at + character.len_utf8(),
            format!("`{}` cannot stand here", character.escape_debug()),
            expected,
            hint,
        )
    }
}

/// The longest match so far; of equally long ones the first stays.
struct Best {
    found: Option<(Step, usize)>,
}

impl Best {
    fn offer(&mut self, step: Step, length: usize) {
        if self.found.is_none_or(|(_, longest)| length > longest) {
            self.found = Some((step, length));
        }
    }

    fn token(&mut self, kind: Kind, length: usize) {
        self.offer(Step::Token(kind), length);
    }

    fn maybe(&mut self, kind: Kind, length: Option<usize>) {
        if let Some(length) = length {
            self.token(kind, length);
        }
    }
}
