//! Which Velocity it is, and how much of it one template may use.

/// Two settings of one engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialect {
    /// What Amazon API Gateway runs: a reference without a value is an empty string everywhere, `#macro`
    /// definitions vanish and their calls stay as text, `#evaluate`, `#include` and `#parse` are text.
    #[default]
    ApiGateway,
    /// Velocity 1.7 as shipped: references without a value print as they are written, `#macro` and `#evaluate` work.
    /// `#include` and `#parse` fail: they never read a file.
    Velocity,
}

/// How much a template may use. What goes past a limit is a [`RenderError`](crate::RenderError), or a
/// [`Fault`](crate::Fault) when parsing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Passes of one `#foreach`; 1000 by default, as in the service.
    pub loop_iterations: u64,
    /// Bytes of the result, and of any text made on the way; 10 MiB by default, the service's largest payload.
    pub output_bytes: usize,
    /// Bytes that one rendering may make in strings, lists and maps, all told; 128 MiB by default.
    pub created_bytes: u64,
    /// Nesting of blocks, expressions, strings and values; 100 by default.
    pub depth: usize,
    /// Directives, references, operators, JSONPath steps and the like that one rendering may run; 20 million by default.
    pub steps: u64,
    /// Bytes of the template itself; 300 KiB by default, as in the service.
    pub template_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            loop_iterations: 1000,
            output_bytes: 10 << 20,
            created_bytes: 128 << 20,
            depth: 100,
            steps: 20_000_000,
            template_bytes: 300 << 10,
        }
    }
}

impl Limits {
    /// Sets how often one `#foreach` may go round.
    #[must_use]
    pub fn loop_iterations(mut self, iterations: u64) -> Self {
        self.loop_iterations = iterations;
        self
    }

    /// Sets how many bytes the result may have.
    #[must_use]
    pub fn output_bytes(mut self, bytes: usize) -> Self {
        self.output_bytes = bytes;
        self
    }

    /// Sets how many bytes one rendering may make in strings, lists and maps.
    #[must_use]
    pub fn created_bytes(mut self, bytes: u64) -> Self {
        self.created_bytes = bytes;
        self
    }

    /// Sets how deep blocks, expressions and values may nest.
    #[must_use]
    pub fn depth(mut self, depth: usize) -> Self {
        self.depth = depth;
        self
    }

    /// Sets how many steps one rendering may take.
    #[must_use]
    pub fn steps(mut self, steps: u64) -> Self {
        self.steps = steps;
        self
    }

    /// Sets how long a template may be, in bytes.
    #[must_use]
    pub fn template_bytes(mut self, bytes: usize) -> Self {
        self.template_bytes = bytes;
        self
    }
}
