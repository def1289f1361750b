//! Going on behind a fault, so that a template's faults are all told at once.
//!
//! A construct that is wrong is left out as far as it can be told where it ends: behind its parenthesis, else at the end of the line. What
//! opens a block opens it even so, or each `#end` of a wrong `#if` would be a fault of its own.

use super::lexer::Lexer;
use super::parser::Parser;
use super::token::Kind;
use super::tree::{Expression, Node};
use crate::fault::Fault;

/// Whoever has so many mends some before reading more.
const MOST: usize = 20;

impl Parser<'_, '_> {
    /// One statement; a wrong one is noted and left out. Whether there was one.
    pub(super) fn statement_or_fault(&mut self, nodes: &mut Vec<Node>) -> Result<bool, Fault> {
        let (first, depth) = (self.next, self.shared.depth);
        match self.statement(nodes) {
            Ok(found) => Ok(found),
            Err(fault) => {
                self.note(fault, Some(first), depth)?;
                Ok(true)
            }
        }
    }

    /// The condition of an `#if` or `#elseif`, from its parenthesis to the one that closes it.
    pub(super) fn condition(&mut self, directive: usize) -> Result<Expression, Fault> {
        let depth = self.shared.depth;
        match self.in_parentheses() {
            Ok(condition) => Ok(condition),
            Err(fault) => {
                self.note(fault, Some(directive), depth)?;
                Ok(Expression::Boolean(false))
            }
        }
    }

    fn in_parentheses(&mut self) -> Result<Expression, Fault> {
        self.blank()?;
        self.expect(Kind::ParenOpen, "`(` and a condition")?;
        let condition = self.expression()?;
        self.expect(Kind::ParenClose, "an operator or `)`")?;
        Ok(condition)
    }

    /// The `#end` of a block; what stands there instead is noted, and what it begins is left out.
    pub(super) fn close(&mut self, what: &str) -> Result<(), Fault> {
        loop {
            match self.peek()? {
                Kind::End => return self.take().map(|_| ()),
                Kind::EndOfFile => {
                    let fault = self.unexpected(what);
                    return self.note_structure(fault);
                }
                _ => {
                    let fault = self.unexpected(what);
                    self.pass_over(fault)?;
                    self.block()?;
                }
            }
        }
    }

    /// Notes that the next token does not belong here, and leaves it out.
    pub(super) fn pass_over(&mut self, fault: Fault) -> Result<(), Fault> {
        let token = self.next;
        self.note_structure(fault)?;
        if self.take()? == token && self.tokens[token].kind == Kind::ElseIf {
            self.skip(self.tokens[token].begin);
        }
        Ok(())
    }

    /// Notes a fault and goes on behind the construct that begins with token `first`. The fault comes back if nothing more is to be read.
    pub(super) fn note(
        &mut self,
        fault: Fault,
        first: Option<usize>,
        depth: usize,
    ) -> Result<(), Fault> {
        let at = fault.span().start;
        self.keep(fault)?;
        self.shared.depth = depth;
        let begin = first
            .and_then(|first| self.tokens.get(first))
            .map_or(at, |token| token.begin);
        self.skip(begin);
        Ok(())
    }

    /// Notes a fault about blocks, unless a construct was left out of which nobody knows what it opened or closed.
    fn note_structure(&mut self, fault: Fault) -> Result<(), Fault> {
        if self.shared.adrift {
            Ok(())
        } else {
            self.keep(fault)
        }
    }

    /// Notes a fault and nothing else. It comes back if nothing more is to be read.
    pub(super) fn keep(&mut self, fault: Fault) -> Result<(), Fault> {
        let too_deep = self.shared.depth > self.shared.max_depth;
        // A string is a part of a construct, which is left out as a whole.
        if self.place.is_some() || too_deep || self.shared.faults.len() + 1 >= MOST {
            return Err(fault);
        }
        self.shared.faults.push(fault);
        Ok(())
    }

