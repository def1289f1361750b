//! What one rendering may still use.

use crate::dialect::Limits;

/// A limit was reached; the text says which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exceeded(pub(crate) Box<str>);

impl Exceeded {
    #[cold]
    fn of(message: String) -> Self {
        Self(message.into())
    }
}

#[derive(Debug)]
pub(crate) struct Budget {
    pub(crate) limits: Limits,
    steps: u64,
    created: u64,
    depth: usize,
}

impl Budget {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            steps: limits.steps,
            created: limits.created_bytes,
            depth: 0,
        }
    }

    #[inline]
    pub(crate) fn step(&mut self) -> Result<(), Exceeded> {
        self.steps(1)
    }

    #[inline]
    pub(crate) fn steps(&mut self, count: u64) -> Result<(), Exceeded> {
        match self.steps.checked_sub(count) {
            Some(left) => {
                self.steps = left;
                Ok(())
            }
            None => Err(Exceeded::of(format!(
                "the rendering takes more than {} steps",
                self.limits.steps
            ))),
        }
    }

    pub(crate) fn create(&mut self, bytes: usize) -> Result<(), Exceeded> {
        if bytes > self.limits.output_bytes {
            return Err(Exceeded::of(format!(
                "a text or list of {bytes} bytes is past the limit of {}",
                self.limits.output_bytes
            )));
        }
        self.steps(bytes as u64 / 64)?;
        match self.created.checked_sub(bytes as u64) {
            Some(left) => {
                self.created = left;
                Ok(())
            }
            None => Err(Exceeded::of(format!(
                "the rendering makes more than {} bytes of values",
                self.limits.created_bytes
            ))),
        }
    }

    #[inline]
    pub(crate) fn enter(&mut self) -> Result<(), Exceeded> {
        self.depth += 1;
        if self.depth > self.limits.depth {
            Err(Exceeded::of(format!(
                "nested more than {} deep",
                self.limits.depth
            )))
        } else {
            Ok(())
        }
    }

    #[inline]
    pub(crate) fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    pub(crate) fn output(&self, bytes: usize) -> Result<(), Exceeded> {
        if bytes > self.limits.output_bytes {
            Err(Exceeded::of(format!(
                "the result is longer than {} bytes",
                self.limits.output_bytes
            )))
        } else {
            Ok(())
        }
    }
}
