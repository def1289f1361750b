//! What a header's value has to be like: `x`, `x*`, `*x`, `*x*` or `*`.

/// A pattern with a wildcard at either end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glob {
    text: Box<[u8]>,
    open_start: bool,
    open_end: bool,
}

impl Glob {
    /// The pattern, or the problem with it and its fix. `?` stands for itself: no wildcard of one character is documented.
    pub(crate) fn parse(text: &str) -> Result<Self, (String, &'static str)> {
        if text.is_empty() {
            return Err((
                "the value is empty".into(),
                "write `*` where any value will do",
            ));
        }
        if text.len() >= 128 {
            return Err((
                format!("the value has {} characters", text.len()),
                "the service allows fewer than 128",
            ));
        }
        // Of the characters that the service's documents list, their own examples need more.
        let allowed = |char: &char| matches!(char, ' '..='~');
        if let Some(char) = text.chars().find(|char| !allowed(char)) {
            return Err((
                format!("the value holds {char:?}"),
                "use visible ASCII characters; `*` stands for the rest",
            ));
        }
        let (open_start, inner) = match text.strip_prefix('*') {
            Some(inner) => (true, inner),
            None => (false, text),
        };
        let (open_end, inner) = match inner.strip_suffix('*') {
            Some(inner) => (true, inner),
            None => (false, inner),
        };
        if inner.contains('*') {
            return Err((
                format!("`{text}` has a `*` inside"),
                "a `*` may stand at the start and at the end",
            ));
        }
        if open_start && open_end && inner.len() >= 40 {
            return Err((
                format!("what stands between the `*` has {} characters", inner.len()),
                "the service allows fewer than 40",
            ));
        }
        Ok(Self {
            text: inner.as_bytes().into(),
            open_start,
            open_end,
        })
    }

    pub(crate) fn fits(&self, value: &[u8]) -> bool {
        match (self.open_start, self.open_end) {
            (false, false) => *value == *self.text,
            (false, true) => value.starts_with(&self.text),
            (true, false) => value.ends_with(&self.text),
            (true, true) => {
                self.text.is_empty()
                    || value
                        .windows(self.text.len())
                        .any(|window| *window == *self.text)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Glob;

    #[track_caller]
    fn check(pattern: &str, fitting: &[&str], others: &[&str]) {
        let glob = Glob::parse(pattern).expect("a pattern");
        for value in fitting {
            assert!(glob.fits(value.as_bytes()), "{pattern} {value}");
        }
        for value in others {
            assert!(!glob.fits(value.as_bytes()), "{pattern} {value}");
        }
    }

    #[test]
    fn wildcards_stand_at_the_ends() {
        check("beta", &["beta"], &["Beta", "beta1", ""]);
        check("v2*", &["v2", "v2.1"], &["v1", "av2"]);
        check("*json", &["json", "application/json"], &["json, text/xml"]);
        check("*ux=beta*", &["a=1; ux=beta; b=2", "ux=beta"], &["ux"]);
        check("*", &["", "x"], &[]);
        check("a?c", &["a?c"], &["abc"]);
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        let infix = format!("*{}*", "x".repeat(40));
        for bad in ["", "a*b", "***", "a\tb", "ä", &infix, &"x".repeat(128)] {
            assert!(Glob::parse(bad).is_err(), "{bad}");
        }
    }
}
