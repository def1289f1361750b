//! What is wrong with a document, and what is worth saying of it.

use std::fmt;

use portcullis_definition::Pointer;

/// Something in a document that cannot stay.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// Where it stands.
    pub pointer: Pointer,
    /// The rule that it breaks, as a short name such as `integration/uri`.
    pub rule: &'static str,
    /// What is wrong; in the words of the service where those are known.
    pub message: String,
    /// What to do about it.
    pub fix: String,
}

/// The pointer to the whole document is empty, which nobody could read.
fn shown(pointer: &Pointer) -> &str {
    match pointer.as_str() {
        "" => "/",
        pointer => pointer,
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} [{}]",
            shown(&self.pointer),
            self.message,
            self.rule
        )?;
        if !self.fix.is_empty() {
            write!(f, ": {}", self.fix)?;
        }
        Ok(())
    }
}

/// How many faults are told one by one.
const MAX_FAULTS: usize = 1000;

/// All faults of a document (after a thousand, how many more there are). `Display` writes one on
/// each line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportErrors {
    faults: Vec<Fault>,
}

impl ImportErrors {
    pub(crate) fn new(mut faults: Vec<Fault>) -> Self {
        let more = faults.len().saturating_sub(MAX_FAULTS);
        if more > 0 {
            faults.truncate(MAX_FAULTS);
            faults.push(Fault {
                pointer: Pointer::root(),
                rule: "document/faults",
                message: format!("there are {more} more faults"),
                fix: "mend these first".to_owned(),
            });
        }
        Self { faults }
    }

    pub(crate) fn invalid_input(rule: &'static str, fix: String) -> Self {
        Self::new(vec![Fault {
            pointer: Pointer::root(),
            rule,
            message: "Invalid OpenAPI input.".to_owned(),
            fix,
        }])
    }

    /// The faults, in the order in which they were found; there is at least one.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }
}

impl fmt::Display for ImportErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ImportErrors {}

/// Something that an import takes, but that does not mean what its author may think.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Warning {
    /// Where it stands.
    pub pointer: Pointer,
    /// What the import made of it; in the words of the service where those are known.
    pub message: String,
    /// How much it matters.
    pub level: WarningLevel,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", shown(&self.pointer), self.message)
    }
}

/// How much a warning matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WarningLevel {
    /// Valid, and without effect on an API of this kind. Never fails an import.
    Info,
    /// Left out or changed. Fails an import that is to fail on warnings.
    Warning,
}