    /// Goes on behind the parenthesis of the construct that begins at `begin`, or behind its first line.
    fn skip(&mut self, begin: usize) {
        let rest = &self.source[begin..];
        let end = match after_parenthesis(rest) {
            Some(length) => begin + length,
            None => {
                self.shared.adrift = true;
                let line = rest.find('\n');
                line.map_or(self.source.len(), |length| begin + length)
            }
        };
        let next_character = rest.chars().next().map_or(0, char::len_utf8);
        self.tokens.truncate(self.next);
        self.lexer = Lexer::starting_at(self.source, end.max(begin + next_character));
    }
}

/// The length of `text` up to where its first parenthesis is closed. A line that begins with a directive belongs to something else.
fn after_parenthesis(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0usize, None);
    for (at, byte) in text.bytes().enumerate() {
        match (byte, quote) {
            (b'\n', _) => {
                let line = text[at + 1..].trim_start_matches([' ', '\t']);
                if depth == 0 || line.starts_with('#') {
                    return None;
                }
            }
            (_, Some(open)) => quote = (byte != open).then_some(open),
            (b'"' | b'\'', None) if depth > 0 => quote = Some(byte),
            (b'(', None) => depth += 1,
            (b')', None) if depth <= 1 => return (depth == 1).then_some(at + 1),
            (b')', None) => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::after_parenthesis;
    use crate::Template;

    /// The places of all faults of a template.
    #[track_caller]
    fn check(source: &str, expected: &[(usize, usize)]) {
        let places: Vec<_> = match Template::parse(source) {
            Ok(_) => Vec::new(),
            Err(fault) => std::iter::once(&fault)
                .chain(fault.others())
                .map(|fault| (fault.line(), fault.column()))
                .collect(),
        };
        assert_eq!(places, expected, "{source}");
    }

    #[test]
    fn faults_in_different_lines_are_all_told() {
        check(
            "#set($a == 1)\n{\n#if($b = 2)x#end\n#foreach($c)$c#end\n}",
            &[(1, 9), (3, 8), (4, 1)],
        );
    }

    #[test]
    fn a_wrong_condition_opens_its_block_even_so() {
        check(
            "#if($a = 1)yes#elseif($b = 2)no#else-#end",
            &[(1, 8), (1, 26)],
        );
        check(
            "#if()\n#set($x == 1)\n#end\n#end",
            &[(1, 5), (2, 9), (4, 1)],
        );
    }

    #[test]
    fn a_wrong_loop_opens_its_block_even_so() {
        check("#foreach($i in =)$i#end#end", &[(1, 16), (1, 24)]);
    }

    #[test]
    fn what_closes_nothing_is_told_each_time() {
        check("a#end b#else c#elseif($x)d", &[(1, 2), (1, 8), (1, 15)]);
        check("#if($a)1#else 2#else 3#end", &[(1, 16)]);
    }

    #[test]
    fn a_block_that_is_never_closed_is_told_after_the_others() {
        check("#if($a)\n#set($x == 1)\n", &[(2, 9), (3, 1)]);
    }

    #[test]
    fn behind_a_parenthesis_that_is_never_closed_blocks_are_not_judged() {
        check("#if($a == 1\n#set($x == 1)\n#end", &[(2, 1), (2, 9)]);
    }

    #[test]
    fn no_more_than_twenty_faults_are_told() {
        let Err(fault) = Template::parse(&"#set($a == 1)\n".repeat(1000)) else {
            panic!("each line is wrong");
        };
        assert_eq!(fault.others().len(), 19);
        assert_eq!(fault.to_string().matches("expected:").count(), 20);
    }

    #[test]
    fn parentheses_in_strings_do_not_count() {
        assert_eq!(after_parenthesis("#if($a == ')' (1)) x"), Some(18));
        assert_eq!(after_parenthesis("#if($a\n#end)"), None);
        assert_eq!(after_parenthesis("$a\n(b)"), None);
        assert_eq!(after_parenthesis("#set($a = {\n \"b\": (1)\n})"), Some(24));
    }
}
