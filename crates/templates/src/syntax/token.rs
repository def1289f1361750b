//! The kinds of token that the lexer tells apart, and one token.

/// What a token is. The names follow the grammar of Velocity 1.7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    EndOfFile,
    IndexOpen,
    IndexClose,
    BracketOpen,
    BracketClose,
    Comma,
    DoubleDot,
    Colon,
    CurlyOpen,
    CurlyClose,
    ParenOpen,
    ParenClose,
    CallClose,
    EscapedDirective,
    SetDirective,
    LineCommentStart,
    LineCommentEnd,
    BlockComment,
    TextBlock,
    DoubleEscape,
    Escape,
    Text,
    Whitespace,
    StringLiteral,
    True,
    False,
    Newline,
    Minus,
    Plus,
    Multiply,
    Divide,
    Modulus,
    And,
    Or,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
    Not,
    Assign,
    End,
    If,
    ElseIf,
    Else,
    Integer,
    Float,
    Word,
    BracketedWord,
    Identifier,
    Dot,
    RefCurlyOpen,
    RefCurlyClose,
    EmptyIndex,
}

/// One token. Its image is `source[begin..end]`, unless the lexer or the parser replaced it.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) begin: usize,
    pub(crate) end: usize,
    /// What stands instead of the source text, where that differs.
    pub(crate) replaced: Option<String>,
    /// The `$`, `#` and `\$` that the lexer took for the start of something and gave back: they print before the token.
    pub(crate) special: String,
}

impl Token {
    /// The token as it prints.
    pub(crate) fn image<'s>(&'s self, source: &'s str) -> &'s str {
        match &self.replaced {
            Some(text) => text,
            None => &source[self.begin..self.end],
        }
    }

    /// The token and what was given back before it; comments print as nothing.
    pub(crate) fn push_literal(&self, source: &str, out: &mut String) {
        if self.kind == Kind::BlockComment {
            return;
        }
        out.push_str(&self.special);
        out.push_str(self.image(source));
    }
}
